"""Pages and their pieces: whatever is printed is inert."""

import struct
import zlib

import pytest

from afpbench.base import html

EVIL = '<script>alert("x")</script>'
INERT = "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"


@pytest.mark.parametrize(
    "made",
    [
        html.text(EVIL),
        html.paragraph(EVIL),
        html.items([EVIL]),
        html.facts([(EVIL, EVIL)]),
        html.table([EVIL] * 3, [[EVIL, EVIL, html.Cell([EVIL], EVIL)]], EVIL, [EVIL]),
        html.section(EVIL, EVIL, kind=EVIL),
        html.link(EVIL, EVIL),
        html.picture(b"\0" * 20, EVIL),
        html.page(EVIL, [], [(EVIL, EVIL)]),
        html.folded(EVIL),
    ],
)
def test_markup_in_a_text_is_text(made):
    assert "<script" not in made and INERT in made


def test_nothing_is_a_dash():
    assert html.text(None) == html.text(float("nan")) == "–"
    assert html.text(0) == "0" and html.text(0.5) == "0.5"


def test_a_table():
    made = html.table(["Row", "a"], [["L1", html.Cell(["1", "p 0.5"], "better")]])
    assert '<th scope="row">L1</th><td class="better" data-label="a">1<br>p 0.5</td>' in made
    assert made.count("<tr>") == 2 and "<caption>" not in made


def test_what_this_module_made_stands_in_tables_and_rows_have_classes():
    made = html.table(["Case"], [[html.link("p<1>", "p<1>")], ["p2"]], kinds=["look"])
    assert '<tr class="look"><th scope="row"><a href="#p&lt;1&gt;">p&lt;1&gt;</a></th></tr>\n<tr><th' in made


def test_a_page_may_ask_for_nothing_and_run_nothing():
    made = html.page("T", ["<p>part</p>"])
    assert "default-src 'none'" in made and "<p>part</p>" in made and "<nav>" not in made and "--ink" in made


def test_a_picture_is_inside_the_page(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"\0" + b"\xff" * 100)
    header = struct.pack(">IIBBBBB", 100, 1, 8, 0, 0, 0, 0)
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    made = html.picture(path, EVIL, 'x".pdf')
    assert 'src="data:image/png;base64,iVBOR' in made and 'width="68"' in made
    assert "<script" not in made and 'href="x&quot;.pdf"' in made


def test_of_a_file_only_the_table_is_taken():
    made = html.table_fragment(
        '<!DOCTYPE html><html><head><style>p {}</style></head><body onload="go()">'
        '<table id="t" onclick="go()"><caption>a &lt;b&gt;</caption><script>go()</script>'
        '<tr class="control"><td style="color: red" colspan="2">1 ± 2<br></td>'
        '<td style="background: url(http://x)"><img src="http://x"><a href="http://x">y</a></td></tr></table>'
        "<svg><td>z</td></svg></body></html>"
    )
    assert made == (
        '<div class="wide"><table id="t"><caption>a &lt;b&gt;</caption>'
        '<tr class="control"><td style="color: red" colspan="2">1\u00a0±\u00a02<br></td><td>y</td></tr></table></div>'
    )


def test_a_fragment_that_is_torn_stays_inert():
    assert "<script" not in html.table_fragment("<table><tr><td>1<script>alert(1)</td>")

"""Pages and their pieces. Every text that is printed goes through `text`; only these functions make tags."""

import base64
import html
import math
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from importlib import resources
from itertools import zip_longest
from pathlib import Path

TABLE_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup", "col"} | {
    "strong", "b", "em", "i", "sup", "sub", "br", "small", "span", "abbr", "p", "div",
}  # fmt: skip
TABLE_ATTRIBUTES = {"id", "class", "colspan", "rowspan", "scope", "title", "style", "data-label"}
DROPPED = {"script", "style", "iframe", "object", "svg", "math", "template"}  # with all that is in them
VOID = {"br", "col"}
# Nothing may be requested and nothing may run: the browser holds to it even if a text were not escaped.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
UNBROKEN = "\u00a0±\u00a0"  # no value is cut in two where its cell is narrow
SCREEN_SCALE = 0.68  # figures have more pixels than a screen shows, so that they stay sharp when enlarged


class Markup(str):
    """What functions of this module made, and `text` lets through."""


def page(title: str, parts: Iterable[str], links: Iterable[tuple[str, str]] = ()) -> str:
    """A whole page with its style, that asks for nothing from anywhere.

    parts: HTML. links: (anchor, text) of the navigation.
    """
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    navigation = "".join(link(anchor, words) for anchor, words in links)
    return "\n".join([
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        f"<header><h1>{text(title)}</h1>{f'<nav>{navigation}</nav>' if navigation else ''}</header>",
        "<main>",
        *parts,
        "</main>\n</body>\n</html>\n",
    ])  # fmt: skip


def link(anchor: str, words: object) -> Markup:
    """A way to another place of the page."""
    return Markup(f'<a href="#{text(anchor)}">{text(words)}</a>')


def text(value: object) -> str:
    """A value as text that holds no markup; NaN and None are a dash."""
    if isinstance(value, Markup):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return html.escape(str(value), quote=True)


def table(
    heads: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "", kinds: Sequence[str] = ()
) -> str:
    """A table of texts; the first column is the row's heading. A Cell carries its class; kinds: the rows' classes."""
    lines = ['<div class="wide"><table>']
    lines += [f"<caption>{text(caption)}</caption>"] if caption else []
    top = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
    lines.append(f"<thead><tr>{top}</tr></thead><tbody>")
    for row, kind in zip_longest(rows, kinds, fillvalue=""):
        first, *others = list(row)
        cells = "".join(_cell(other, head) for head, other in zip(heads[1:], others, strict=True))
        lines.append(f'<tr{_class(kind)}><th scope="row">{text(first)}</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def facts(rows: Iterable[tuple[object, object]]) -> str:
    """Names with what there is to say of each."""
    lines = [f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows]
    return "\n".join(['<table class="facts"><tbody>', *lines, "</tbody></table>"])


class Cell:
    """A table cell of several lines, with a class that the page's style knows."""

    def __init__(self, lines: Sequence[object], kind: str = ""):
        self.lines, self.kind = lines, kind


def _cell(value: object, head: object) -> str:
    """A cell that names its column, for screens on which the cells of a row stand one below the other."""
    label = f' data-label="{text(head)}"'
    if not isinstance(value, Cell):
        return f"<td{label}>{text(value)}</td>"
    lines = "<br>".join(text(line) for line in value.lines)
    return f"<td{_class(value.kind)}{label}>{lines}</td>"


def _class(kind: str) -> str:
    return f' class="{text(kind)}"' if kind else ""


def paragraph(value: object) -> str:
    return f"<p>{text(value)}</p>"


def note(value: object) -> str:
    """A paragraph of small print."""
    return f'<p class="note">{text(value)}</p>'


def heading(value: object, level: int = 4) -> str:
    return f"<h{level}>{text(value)}</h{level}>"


def minus(numbers: str) -> str:
    """Numbers with a minus sign instead of a hyphen."""
    return numbers.replace("-", "−")


def items(values: Iterable[object]) -> str:
    return "<ul>" + "".join(f"<li>{text(value)}</li>" for value in values) + "</ul>"


def section(title: str, anchor: str, *parts: str, level: int = 2, kind: str = "") -> str:
    """A heading with its parts; parts are HTML."""
    top = f'<section id="{text(anchor)}"{_class(kind)}><h{level}>{text(title)}</h{level}>'
    return "\n".join([top, *parts, "</section>"])


def folded(title: str, *parts: str) -> str:
    """Parts that a reader opens."""
    return "\n".join([f"<details><summary>{text(title)}</summary>", *parts, "</details>"])


def picture(source: str | Path | bytes, caption: str, pdf: str = "", scale: float = SCREEN_SCALE) -> str:
    """A PNG inside the page, with a caption and the relative path of its PDF.

    source: the file, or what is in it. scale: pixels of the page per pixel.
    """
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    data = base64.b64encode(content).decode("ascii")
    width = round(int.from_bytes(content[16:20], "big") * scale)  # a PNG's width stands in its header
    image = f'<img alt="{text(caption)}" width="{width}" src="data:image/png;base64,{data}">'
    also = f' <a href="{text(pdf)}">PDF</a>' if pdf else ""
    return f'<figure><div class="wide">{image}</div><figcaption>{text(caption)}{also}</figcaption></figure>'


def side_by_side(*figures: str) -> str:
    """Pictures beside each other, on a narrow screen one below the other, no wider than the screen."""
    return "\n".join(['<div class="pair">', *figures, "</div>"])


def table_fragment(markup: str) -> str:
    """The table of a file of HTML, cut down to tags and attributes that a table needs: nothing in it can act."""
    parser = _TableOnly()
    parser.feed(markup)
    parser.close()
    return '<div class="wide">' + "".join(parser.parts) + "</div>"


class _TableOnly(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.dropping: list[str] = []

    def handle_starttag(self, tag, attributes):
        if self.dropping or tag in DROPPED:
            self.dropping.append(tag)
        elif tag in TABLE_TAGS:
            kept = [(name, value or "") for name, value in attributes if name in TABLE_ATTRIBUTES]
            kept = [(name, value) for name, value in kept if name != "style" or "(" not in value]  # no url(...)
            self.parts.append(f"<{tag}" + "".join(f' {name}="{html.escape(value)}"' for name, value in kept) + ">")

    def handle_startendtag(self, tag, attributes):
        if tag in VOID:
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if self.dropping:
            if tag in self.dropping:
                while self.dropping.pop() != tag:
                    pass
        elif tag in TABLE_TAGS - VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data):
        if not self.dropping:
            self.parts.append(html.escape(data.replace(" ± ", UNBROKEN), quote=False))

"""The site of the documentation, without building it: places, links, menu, messages, gallery."""

import re
import sys
from pathlib import Path

import pytest
from pages import ROOT

sys.path += [str(ROOT / "docs/site"), str(ROOT / "docs/gallery")]
import generator_diagrams
import layout
import make
from messages import OPEN, messages

from afpbench.study.kinds.registry import GENERATORS

INDEX = """Start with the [tutorial](tutorial.md).

**How to**
- [add a loss](how-to/add-a-loss.md): words
- [the shipped segmenters](../pretraining/README.md)

**Reference**
- [Every key](../config/README.md)
"""


def test_the_menu_is_the_index_and_no_page_is_left_out():
    sections = {title: pages for section in layout.menu(INDEX) for title, pages in section.items()}
    assert sections["Start"][:3] == ["index.md", "tutorial.md", "contents.md"]
    assert sections["How to"][:2] == ["how-to/add-a-loss.md", "reference/shipped-segmenters.md"]
    assert "how-to/add-a-metric.md" in sections["How to"][2:]
    assert sections["Reference"][0] == "reference/study-file.md"
    assert "results/phantom.md" in sections["Results"]
    pages = [page for pages in sections.values() for page in pages if isinstance(page, str)]
    assert len(pages) == len(set(pages))
    ours = {path.relative_to(layout.DOCS).as_posix() for path in layout.DOCS.rglob("*.md")} - {"README.md"}
    assert ours <= set(pages)


@pytest.mark.parametrize(
    "here, target, place",
    [
        ("README.md", "docs/faq.md#data", "faq.md"),
        ("README.md", "config/", "reference/study-file.md"),
        ("README.md", "docs/figures/phantom.png", "figures/phantom.png"),
        ("docs/README.md", "results/", "results/README.md"),
        ("docs/how-to/add-a-loss.md", "../../README.md", "index.md"),
        (
            "docs/how-to/add-a-segmenter.md",
            "../../src/afpbench/phantom/labels.py",
            "files/src/afpbench/phantom/labels.py",
        ),
        ("README.md", "https://example.org/docs/faq.md", None),
        ("README.md", "#licence", None),
        ("README.md", "docs/none.md", None),
    ],
)
def test_where_a_link_leads_in_the_site(here, target, place):
    assert layout.place_of(here, target) == place


def test_anchors_are_those_of_github():
    assert layout.github_anchor("SSIM & MAE: what, exactly?") == "ssim--mae-what-exactly"
    assert layout.github_anchor("`afpbench` in a_file") == "afpbench-in-a_file"


def test_text_of_messages_is_taken_as_it_is():
    assert layout.plain("a <row> of fold_*\n\tand [x]") == "a &lt;row&gt; of fold&#95;&#42; and &#91;x&#93;"


def test_rooms_of_the_api_exist_and_have_modules():
    assert all("afpbench." + room in name for room in layout.ROOMS for name in layout.modules_of(room))
    assert all(list(layout.modules_of(room)) for room in layout.ROOMS)


def test_the_questions_page_quotes_messages_that_are_raised():
    texts = {message.text for message in messages()}
    headings = re.findall(r"^### (.*[^?\n])$", (ROOT / "docs/faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings
    unknown = [heading for heading in headings if not any(said(heading, text) for text in texts)]
    assert not unknown, "docs/faq.md: no such message in src/"


def said(heading: str, text: str) -> bool:
    """Whether a heading is a message, or its first words."""
    return text == heading or (heading.endswith(OPEN) and text.startswith(heading.removesuffix(OPEN)))


def test_the_gallery_shows_every_kind():
    folder = Path(make.__file__).parent
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page == make.page(), "a kind or its words changed: python docs/gallery/make.py (make.py text: no pictures)"
    pictures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert [name for name in pictures if not (folder / name).is_file()] == [], "python docs/gallery/make.py draws them"
    assert all((folder / name).stat().st_size < 200_000 for name in pictures)


@pytest.mark.parametrize("name", list(GENERATORS))
def test_the_diagram_of_a_generator_is_what_its_modules_say(name):
    committed = (Path(make.__file__).parent / f"generator_{name}.svg").read_text(encoding="utf-8")
    assert committed == generator_diagrams.svg(name), "python docs/gallery/make.py draws it"


def test_messages_are_those_of_our_errors():
    found = list(messages())
    assert len(found) > 200
    assert all(message.text.strip(f"{OPEN} :") for message in found)
    (gpu,) = [message for message in found if message.text == "runtime.device: a CUDA device was asked for"]
    assert (gpu.room, gpu.expected) == ("base", "a GPU and a CUDA build of PyTorch")

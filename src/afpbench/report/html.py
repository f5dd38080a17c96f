"""Pieces of HTML. Every text that is printed goes through `text`; only these functions make tags."""

import base64
import html
import math
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path

TABLE_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup", "col"} | {
    "strong", "b", "em", "i", "sup", "sub", "br", "small", "span", "abbr", "p", "div",
}  # fmt: skip
TABLE_ATTRIBUTES = {"id", "class", "colspan", "rowspan", "scope", "title", "style"}
DROPPED = {"script", "style", "iframe", "object", "svg", "math", "template"}  # with all that is in them
VOID = {"br", "col"}
SCREEN_SCALE = 0.68  # figures have more pixels than a screen shows, so that they stay sharp when enlarged


def text(value: object) -> str:
    """A value as text that holds no markup; NaN and None are a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return html.escape(str(value), quote=True)


def table(heads: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table of texts; the first column is the row's heading. A Cell in a row carries its class."""
    lines = ['<div class="wide"><table>']
    lines += [f"<caption>{text(caption)}</caption>"] if caption else []
    top = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
    lines.append(f"<thead><tr>{top}</tr></thead><tbody>")
    for first, *others in rows:
        cells = "".join(_cell(other) for other in others)
        lines.append(f'<tr><th scope="row">{text(first)}</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def facts(rows: Iterable[tuple[object, object]]) -> str:
    """Names with what there is to say of each."""
    lines = [f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows]
    return "\n".join(['<table class="facts"><tbody>', *lines, "</tbody></table>"])


class Cell:
    """A table cell of several lines, with a class that the page's style knows."""

    def __init__(self, lines: Sequence[object], kind: str = ""):
        self.lines, self.kind = lines, kind


def _cell(value: object) -> str:
    if not isinstance(value, Cell):
        return f"<td>{text(value)}</td>"
    kind = f' class="{text(value.kind)}"' if value.kind else ""
    return f"<td{kind}>" + "<br>".join(text(line) for line in value.lines) + "</td>"


def paragraph(value: object) -> str:
    return f"<p>{text(value)}</p>"


def heading(value: object, level: int = 4) -> str:
    return f"<h{level}>{text(value)}</h{level}>"


def minus(numbers: str) -> str:
    """Numbers with a minus sign instead of a hyphen."""
    return numbers.replace("-", "−")


def items(values: Iterable[object]) -> str:
    return "<ul>" + "".join(f"<li>{text(value)}</li>" for value in values) + "</ul>"


def section(title: str, anchor: str, *parts: str, level: int = 2) -> str:
    """A heading with its parts; parts are HTML."""
    return "\n".join([f'<section id="{text(anchor)}"><h{level}>{text(title)}</h{level}>', *parts, "</section>"])


def folded(title: str, *parts: str) -> str:
    """Parts that a reader opens."""
    return "\n".join([f"<details><summary>{text(title)}</summary>", *parts, "</details>"])


def picture(path: str | Path, caption: str, link: str = "", scale: float = SCREEN_SCALE) -> str:
    """A PNG inside the page, with a caption and the relative path of its PDF. scale: pixels of the page per pixel."""
    content = Path(path).read_bytes()
    data = base64.b64encode(content).decode("ascii")
    width = round(int.from_bytes(content[16:20], "big") * scale)  # a PNG's width stands in its header
    also = f' <a href="{text(link)}">PDF</a>' if link else ""
    image = f'<img alt="{text(caption)}" width="{width}" src="data:image/png;base64,{data}">'
    return f'<figure><div class="wide">{image}</div><figcaption>{text(caption)}{also}</figcaption></figure>'


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
            self.parts.append(html.escape(data, quote=False))

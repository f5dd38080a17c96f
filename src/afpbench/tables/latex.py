"""A table as LaTeX for pdflatex, laid out so that it fits a page and can be read: a wide one in parts that stand one
below the other, a long one in several floats."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil

from ..base import latex

PACKAGES = r"% needs \usepackage{booktabs,graphicx} and \usepackage[table]{xcolor}"
# In characters, of a text that is 16 cm wide. A table in normal size that is shrunk to it is read down to 3/4 (7.5 pt);
# a wider one is printed in parts in \footnotesize (8 pt).
WIDEST, WIDEST_PART, GAP = 120, 105, 2
PAGE_LINES, HEAD_LINES, LINE = 40, 3, 105  # lines of a float, of a table's head; characters of a note's line
_COLOUR = re.compile(r"\\(?:cellcolor|textcolor)\[HTML\]\{\w*\}")
_STYLE = re.compile(r"\\(?:textbf|ensuremath)\b")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)")


@dataclass(frozen=True)
class Body:
    """What stands between the rules of a table, as LaTeX.

    heads: of each column; the first holds the rows' names. rows: a cell of each column. groups: the heading above each
    column, "" for none. rules: numbers of the rows above which a rule stands. shared: how many of the last columns
    every part repeats, beside the first.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[str] = ()
    rules: Collection[int] = ()
    shared: int = 0

    def columns(self, chosen: Sequence[int]) -> "Body":
        """Some of the columns."""
        heads, *rows = [[line[column] for column in chosen] for line in (self.heads, *self.rows)]
        return replace(self, heads=heads, rows=rows, groups=[self.groups[column] for column in chosen if self.groups])

    def lines(self, start: int, end: int) -> "Body":
        """Some of the rows."""
        rules = [rule - start for rule in self.rules if start < rule < end]
        return replace(self, rows=self.rows[start:end], rules=rules)


def environment(body: Body, caption: str, name: str, notes: Sequence[str] = ()) -> str:
    """The table in one float, or where it is too long for a page in several, with its notes below.

    caption, name, notes: plain text; the label is `tab:` and the name's `latex.key`.
    """
    parts = list(split(body))
    size = [r"\footnotesize"] if len(parts) > 1 else []
    blocks = [(len(part.rows) + HEAD_LINES, _tabular(part)) for part in parts]
    blocks += [(ceil(len(note) / LINE), [_note(note)]) for note in notes]
    first = [rf"\caption{{{latex.text(caption)}}}", rf"\label{{tab:{latex.key(name)}}}"]
    again = [rf"\footnotesize Table~\ref{{tab:{latex.key(name)}}}, continued.\par\smallskip"]
    floats = [
        [r"\begin{table}[htbp]", r"\centering", *(again if number else first), r"\setlength{\tabcolsep}{4pt}", *size]
        + _stacked(page)
        + [r"\end{table}"]
        for number, page in enumerate(packed(blocks, ceil(len(caption) / LINE)))
    ]
    return "\n".join([PACKAGES, *(line for one in floats for line in one)]) + "\n"


def split(body: Body) -> Iterator[Body]:
    """The parts of a table that is too wide or too long, else the table. Columns of a group stay together where they
    can; rows fill a page at most."""
    longest = PAGE_LINES - HEAD_LINES
    for part in _by_columns(body):
        for start in range(0, len(part.rows) or 1, longest):
            yield part.lines(start, start + longest)


def packed(blocks: Sequence[tuple[int, list[str]]], used: int) -> list[list[list[str]]]:
    """The blocks, (number of lines, LaTeX), on pages. used: lines of the first that the caption takes."""
    pages: list[list[list[str]]] = [[]]
    for lines, block in blocks:
        if pages[-1] and used + lines > PAGE_LINES:
            pages.append([])
            used = 1
        pages[-1].append(block)
        used += lines
    return pages


def width(cell: str) -> int:
    """About how many characters wide LaTeX is when it is printed."""
    return len(re.sub(r"[{}$^]", "", _COMMAND.sub("x", _STYLE.sub("", _COLOUR.sub("", cell)))))


def _by_columns(body: Body) -> Iterator[Body]:
    widths = [max(map(width, column)) + GAP for column in zip(body.heads, *body.rows, strict=True)]
    if sum(widths) <= WIDEST:
        yield body
        return
    end = len(widths) - body.shared
    fixed = widths[0] + sum(widths[end:])
    chosen: list[int] = []
    for group in _groups_of(body, end):
        needed = sum(widths[column] for column in group)
        for piece in [group] if fixed + needed <= WIDEST_PART else [[column] for column in group]:
            taken = fixed + sum(widths[column] for column in (*chosen, *piece))
            if chosen and taken > WIDEST_PART:
                yield body.columns([0, *chosen, *range(end, len(widths))])
                chosen = []
            chosen += piece
    yield body.columns([0, *chosen, *range(end, len(widths))])


def _groups_of(body: Body, end: int) -> list[list[int]]:
    """The columns from the second one up to `end`, those of a group together; without groups each by itself."""
    if not body.groups:
        return [[column] for column in range(1, end)]
    return [list(group) for _, group in groupby(range(1, end), key=lambda column: body.groups[column])]


def _tabular(body: Body) -> list[str]:
    lines = [
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(body.heads) - 1)}}}",
        r"\toprule",
        *_group_heads(body.groups),
        _row(body.heads),
        r"\midrule",
    ]
    for number, row in enumerate(body.rows):
        lines += [r"\midrule"] if number in body.rules else []
        lines.append(_row(row))
    return [*lines, r"\bottomrule", r"\end{tabular}}"]


def _group_heads(groups: Sequence[str]) -> list[str]:
    if not groups:
        return []
    heads, rules, start = [], [], 1
    for name, members in groupby(groups):
        count = len(list(members))
        heads += [rf"\multicolumn{{{count}}}{{c}}{{{name}}}"] if name else [""] * count
        rules += [rf"\cmidrule(lr){{{start}-{start + count - 1}}}"] if name else []
        start += count
    return [_row(heads), "".join(rules)]


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _note(note: str) -> str:
    return rf"\par\smallskip\raggedright\footnotesize {latex.text(note)}"


def _stacked(blocks: Sequence[list[str]]) -> list[str]:
    """Blocks one below the other, with some room between two parts."""
    lines: list[str] = []
    for block in blocks:
        lines += [r"\par\medskip"] if lines and len(block) > 1 else []
        lines += block
    return lines

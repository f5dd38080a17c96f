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
PAGE_LINES, SMALL_PAGE_LINES = 40, 50  # of a float, in normal size and in \footnotesize
HEAD_LINES, LINE = 3, 105  # lines of a table's head; characters of a line of notes
_COLOUR = re.compile(r"\\(?:cellcolor|textcolor)\[HTML\]\{\w*\}")
_STYLE = re.compile(r"\\(?:textbf|ensuremath)\b")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)")


@dataclass(frozen=True)
class Body:
    """What stands between the rules of a table, as LaTeX.

    heads: of each column. rows: a cell of each column. groups: the heading above each column, "" for none. rules: the
    numbers of the rows above which a rule stands. names, shared: how many of the first columns hold words, and how many
    of the last ones stand beside all others: every part of the table repeats both. tied: columns that are parted from
    the one before them in no case.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[str] = ()
    rules: Collection[int] = ()
    names: int = 1
    shared: int = 0
    tied: Collection[int] = ()

    @property
    def is_short(self) -> bool:
        """Whether it fits a page in normal size."""
        return len(self.rows) <= PAGE_LINES - HEAD_LINES

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
    parts = split(body)
    is_small = len(parts) > 1 or not body.is_short
    size, room = ([r"\footnotesize"], SMALL_PAGE_LINES) if is_small else ([], PAGE_LINES)
    blocks = [(len(part.rows) + HEAD_LINES, _tabular(part)) for part in parts]
    blocks += [(ceil(len(note) / LINE), [_note(note)]) for note in notes]
    first = [rf"\caption{{{latex.text(caption)}}}", rf"\label{{tab:{latex.key(name)}}}"]
    again = [rf"Table~\ref{{tab:{latex.key(name)}}}, continued.\par\smallskip"]
    floats = [
        [r"\begin{table}[htbp]", r"\centering", *(again if number else first), r"\setlength{\tabcolsep}{4pt}", *size]
        + _stacked(page)
        + [r"\end{table}"]
        for number, page in enumerate(packed(blocks, ceil(len(caption) / LINE), room))
    ]
    return "\n".join([PACKAGES, *(line for one in floats for line in one)]) + "\n"


def split(body: Body) -> list[Body]:
    """The parts of a table that is too wide or too long, else the table. Columns of a group stay together where they
    can; rows fill a page at most."""
    parts, longest = list(_by_columns(body)), SMALL_PAGE_LINES - HEAD_LINES
    if body.is_short:
        return parts
    return [part.lines(start, start + longest) for part in parts for start in range(0, len(part.rows), longest)]


def packed(blocks: Sequence[tuple[int, list[str]]], used: int, room: int) -> list[list[list[str]]]:
    """The blocks, (number of lines, LaTeX), on pages of `room` lines, of which the first one's caption takes `used`."""
    pages: list[list[list[str]]] = [[]]
    for lines, block in blocks:
        if pages[-1] and used + lines > room:
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
    first, last = range(body.names), range(end, len(widths))
    fixed = sum(widths[column] for column in (*first, *last))
    chosen: list[int] = []
    for group in _groups_of(body, end):
        needed = sum(widths[column] for column in group)
        for piece in [group] if fixed + needed <= WIDEST_PART else _pieces(group, body.tied):
            taken = fixed + sum(widths[column] for column in (*chosen, *piece))
            if chosen and taken > WIDEST_PART:
                yield body.columns([*first, *chosen, *last])
                chosen = []
            chosen += piece
    yield body.columns([*first, *chosen, *last])


def _groups_of(body: Body, end: int) -> list[list[int]]:
    """The columns between names and `end`, those of a group together; without groups each by itself."""
    columns = range(body.names, end)
    if not body.groups:
        return [[column] for column in columns]
    return [list(group) for _, group in groupby(columns, key=lambda column: body.groups[column])]


def _pieces(group: Sequence[int], tied: Collection[int]) -> list[list[int]]:
    """The columns of a group one by one, each with those that are tied to it."""
    pieces: list[list[int]] = []
    for column in group:
        if pieces and column in tied:
            pieces[-1].append(column)
        else:
            pieces.append([column])
    return pieces


def _tabular(body: Body) -> list[str]:
    lines = [
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * body.names}{'r' * (len(body.heads) - body.names)}}}",
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

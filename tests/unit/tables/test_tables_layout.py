"""Tables that are too wide or too long for a page, by hand."""

import re
from dataclasses import replace

import pytest

from afpbench.tables.latex import (
    PAGE_LINES,
    SMALL_PAGE_LINES,
    WIDEST,
    WIDEST_PART,
    Body,
    environment,
    packed,
    split,
    width,
)


def body_of(groups, cell_width, rows=2, label_width=10):
    """A table whose columns are all `cell_width` characters wide, with a column `n` of one character at its end."""
    columns = [name for name, count in groups for _ in range(count)]
    line = ["L" * label_width, *["c" * cell_width for _ in columns], "8"]
    return Body(
        ["", *[f"h{number}" for number in range(len(columns))], "n"], [line] * rows, ["", *columns, ""], shared=1
    )


@pytest.mark.parametrize(
    ("cell", "characters"),
    [
        (r"\cellcolor[HTML]{1B5E20}\textcolor[HTML]{FFFFFF}{\textbf{0.33 $\pm$ 0.10}$^{*}$}", 12),  # 0.33 ± 0.10*
        (r"AFP\_1 \textbar{} x", 9),
        (r"MAE (HU) $\downarrow$", 10),
        (r"\ensuremath{\mu}m", 2),
        ("", 0),
    ],
)
def test_how_wide_a_cell_is(cell, characters):
    assert width(cell) == characters


def test_a_table_that_fits_is_one_part():
    """10 + 2 for the labels, 9 columns of 9 + 2, and 1 + 2 for n are 114 characters."""
    body = body_of([("A", 9)], 9)
    assert 12 + 9 * 11 + 3 == 114 <= WIDEST
    assert [part.heads for part in split(body)] == [body.heads]


def test_a_wide_table_is_parted_between_its_groups():
    """12 + 12 * 11 + 3 = 147: too wide. A part holds 105 - 15 = 90 characters of columns, eight of them: two groups of
    three and not a third one."""
    body = body_of([("A", 3), ("B", 3), ("C", 3), ("D", 3)], 9)
    parts = list(split(body))
    assert [part.groups for part in parts] == [["", *"AAABBB", ""], ["", *"CCCDDD", ""]]
    assert [part.heads for part in parts] == [["", *[f"h{i}" for i in range(0, 6)], "n"],
                                              ["", *[f"h{i}" for i in range(6, 12)], "n"]]  # fmt: skip
    assert all(row[0] == "L" * 10 and row[-1] == "8" for part in parts for row in part.rows)


def test_a_group_that_is_wider_than_a_part_is_parted_too():
    """Columns of 20 + 2 characters: four fit beside 15."""
    assert WIDEST_PART - 15 == 90
    parts = list(split(body_of([("A", 6), ("B", 1)], 20)))
    assert [len(part.heads) - 2 for part in parts] == [4, 3]
    text = environment(body_of([("A", 6), ("B", 1)], 20), "C.", "t_1")
    assert text.count(r"\begin{table}") == 1 and text.count(r"\begin{tabular}") == 2
    assert text.count(r"\footnotesize") == 1 and text.count(r"\par\medskip") == 1
    assert r" & \multicolumn{4}{c}{A} &  \\" in text and r"\cmidrule(lr){2-5}" in text
    assert r" & \multicolumn{2}{c}{A} & \multicolumn{1}{c}{B} &  \\" in text
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}" in text


def test_a_column_that_is_tied_to_another_one_stays_with_it():
    """Three columns of 25 + 2 characters fit beside 15, but the fourth one belongs to the third."""
    body = replace(body_of([("A", 6)], 25), tied=[2, 4, 6])
    assert [part.heads[1:-1] for part in split(body)] == [["h0", "h1"], ["h2", "h3"], ["h4", "h5"]]
    assert [part.heads[1:-1] for part in split(replace(body, tied=()))] == [["h0", "h1", "h2"], ["h3", "h4", "h5"]]


def test_a_column_that_is_wider_than_a_page_stands_alone():
    assert [part.heads for part in split(body_of([("A", 2)], 200))] == [["", "h0", "n"], ["", "h1", "n"]]


def test_a_long_table_goes_on_in_another_float():
    """100 rows: 47 of them and the head of 3 lines fill a page of 50."""
    rows = [[f"r{number}", "1"] for number in range(100)]
    body = Body(["", "a"], rows, rules=[3, 47, 50])
    parts = list(split(body))
    assert SMALL_PAGE_LINES == 50 and [len(part.rows) for part in parts] == [47, 47, 6]
    assert [part.rules for part in parts] == [[3], [3], []]  # a rule above a part's first row is its own head's
    text = environment(body, "C.", "t_1", ["Note."])
    floats = re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL)
    assert [one.count(r"\caption{C.}") for one in floats] == [1, 0, 0]
    assert [r"Table~\ref{tab:t-1}, continued." in one for one in floats] == [False, True, True]
    assert [one.count("Note.") for one in floats] == [0, 0, 1]


def test_notes_that_do_not_fit_go_on_in_another_float():
    """Three rows and the head are 6 lines, the caption 1: 33 notes fit below it, 39 below the head of the next."""
    text = environment(Body(["", "a"], [["r", "1"]] * 3), "C.", "t", [f"Note {number}." for number in range(40)])
    floats = re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL)
    assert [one.count("Note ") for one in floats] == [33, 7]


def test_up_to_which_length_a_table_has_normal_size():
    """37 rows and the head of 3 lines fill a page of 40; one row more is small, on one page still."""
    texts = [environment(Body(["", "a"], [["r", "1"]] * rows), "C.", "t") for rows in (37, 38)]
    assert PAGE_LINES == 40 and [text.count(r"\footnotesize") for text in texts] == [0, 1]
    assert [text.count(r"\begin{table}") for text in texts] == [1, 1]


def test_columns_of_words_are_repeated_in_every_part():
    body = Body(["a", "b", *"cdefg"], [["x" * 10, "y" * 10, *["1" * 20] * 5]], names=2)
    assert [part.heads for part in split(body)] == [["a", "b", "c", "d", "e"], ["a", "b", "f", "g"]]  # 24 + 3 * 22 = 90
    assert r"\begin{tabular}{llrrr}" in environment(body, "C.", "t")


def test_what_is_longer_than_a_page_stands_alone():
    assert packed([(50, ["a"]), (3, ["b"]), (36, ["c"]), (1, ["d"])], 1, 40) == [[["a"]], [["b"], ["c"]], [["d"]]]


def test_a_table_without_rows():
    assert [part.rows for part in split(Body(["", "a"], []))] == [[]]

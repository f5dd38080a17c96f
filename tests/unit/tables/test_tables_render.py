import csv
import io
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from afpbench.study.kinds.registry import METRICS
from afpbench.tables.build import Row, Table, build_companion
from afpbench.tables.cells import Cell, Column
from afpbench.tables.render import rendered, to_csv, to_html, to_latex, to_markdown, write_files

MAE = Column(METRICS["mae"], "body", "", "Image")
DICE = Column(METRICS["dice"], "bones", "ts", "Bones & ribs")
TABLE = Table(
    "table_1",
    "100 % of L1 & AFP, p < 0.05.",
    (MAE, DICE),
    (
        Row("nnunet_l1", "nnU-Net / L1", "variant", 8, 0, (Cell(48.7249, 12.84, 8), Cell(0.5344, 0.065, 8))),
        Row("afp_1", "AFP_1 | x", "variant", 7, 1, (
            Cell(1 / 3, 0.1, 7, 1, best=True, shade="optimal"),
            Cell(0.58, 0.059, 5, 1, best=True, significant=True, mark="†")), (("c1", "x"),)),
        Row("real_ct", "Real CT", "control", 8, 0, (Cell(math.inf, math.nan, 8), Cell())),
    ),
    ("Failed in AFP_1: case c1: 50 % <nothing>",),
)  # fmt: skip


def test_markdown():
    assert to_markdown(TABLE) == (
        "**table\\_1.** 100 % of L1 & AFP, p \\< 0.05.\n"
        "\n"
        "| Row | MAE (HU) ↓ | Bones & ribs: Dice ↑ | n |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| nnU-Net / L1 | 48.72 ± 12.84 | 0.534 ± 0.065 | 8 |\n"
        "| AFP\\_1 \\| x | **0.33 ± 0.10** | **0.580 ± 0.059**\\*† (n=5) | 7 (1 failed) |\n"
        "| *Real CT* | ∞ | — | 8 |\n"
        "\n"
        "- Failed in AFP\\_1: case c1: 50 % \\<nothing>\n"
    )


def test_each_format_says_what_its_readers_need():
    """Markdown has no colours, and a page says once for all its tables how they are read and what the losses are."""
    said = {"title": "A_title", "legend": "Green: good.", "reading": ("Over all.",), "losses": "Losses: x."}
    table = replace(TABLE, caption="C.", footnotes=("Note.",), **said)
    assert to_markdown(table).startswith("**A\\_title.** C.\n")
    assert to_markdown(table).endswith("|\n\n- Note.\n- Over all.\n- Losses: x.\n")
    latex, page = to_latex(table), to_html(table)
    assert r"\caption{C.}" in latex
    below = [line.partition(r"\footnotesize ")[2] for line in latex.splitlines() if "footnotesize" in line]
    assert below == ["Note.", "Over all.", "Green: good.", "Losses: x."]
    assert "<caption>C.</caption>" in page and ">Note.</td></tr></tfoot>" in page and "Losses" not in page


def test_latex():
    assert to_latex(TABLE).splitlines() == [
        r"% needs \usepackage{booktabs,graphicx} and \usepackage[table]{xcolor}",
        r"\begin{table}[htbp]",
        r"\centering",
        r"\caption{100 \% of L1 \& AFP, p $<$ 0.05.}",
        r"\label{tab:table-1}",
        r"\setlength{\tabcolsep}{4pt}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r" & \multicolumn{1}{c}{Image} & \multicolumn{1}{c}{Bones \& ribs} &  \\",
        r"\cmidrule(lr){2-2}\cmidrule(lr){3-3}",
        r" & MAE (HU) $\downarrow$ & Dice $\uparrow$ & $n$ \\",
        r"\midrule",
        r"nnU-Net / L1 & 48.72 $\pm$ 12.84 & 0.534 $\pm$ 0.065 & 8 \\",
        r"AFP\_1 \textbar{} x & \cellcolor[HTML]{1B5E20}\textcolor[HTML]{FFFFFF}{\textbf{0.33 $\pm$ 0.10}}"
        r" & \textbf{0.580 $\pm$ 0.059}$^{*}$$^{\dagger}$ (n=5) & 7 (1 failed) \\",
        r"\midrule",
        r"Real CT & $\infty$ & --- & 8 \\",
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par\smallskip\raggedright\footnotesize Failed in AFP\_1: case c1: 50 \% $<$nothing$>$",
        r"\end{table}",
    ]


def test_csv_holds_full_precision():
    lines = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert len(lines) == 6
    first = lines[2]
    assert (first["row"], first["label"], first["column"], first["source"]) == ("afp_1", "AFP_1 | x", "mae", "ours")
    assert float(first["mean"]) == 1 / 3 and first["best"] == "true" and first["significant"] == "false"
    assert (lines[3]["column"], lines[3]["segmenter"], lines[3]["n"], lines[3]["n_failed"]) == (
        "dice:bones", "ts", "5", "1")  # fmt: skip
    assert (lines[2]["shade"], lines[2]["mark"], lines[3]["shade"], lines[3]["mark"]) == ("optimal", "", "", "†")
    assert (lines[4]["mean"], lines[4]["sd"]) == ("inf", "") and lines[5]["mean"] == ""


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.rows = [], []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tbody" in self.open and data.strip():
            self.rows[-1].append(data)


def test_html_is_well_formed_and_escaped():
    parser = Cells()
    text = to_html(TABLE)
    parser.feed(text)
    assert parser.open == []
    assert parser.rows[3] == ["AFP_1 | x", "0.33 ± 0.10", "0.580 ± 0.059", "*† (n=5)", "7 (1 failed)"]
    style = 'style="background:#1B5E20;color:#FFFFFF"'
    assert f'<td class="optimal" data-label="MAE (HU) ↓" {style}><strong>0.33 ± 0.10</strong></td>' in text
    assert '<th colspan="1" scope="colgroup">Bones &amp; ribs</th>' in text and "&lt;nothing&gt;" in text


def test_the_companion_keeps_the_papers_digits():
    rows = (Row("nnunet_l1", "L1", "variant", 1, 0, (Cell(60, math.nan, 1),)),)
    companion = build_companion(Table("t", "c.", (MAE,), rows, ()), "table5")
    text = to_markdown(companion)
    assert "| L1 | 60.00 | **65.300 ± 15.180** | 1 |" in text
    assert "| Perceptual | — | 81.359 ± 30.717 | — |" in text
    assert "MAE (HU) ↓, paper" in text
    assert r" & MAE (HU) $\downarrow$ & paper & $n$ \\" in to_latex(companion)
    lines = list(csv.DictReader(io.StringIO(to_csv(companion))))
    assert (lines[1]["source"], lines[1]["mean"], lines[1]["n"]) == ("published", "65.3", "")


@pytest.mark.parametrize(("value", "text"), [(-0.001, "0.00"), (-12.345, "−12.35"), (0.0, "0.00")])
def test_signed_numbers(value, text):
    column = Column(METRICS["me"], "body", "", "Image")
    table = Table("t", "c.", (column,), (Row("a", "A", "variant", 1, 0, (Cell(value, math.nan, 1),)),), ())
    assert f"| A | {text} | 1 |" in to_markdown(table)
    assert "ME (HU) →0" in to_markdown(table) and r"ME (HU) $\rightarrow 0$" in to_latex(table)
    assert f"A & {text.replace('−', '$-$')} & 1" in to_latex(table)


def test_files_are_the_same_bytes_each_time(tmp_path):
    paths = write_files(rendered([TABLE]), tmp_path)
    assert [path.name for path in paths] == ["table_1.csv", "table_1.md", "table_1.tex", "table_1.html"]
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_files(rendered([TABLE]), tmp_path)] == first
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_latex_has_no_character_that_pdflatex_lacks():
    text = to_latex(build_companion(TABLE, "table1"))
    assert text.isascii()

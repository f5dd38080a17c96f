"""The tables of the shipped study as LaTeX: compiled where pdflatex is on PATH, looked at as text everywhere."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from afpbench.metrics.longtable import COLUMNS, KEY, line
from afpbench.metrics.statistics import compare
from afpbench.study.load import load_study, read_study
from afpbench.tables.build import Context, build_all
from afpbench.tables.captions import loss_notes
from afpbench.tables.cost import build_cost_tables
from afpbench.tables.render import to_latex

PREAMBLE = r"""\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,graphicx}
\usepackage[table]{xcolor}
\begin{document}
"""
MACHINE = {"processor": "Example 9 & Co. #3", "cores": 2, "gpu": None}
FAILED = "failed: register: 100 % of {x}_y ~ \\ ^ | < > “é” ∅"  # what a message may hold


def long_of(name, task):
    """Random values for every column of the task's tables, higher from row to row; a case of the first one failed."""
    generator, lines = np.random.default_rng(5), []
    for index, row in enumerate([*task["variants"], *task["controls"]]):
        for table in task["tables"].values():
            for column in table.get("columns", []):
                structure = column["structure"]
                segmenter = task["structures"][structure]["segmenter"] if structure else ""
                for case in range(8):
                    failed = row == task["reference"] and case == 0
                    value = np.nan if failed else 100 * generator.random() + 40 * index
                    lines.append(line(name, row, f"case_{case}", segmenter, structure or column["region"],
                                      column["metric"], value, FAILED if failed else "ok"))  # fmt: skip
    return pd.DataFrame(lines, columns=list(COLUMNS)).drop_duplicates(list(KEY), ignore_index=True)


def tables_of(name, task):
    long, labels = long_of(name, task), {key: variant["label"] for key, variant in task["variants"].items()}
    statistics = compare(long, task["reference"], controls=task["controls"], resamples=100)
    notes = loss_notes({key: variant["loss"] for key, variant in task["variants"].items()}, labels, task["variants"])
    context = Context(list(task["variants"]), task["reference"], task["controls"], labels, task["structures"],
                      notes=notes, task=name)  # fmt: skip
    cost = {"iterations": 300, "seconds": 90.0, "seconds_per_iteration": 0.3, "peak_memory_mb": 2000.0,
            "patch_size": [32, 40, 56], "batch_size": 2, "gpus": 1, "precision": "bfloat16",
            "machine": MACHINE}  # fmt: skip
    entries = [
        {"case": "a", "status": "ok", "seconds": 2.5, "peak_memory_mb": 900.0, "shape": [9, 9, 9]},
        {"case": "b_1", "status": FAILED},
    ]
    tables = []
    for key, spec in task["tables"].items():
        if spec["kind"] == "cost":
            rows = spec["rows"]
            tables += build_cost_tables(key, spec, dict.fromkeys(rows, cost), dict.fromkeys(rows, entries), context)
        else:
            tables += build_all(key, spec, long, statistics, context)
    return tables


@pytest.fixture(scope="module")
def latex(project):
    study = load_study(read_study(project / "config" / "config.yaml"), project)
    tables = [table for name, task in study["tasks"].items() for table in tables_of(name, task)]
    assert {table.name for table in tables} >= {"table1", "table4", "table4_published", "table6_published", "hd95"}
    return [to_latex(table) for table in tables]


def test_the_text_is_balanced_and_plain(latex):
    for text in latex:
        assert text.isascii()
        unescaped = re.sub(r"\\[{}\\%&#$_]", "", text)
        assert unescaped.count("{") == unescaped.count("}")
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        columns = len(re.search(r"\\begin\{tabular\}\{(l r*)\}".replace(" ", ""), text).group(1))
        for row in [part for part in body.split(r"\\") if "&" in part]:
            spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) - len(spans) == columns, row
    assert r"``\'{e}'' [U+2205]" in latex[0]
    assert any(r"\cellcolor[HTML]" in text for text in latex) and any("dagger" in text for text in latex)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on PATH")
def test_pdflatex_takes_every_table_and_none_leaves_the_page(latex, tmp_path):
    (tmp_path / "all.tex").write_text(PREAMBLE + "\\clearpage\n".join(latex) + "\\end{document}\n", encoding="utf-8")
    result = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]
    assert (tmp_path / "all.pdf").stat().st_size > 10_000
    assert not re.findall(r"Overfull \\hbox \((\d{2,}\.\d+)pt too wide\)", result.stdout), result.stdout[-3000:]

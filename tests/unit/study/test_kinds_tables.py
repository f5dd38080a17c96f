"""study.kinds.tables: what they are made of, and a user's own kind from the study file to its files."""

import csv
import io
import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages import example, in_use, study_part
from small_study import study_with

from afpbench.base.atomic import write_json
from afpbench.base.errors import DataError
from afpbench.metrics.longtable import COLUMNS, line, write_long
from afpbench.study.kinds.registry import TABLES
from afpbench.study.load import StudyError, load_study
from afpbench.study.task import Task
from afpbench.tables.build import Context
from afpbench.tables.inputs import Inputs
from afpbench.tables.render import write_files

PAGE = "how-to/add-a-table.md"
PATHS = SimpleNamespace(
    metrics="m.csv",
    statistics="s.csv",
    costs=lambda row: [f"{row}/0/cost.json", f"{row}/1/cost.json"],
    runs=lambda variant: [variant],
    synthesis_records=lambda row, chunks: [f"{row}/{chunk}.json" for chunk in range(chunks)],
)
CONTEXT = Context(["l1", "mse"], "l1", ["real_ct"], {"l1": "nnU-Net / L1", "mse": "50 % MSE_1", "real_ct": "Real CT"})
OTHER = '''
from afpbench.study.kinds import Table


class Seconds(Table):
    """Seconds of training and inference."""

    name = "seconds"
    uses = ("costs", "syntheses")

    def frame(self, inputs, context):
        import pandas as pd

        done = {row: [e["seconds"] for e in found if e["status"] == "ok"] for row, found in inputs.syntheses.items()}
        lines = {row: [cost["seconds"], len(done[row]), "n/a", None] for row, cost in inputs.costs.items()}
        return pd.DataFrame.from_dict(lines, orient="index", columns=["Training (s)", "Cases", "Note", "Nothing"])


class Wrong(Table):
    """Returns no frame, and asks for what it has not."""

    name = "wrong"
    uses = ("metrics",)
    properties = {"what": {"description": "Which mistake.", "enum": ["list", "twice", "statistics"], "default": "list"}}

    def frame(self, inputs, context):
        import pandas as pd

        if self.options["what"] == "statistics":
            return inputs.statistics
        return [1, 2] if self.options["what"] == "list" else pd.DataFrame({"a": [1, 2]}, index=["l1", "l1"])
'''


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "other.py"
    path.write_text(OTHER, encoding="utf-8")
    with in_use(example(PAGE, tmp_path), path):
        yield


def task_with(tables, root):
    return Task("lung", load_study(study_with(tables), root)["tasks"]["lung"], root)


def long_table(path):
    """RMSE of three cases; the last one of `mse` failed."""
    lines = []
    for row, values in {"l1": (1, 2, 4.25), "mse": (10, 20, math.nan), "real_ct": (0, 0, 0)}.items():
        for case, value in zip("abc", values, strict=True):
            status = "failed: no space" if np.isnan(value) else "ok"
            lines.append(line("lung", row, case, "", "body", "rmse", value, status))
            lines.append(line("lung", row, case, "", "volume", "rmse", -value, status))
    write_long(pd.DataFrame(lines, columns=list(COLUMNS)), path)
    return str(path)


# --- those built in


def test_what_they_are_made_of(tmp_path):
    tables = task_with({"a": {"columns": [{"metric": "mae"}], "rows": ["l1"]}, "b": {"kind": "cost"}}, tmp_path).tables
    assert tables["a"].inputs(PATHS, 2) == {"metrics": "m.csv", "statistics": "s.csv"}
    assert tables["b"].inputs(PATHS, 3) == {
        "costs": ["l1/0/cost.json", "l1/1/cost.json", "mse/0/cost.json", "mse/1/cost.json"],
        "syntheses": ["l1/0.json", "l1/1.json", "l1/2.json", "mse/0.json", "mse/1.json", "mse/2.json"],
    }
    assert tables["a"].columns() == [{"metric": "mae", "structure": None, "region": "body"}]
    assert tables["b"].columns() == []
    assert tables["b"].options["rows"] == ["l1", "mse"] and tables["b"].options["epochs"] == 1000


def test_the_files_of_a_row_are_told_by_their_place(tmp_path):
    files = []
    for index, seconds in enumerate((1.0, 3.0, 10.0, 20.0)):
        files.append(str(tmp_path / f"{index}.json"))
        write_json(
            tmp_path / f"{index}.json", {"seconds": seconds, "seconds_per_iteration": 1, "peak_memory_mb": index}
        )
    costs = Inputs({"costs": files}, ["l1", "mse"]).costs
    assert [(costs[row]["seconds"], costs[row]["peak_memory_mb"]) for row in costs] == [(2, 1), (15, 3)]
    costs = Inputs({"costs": files}, ["l1", "mse"], {"l1": 3}).costs  # three seeds of l1: 1 + 3 + 10 s; one of mse
    assert [(costs[row]["seconds"], costs[row]["seeds"], costs[row]["peak_memory_mb"]) for row in costs] == [
        (14, 3, 2), (20, 1, 3),
    ]  # fmt: skip
    with pytest.raises(DataError, match="(?s)the costs of 3 rows.*4 files"):
        _ = Inputs({"costs": files}, ["l1", "mse", "x"]).costs


# --- a user's own


def test_a_study_names_it(own, tmp_path):
    (part,) = study_part(PAGE)["tasks"].values()
    table = task_with(part["tables"], tmp_path).tables["extremes"]
    assert table.options == {
        "kind": "extremes",
        "metric": "rmse",
        "title": "Extremes",
        "caption": "",
        "rows": ["l1", "mse", "real_ct", "real_ct_clipped", "mr_linear", "mean_ct"],
    }


def test_its_rows_columns_and_options_are_checked(own, tmp_path):
    with pytest.raises(StudyError) as error:
        task_with({"e": {"kind": "extremes", "rows": ["l2"], "metric": "rmsee"}}, tmp_path)
    first, second = error.value.problems
    assert first.startswith("tasks.lung.tables.e.rows: no such variant or control; found: 'l2'; allowed: l1, mse, real")
    assert second.startswith("tasks.lung.tables.e.columns[0].metric: not allowed; found: 'rmsee'; allowed: mae, me")
    assert second.endswith("did you mean 'rmse'?")
    with pytest.raises(StudyError, match="tables.e.epochs: unknown key; allowed: kind, title, caption, rows, metric"):
        task_with({"e": {"kind": "extremes", "epochs": 3}}, tmp_path)
    with pytest.raises(StudyError, match="no such variant; found: 'real_ct'; allowed: l1, mse"):
        task_with({"s": {"kind": "seconds", "rows": ["real_ct"]}}, tmp_path)


def test_its_files(own, tmp_path):
    spec = {"kind": "extremes", "metric": "rmse", "caption": "", "rows": ["mse", "l1"]}
    files = TABLES.make(spec, "extremes_1").build(
        Inputs({"metrics": long_table(tmp_path / "m.csv")}, ["mse", "l1"]), CONTEXT
    )
    assert [path.name for path in write_files(files, tmp_path)] == [
        "extremes_1.csv", "extremes_1.md", "extremes_1.tex", "extremes_1.html",
    ]  # fmt: skip
    assert files["extremes_1.csv"] == (
        "row,label,Smallest,Median,Largest\nmse,50 % MSE_1,10.0,15.0,20.0\nl1,nnU-Net / L1,1.0,2.0,4.25\n"
    )
    assert files["extremes_1.md"] == (
        "**extremes\\_1.** rmse inside the body, over the test cases.\n"
        "\n"
        "| Row | Smallest | Median | Largest |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| 50 % MSE\\_1 | 10.0 | 15.0 | 20.0 |\n"
        "| nnU-Net / L1 | 1.0 | 2.0 | 4.2 |\n"
        "\n"
        "- Failed in 50 % MSE\\_1: case c: no space\n"
    )
    assert r"50 \% MSE\_1 & 10.0 & 15.0 & 20.0 \\" in files["extremes_1.tex"]
    page = re.sub(' data-label="[^"]*"', "", files["extremes_1.html"])
    assert '<tr><th scope="row">50 % MSE_1</th><td>10.0</td><td>15.0</td><td>20.0</td></tr>' in page
    assert "Failed in 50 % MSE_1: case c: no space" in files["extremes_1.html"]


def test_one_made_of_records(own, tmp_path):
    costs, records = [], []
    for row, seconds in (("l1", 7.125), ("mse", 9.0)):
        costs.append(str(tmp_path / f"cost_{row}.json"))
        records.append(str(tmp_path / f"record_{row}.json"))
        write_json(tmp_path / f"cost_{row}.json", {"seconds": seconds, "seconds_per_iteration": 1, "peak_memory_mb": 2})
        cases = [
            {"case": "a", "status": "ok", "seconds": 1.0, "peak_memory_mb": 2, "shape": [1, 1, 1]},
            {"case": "b", "status": "failed: no <space>"},
        ]
        write_json(tmp_path / f"record_{row}.json", {"cases": cases})
    spec = {"kind": "seconds", "caption": "A & B", "rows": ["l1", "mse"]}
    inputs = Inputs({"costs": costs, "syntheses": records}, ["l1", "mse"])
    files = TABLES.make(spec, "s").build(inputs, CONTEXT)
    assert "| nnU-Net / L1 | 7.125 | 1 | n/a | — |" in files["s.md"]
    assert list(csv.reader(io.StringIO(files["s.csv"])))[1:] == [
        ["l1", "nnU-Net / L1", "7.125", "1", "n/a", ""], ["mse", "50 % MSE_1", "9.0", "1", "n/a", ""],
    ]  # fmt: skip
    assert "<caption>A &amp; B</caption>" in files["s.html"] and r"\caption{A \& B}" in files["s.tex"]
    assert "- Failed in every row: case b: no \\<space>" in files["s.md"]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("list", "(?s)tables.w: `frame` did not return a table.*found: list"),
        ("twice", "(?s)tables.w: `frame` did not return a table.*a row or a column twice"),
        ("statistics", "(?s)the statistics are not among the table's files.*put 'statistics' into `uses`"),
    ],
)
def test_a_frame_that_cannot_be(own, tmp_path, what, message):
    spec = {"kind": "wrong", "what": what, "caption": "", "rows": ["l1"]}
    with pytest.raises(DataError, match=message):
        TABLES.make(spec, "w").build(Inputs({"metrics": long_table(tmp_path / "m.csv")}, ["l1"]), CONTEXT)

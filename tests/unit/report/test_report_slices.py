"""The slices to choose from in the report: what each button shows, and what is said where there are none."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from afpbench.base.atomic import write_json, write_text
from afpbench.metrics.longtable import COLUMNS
from afpbench.report.slices import slice_panels
from afpbench.study.paths import TaskPaths

LABELS = {"l1": "L1", "afp": "AFP <b>"}
LONG = pd.DataFrame([("t", "l1", "", "p1", "", "body", "mae", 61.24, "ok")], columns=list(COLUMNS))
RECORD = {
    "case": "p1", "note": "", "window_hu": [-1000, 500], "error_hu": 300,
    "planes": [
        {"plane": "axial", "slices": [3, 5, 8], "aspect": 1.5}, {"plane": "coronal", "slices": [7], "aspect": 1.2},
    ],
    "images": [
        {"what": what, "row": row, "strips": [f"{what}{row}0", f"{what}{row}1"]}
        for what, row in (("mr", ""), ("ct", ""), ("row", "l1"), ("error", "l1"))
    ],
}  # fmt: skip


@pytest.fixture
def task(tmp_path):
    return SimpleNamespace(
        name="t", long=LONG, context={"reference": "l1"}, paths=TaskPaths(str(tmp_path)), label=LABELS.get,
        spec={"figures": {"rows": ["l1", "afp", "real_ct"]}}, source=SimpleNamespace(has_ct=True, mr_channels=()),
        shown_cases=lambda: ["typical"],
    )  # fmt: skip


def panel(task, record):
    path = task.paths.slice_panel("typical")
    if isinstance(record, dict):
        write_json(path, record)
    elif record is not None:
        write_text(path, record)
    (made,) = slice_panels(task)
    return made


def test_every_row_is_shown_beside_its_error(task):
    made = panel(task, RECORD)
    assert "<h4>Slices of p1 (typical)</h4>" in made
    assert re.findall(r'data-of="Image">(.*?)<', made) == ["Real CT", "L1", "AFP &lt;b&gt;"]  # the control only once
    shown = re.findall(r'<div class="shown">(.*)</div>', made)
    assert [re.findall("<p>(.*?)</p>", part) for part in shown] == [
        ["Real CT", "MR"], ["L1", "Error, MAE 61.2 HU"], ["AFP &lt;b&gt;", "Error"],
    ]  # fmt: skip
    assert re.findall('webp;base64,(.*?)"', shown[1]) == ["rowl10", "rowl11", "errorl10", "errorl11"]
    assert shown[2].count(">missing</div>") == 4  # the file is from before this row
    assert "CT from −1000 to 500 HU" in made and "−300 HU" in made


def test_the_first_of_several_channels_is_named(task):
    task.source.mr_channels = ("ute", "t2")
    assert re.findall("<p>(.*?)</p>", panel(task, RECORD))[:2] == ["Real CT", "MR ute"]


def test_label_maps_alone_have_no_slices(task):
    task.source.has_ct = False
    assert slice_panels(task) == []


def test_without_an_mr_the_real_ct_stands_alone(task):
    made = panel(task, RECORD | {"images": RECORD["images"][1:]})
    assert re.findall("<p>(.*?)</p>", made)[:2] == ["Real CT", "L1"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "No such file or directory"),
        ("{", "it is cut off or damaged"),
        ({"case": "p1"}, "note is missing"),
        (RECORD | {"note": "the case <b> failed"}, "the case &lt;b&gt; failed"),
        (RECORD | {"case": "p2"}, "They are of another case\n  found: p2\n  expected: p1"),
        (RECORD | {"planes": RECORD["planes"][:1]}, "another version\n  found: axial\n  expected: axial, coronal"),
    ],
)
def test_a_file_that_is_missing_or_stale_is_said_to_be_missing(task, record, words):
    made = panel(task, record)
    assert made.startswith('<p class="note">Slices to choose from, case typical: missing. ') and words in made
    assert "slices.json" in made and "<img" not in made

"""The whole page from a small made-up task: what a reader must find, and that hostile names stay inert."""

import copy
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

from afpbench.base.atomic import write_json, write_text
from afpbench.figures import style
from afpbench.figures.ranks import draw_ranks, draw_wins
from afpbench.metrics.longtable import COLUMNS, write_long
from afpbench.metrics.statistics import compare, write_statistics
from afpbench.report import provenance
from afpbench.report.comparison import comparison
from afpbench.report.distrust import distrust
from afpbench.report.glance import all_claims
from afpbench.report.page import write_report
from afpbench.report.ranks import ranked, ranks_pictures
from afpbench.report.task import Task, sections

EVIL = "<script>alert(1)</script>"
CASES = [f"p{i}" for i in range(1, 9)]
SPEC = {
    "title": "Thorax & <b>more</b>",
    "data": {"source": "phantom", "region": "thorax"},
    "spacing_mm": [3.0, 1.5, 1.5],
    "splits": {"folds": None},
    "variants": {
        "l1": {
            "label": "L1",
            "generator": "nnunet",
            "init_from": None,
            "training": {"iterations": 300},
            "loss": [{"term": "l1", "weight": 1}],
        },
        "afp": {
            "label": f"AFP {EVIL}",
            "generator": "nnunet",
            "init_from": "l1",
            "training": {"iterations": 100},
            "loss": [{"term": "l1", "weight": 0.5}, {"term": "afp", "weight": 1, "networks": ["seg"]}],
        },
        "theirs": {"label": "Theirs", "synthetic": "theirs/{case}.nii.gz"},
    },
    "segmenters": {"seg": {"label": "Judge"}},
    "structures": {"bones": {"label": "Bones"}},
    "figures": {"cases": ["typical", "p8"]},
    "tables": {
        "t": {
            "kind": "scores",
            "title": "Quality",
            "rows": ["l1", "afp", "real_ct"],
            "columns": [
                {"metric": "mae", "structure": None, "region": "body"},
                {"metric": "dice", "structure": "bones", "region": "body"},
            ],
        }
    },
}
CONTEXT = {
    "reference": "l1",
    "variants": ["l1", "afp"],
    "controls": ["real_ct"],
    "labels": {"l1": "L1", "afp": f"AFP {EVIL}", "real_ct": "Real CT"},
    "alpha": 0.05,
    "missing": "penalty",
}
STUDY = {"seed": 7, "preset": None, "failed_cases": "exclude", "tasks": {"thorax": {"title": EVIL}}}


def long_table():
    """AFP is 10 to 17 HU worse than L1 in MAE and equal in Dice; the case p8 failed everywhere."""
    lines = []
    for row, offset in (("l1", 0), ("afp", 10), ("real_ct", -50)):
        for i, case in enumerate(CASES):
            failed = case == "p8"
            status = f"failed: import: {EVIL}" if failed else "ok"
            mae = np.nan if failed else 50.0 + offset + (i if offset > 0 else 0)
            lines.append(("thorax", row, "", case, "", "body", "mae", mae, status))
            empty = row == "afp" and case == "p1"
            dice = np.nan if failed else 0.0 if empty else 0.5
            status = status if failed else "synthetic_empty" if empty else "ok"
            lines.append(("thorax", row, "", case, "seg", "bones", "dice", dice, status))
    return pd.DataFrame(lines, columns=list(COLUMNS))


@pytest.fixture
def task(tmp_path):
    root = tmp_path / "results" / "thorax"
    long = long_table()
    write_long(long, root / "metrics" / "metrics.csv")
    write_statistics(compare(long, "l1", 0.05, 1, ["real_ct"]), root / "statistics" / "statistics.csv")
    write_json(root / "splits" / "splits.json", {"train": ["a", EVIL], "validation": [], "test": CASES, "unused": []})
    write_text(root / "tables" / "t.html", "<table id='t'><tr><td>the table itself</td></tr></table>")
    write_text(root / "tables" / "t_published.html", "<table><tr><td>the paper's own</td></tr></table>")
    write_text(
        root / "registration" / "registration.csv",
        "case,status,jacobian_min,contour_dice_after\na,ok,0.5,\nb,ok,0.75,\n",
    )
    text = "task,case,segmenter,structure,metric,value,status\n" + "".join(
        f"thorax,p{i},seg,bones,{m},{v},ok\n" for i, m, v in ((1, "dice", 0.8), (2, "dice", 0.9))
    )
    write_text(root / "segmenters" / "accuracy.csv", text)
    machine = {"processor": EVIL, "cores": 2, "gpu": None, "python": "3.11", "torch": "2.13"}
    cost = {
        "iterations": 300, "seconds": 61.4, "seconds_per_iteration": 0.2047, "peak_memory_mb": 812.3,
        "parameters": 1234567, "patch_size": [16, 24, 32], "batch_size": 2, "gpus": 1, "precision": "float32",
        "machine": machine,
    }  # fmt: skip
    write_json(root / "models" / "variants" / "l1" / "cost.json", cost)
    write_json(root / "cases" / "a" / "prepared" / "case.json", {"case": "a", "mr_sha256": "ab12", "ct_sha256": "cd34"})
    for words in ("before", "after"):
        with style.styled():
            picture = root / "cases" / "p4" / "registered" / f"checkerboard_{words}.png"
            style.save(style.new_figure(0.1, 0.1), [picture])
    png = root / "figures" / "typical" / "slices_axial.png"
    with style.styled():
        style.save(style.new_figure(0.2, 0.2), [png])
    return Task("thorax", root, SPEC, CONTEXT, [(png, "thorax/figures/typical/slices_axial.pdf")])


@pytest.fixture
def page(task, tmp_path):
    write_report(tmp_path / "results" / "report.html", STUDY, [task])
    return (tmp_path / "results" / "report.html").read_text()


def rows_of(page, section):
    """The rows of a section's tables as lists of texts."""
    body = re.search(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    return [[re.sub("<br>", "; ", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_nothing_can_run_and_nothing_is_requested(page):
    assert "<script" not in page and EVIL not in page
    assert "Content-Security-Policy" in page and "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="(?!data:image/(?:png|webp);base64,|#|thorax/)', page) == []
    assert "http:" not in page and "https:" not in page and "@import" not in page and "url(" not in page


def test_the_data(page):
    assert rows_of(page, "thorax-data") == [
        ["Source", "phantoms of the thorax, made by the built-in generator"],
        ["Cases", "10: 2 train, 8 test"],
        ["Voxels", "3 × 1.5 × 1.5 mm (z, y, x)"],
        ["Test cases", "p1, p2, p3, p4, p5, p6, p7, p8"],
    ]


def test_the_rows_are_told_once(page):
    assert rows_of(page, "thorax-rows") == [
        ["Row", "Generator", "Loss", "Iterations"],
        ["L1", "nnunet", "l1", "300"],
        ["AFP &lt;script&gt;alert(1)&lt;/script&gt;", "nnunet", "0.5 l1 + afp (seg), from L1", "100"],
        ["theirs", "–", "none: files theirs/{case}.nii.gz", "–"],
    ]


def test_at_a_glance(page):
    assert (
        "Of 2 metrics of the tables, 2 can be judged; there the best mean has: L1 in 2. In 0 of them that row is "
        "better than the reference row L1 with p &lt; 0.05 after Holm&#x27;s correction."
    ) in page
    nothing = ["–", "–", "no variant is better than the reference row"]
    assert rows_of(page, "thorax-glance")[1:] == [
        ["MAE (HU) ↓", "50.00", "L1", "50.00", *nothing],
        ["Dice ↑, Bones", "0.500", "L1", "0.500", *nothing],
    ]


def test_the_page_begins_with_the_answer(page):
    first = page[page.index("<main>") : page.index('<section id="question">')]
    assert '<section id="answer" class="answer"><h2>The answer</h2>' in first
    assert "<p>No row can be said to be better than L1 in any of 2 metrics.</p>" in first


def test_what_to_distrust(page):
    """Eight test cases, of which one failed; one seed; a phantom; precision as the cost record names it."""
    body = re.search(r'<section id="thorax-distrust">(.*?)</section>', page, re.DOTALL)[1]
    lines = re.findall(r"<li>(.*?)</li>", body)
    assert [line.partition(":")[0] for line in lines] == [
        "Cases that failed, in some row or in all", "8 test cases are few", "No patients", "One training per row",
        "Trained in float32",
    ]  # fmt: skip
    assert lines[0].startswith("Cases that failed, in some row or in all: p8 (")


def test_too_few_cases_for_anything_to_be_significant(task):
    """Four cases: p is at least 2 / 2**4 = 0.125; over the one row beside the reference Holm leaves it."""
    task.splits = [{**task.splits[0], "test": CASES[:4]}]
    assert "4 test cases: too few for any difference to be significant. The smallest p that 4 can give" in distrust(
        task, all_claims(task)
    )
    assert "over the other rows (1), is 0.12." in distrust(task, all_claims(task))


def test_structures_that_are_not_found_and_stand_ins_are_told(task):
    """AFP does not find the bones in two of eight cases; a judge comes with the package."""
    task.long = task.long.copy()
    afp = (task.long["variant"] == "afp") & (task.long["metric"] == "dice") & task.long["case"].isin(["p1", "p2"])
    task.long.loc[afp, ["value", "status"]] = [np.nan, "synthetic_empty"]
    judge = {"label": "Judge", "folder": "src/afpbench/pretrained/thorax_airways"}
    task.spec = {**SPEC, "segmenters": {"seg": judge}}
    words = distrust(task, all_claims(task))
    assert "Bones is not found in a quarter of the cases or more by AFP &lt;script&gt;" in words and "(25%)" in words
    assert "Judges that are stand-ins for the published networks, trained on phantoms: Judge." in words


def test_each_table_in_words(page):
    assert (
        "<li>Quality: no row can be said to be better than L1. "
        "No row has a better mean than L1 in MAE (HU) ↓; Dice ↑, Bones.</li>"
    ) in page


def test_a_column_of_several_tables_is_compared_once(task):
    columns = SPEC["tables"]["t"]["columns"]
    other = {**SPEC["tables"]["t"], "title": "Again", "columns": columns[1:]}
    task.spec = {
        **SPEC,
        "tables": {"first": {**SPEC["tables"]["t"], "columns": columns[:1]}, **SPEC["tables"], "other": other},
    }
    made = comparison(task)
    assert re.findall("<h4>(.*?)</h4>", made) == ["Quality", "Quality"]
    assert re.findall('<th scope="col">(.*?)</th>', made) == ["Row", "MAE (HU) ↓", "Row", "Dice ↑, Bones"]


def test_statistics(page):
    """Differences 10 to 16 of 7 pairs, all positive: the exact two-sided p is 2 / 2**7."""
    heads, afp, real = rows_of(page, "thorax-statistics")
    assert heads == ["Row", "MAE (HU) ↓", "Dice ↑, Bones"]
    assert re.fullmatch(r"▼ \+13.00 \[\+?1\d.00, 1\d.00\]; p 0.0156, Holm 0.0156, n 7", afp[1])
    assert afp[2].startswith("+0.000 [") and "p 1," in afp[2]
    assert real[1] == "▲ −50.00 [−50.00, −50.00]; p 0.0156, n 7"
    assert (
        '<td class="worse" data-label="MAE (HU) ↓">▼' in page and '<td class="better" data-label="MAE (HU) ↓">▲' in page
    )


def test_tables_cost_registration_segmenters(page):
    assert "the table itself" in page and "the paper's own" in page.replace("&#x27;", "'")
    assert rows_of(page, "thorax-cost")[1] == [
        "L1", "300", "61", "0.205", "812", "1,234,567", "16 × 24 × 32", "2", "1", "float32", "last epoch",
    ]  # fmt: skip
    assert rows_of(page, "thorax-registration")[1:] == [["Smallest Jacobian determinant", "0.625", "0.5", "0.75", "2"]]
    assert "p4, before registration" in page and "p4, after registration" in page  # p4 is the typical case
    assert rows_of(page, "thorax-segmenters")[1:] == [["Judge", "Bones", "Dice", "0.850", "0.800", "2"]]


def test_failures(page):
    body = re.search(r'<section id="thorax-failures">(.*?)</section>', page, re.DOTALL)[1]
    assert "Case p8 failed in every row: import: &lt;script&gt;" in body
    assert "Bones is not found in the synthetic CT in 1 of the test cases" in body


def test_slices_that_are_not_there_are_no_error(page):
    assert "Slices to choose from, case typical: missing. No such file or directory" in page
    assert "case p8: missing" not in page  # it failed, as Failures says


def test_a_study_without_failures_says_so(task, tmp_path):
    task.spec = {**SPEC, "figures": {"cases": ["best"]}}
    task.long = task.long[(task.long["case"] != "p8") & (task.long["status"] == "ok")]
    write_report(tmp_path / "other.html", STUDY, [task])
    assert "No case failed, and no structure was empty." in (tmp_path / "other.html").read_text()


def test_provenance(page):
    assert "sha256" in page and "ab12" in page and "cd34" in page
    assert "2 cores of &lt;script&gt;alert(1)&lt;/script&gt;, no GPU, Python 3.11, torch 2.13" in page
    assert "failed_cases: exclude" in page and "<th scope=\"row\">Seed</th><td>7</td>" in page  # fmt: skip


def test_the_study_file_is_written_out_without_anchors(task, tmp_path):
    training = {"iterations": 300}
    write_report(tmp_path / "report.html", STUDY | {"first": training, "second": training}, [task])
    text = (tmp_path / "report.html").read_text()
    assert "first:\n  iterations: 300\nsecond:\n  iterations: 300\n" in text and "&amp;id" not in text


def test_the_same_results_give_the_same_bytes(task, page, tmp_path):
    write_report(tmp_path / "again.html", copy.deepcopy(STUDY), [task])
    assert (tmp_path / "again.html").read_text() == page


def test_the_revision(tmp_path):
    assert provenance.git_revision(tmp_path / "nowhere").startswith("not known")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "f").write_text("1")
    for arguments in (["init", "-q"], ["add", "f"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    assert re.fullmatch("[0-9a-f]{40}", provenance.git_revision(tmp_path))
    (tmp_path / "f").write_text("2")
    assert provenance.git_revision(tmp_path).endswith(", with changes that are not committed")


def test_the_ranks_over_metrics(task, page):
    """Two metrics and two rows, seven common cases: L1 is first in MAE everywhere (p = 2 / 2**7), both share Dice."""
    assert "Ranks over the common cases of each metric that can be judged." in page
    assert "p &lt; 0.05 after Holm&#x27;s correction over 1 pair of rows in each metric." in page
    found = ranked(task, all_claims(task))
    assert (found.cases, found.pairs, found.winnable) == (7, 1, True)
    with style.styled():
        (left,), (right,) = draw_ranks(found.ranks, {"l1": "L1"}).axes, draw_wins(found.wins, ["l1", "afp"], {}).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["1  L1", "2  afp"]
    bars = [line.get_xdata()[0] for line in left.lines if line.get_linestyle() == "-"]
    assert bars == pytest.approx([(1 + 20 / 14) / 2, (2 + 22 / 14) / 2])  # p1's Dice is 0 in AFP's: 1 and 2, else 1.5
    assert [text.get_text() for text in right.texts] == ["–", "1", "0", "–"]
    task.spec = {**SPEC, "tables": {"t": {**SPEC["tables"]["t"], "columns": SPEC["tables"]["t"]["columns"][:1]}}}
    assert ranked(task, all_claims(task)) is None


def test_wins_that_no_p_can_show_are_not_drawn(task):
    """Seven cases and one pair: 2 / 2**7 is 0.016, so that with alpha 0.01 nothing can be shown."""
    task.context = CONTEXT | {"alpha": 0.01}
    made = ranks_pictures(task, all_claims(task))
    assert made.count("<figure>") == 1
    assert "over 1 pair of rows the smallest p that 7 cases can give is 0.016." in made


def test_of_several_channels_the_page_says_which_is_shown(task):
    several = copy.deepcopy(SPEC)
    several["data"]["contrasts"] = ["ute", "t2"]
    other = Task("thorax", task.root, several, CONTEXT, task.figures)
    plain, page = (sections(part, all_claims(part)) for part in (task, other))
    assert "MR channels" not in plain and "tiles of the MR and of the CT take turns" in plain
    assert "ute, t2; the CT is registered to ute, which is the MR that figures show" in page
    assert "Of the MR&#x27;s channels (ute, t2) the first is shown." in page
    assert "tiles of the MR ute and of the CT take turns" in page

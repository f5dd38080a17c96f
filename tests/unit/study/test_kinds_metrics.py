"""study.kinds.metrics: those built in, and a user's own from the study file to the table."""

import math
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from pages import example, in_use, study_part
from small_study import study_with

from afpbench.base.errors import DataError
from afpbench.metrics.evaluate import evaluate_row
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import compare
from afpbench.study import docs
from afpbench.study.kinds import Metric
from afpbench.study.kinds.contract import ExtensionError
from afpbench.study.kinds.registry import METRICS
from afpbench.study.load import StudyError, load_study
from afpbench.study.metrics import extra_metrics, family_metrics, metrics_of, score_metrics, shown
from afpbench.study.task import Task
from afpbench.tables.build import Context, build_table
from afpbench.tables.render import to_markdown
from afpbench.volumes import io

PAGE = "how-to/add-a-metric.md"
GEOMETRY = io.Geometry((10, 10, 10), (3.0, 2.0, 1.0), (0.0, 0.0, 0.0))
STRUCTURES = {
    "airways": {"segmenter": "navi", "labels": [1], "tolerance_mm": 1.0},
    "nothing": {"segmenter": "navi", "labels": [9], "tolerance_mm": 1.0},
    "vessels": {"segmenter": "navi", "labels": [2], "tolerance_mm": 1.0, "tree": True},
}
BROKEN = '''
from afpbench.study.kinds import Metric


class Raises(Metric):
    """Fails."""

    name, of = "raises", "image"

    @classmethod
    def of_image(cls, real_hu, synthetic_hu, mask, spacing_mm):
        return {}["no such key"]


class Nothing(Metric):
    """Has no value where both are there; is 1 of trees."""

    name, of = "nothing", ("structure", "tree")

    @classmethod
    def of_structure(cls, real, synthetic, spacing_mm, options):
        return 1.0 if options["tree"] else float("nan")


class OfTrees(Metric):
    """The tolerance, of trees only."""

    name, of, better, regions = "of_trees", ("tree",), "lower", ("volume",)

    @classmethod
    def of_structure(cls, real, synthetic, spacing_mm, options):
        return options["tolerance_mm"]


class Volume(Metric):
    """Of the whole volume only."""

    name, of, regions = "whole", ("image",), "volume"

    @classmethod
    def of_image(cls, real_hu, synthetic_hu, mask, spacing_mm):
        return int(mask.sum())
'''

WRONG = '''
from afpbench.study.kinds import Metric


class Wrong(Metric):
    """One attribute is wrong."""

    name = "wrong"
    better = 'higher'

    @classmethod
    def of_structure(cls, real, synthetic, spacing_mm, options):
        return 1
'''


@pytest.fixture
def own(tmp_path):
    with in_use(example(PAGE, tmp_path)):
        yield


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN, encoding="utf-8")
    with in_use(path):
        yield


def study_with_columns(columns):
    return study_with({"errors": {"columns": columns}})


def make_case(root, case, row, error_hu, shift):
    """A real CT of 0 HU, in a row's one z slice of the body too high; an airway of 2 x 2 x 2 voxels, moved along y."""
    real, synthetic, mask = np.zeros((3, *GEOMETRY.shape), np.int16)
    mask[:5], synthetic[0] = 1, error_hu
    maps = np.zeros((2, *GEOMETRY.shape), np.uint8)
    maps[0][2:4, 2:4, 2:4], maps[1][2:4, 2 + shift : 4 + shift, 2:4] = 1, 1
    for labels in maps:
        labels[2, 8, :] = 2  # a vessel along x
    folders = {"cases": f"{case}/prepared/ct", "mask": f"{case}/prepared/mask"}
    images = {
        f"cases/{folders['cases']}": real, f"cases/{folders['mask']}": mask.astype(np.uint8),
        f"synthetic/{row}/{case}": synthetic,
        f"segmentations/navi/ct/{case}": maps[0], f"segmentations/navi/{row}/{case}": maps[1],
    }  # fmt: skip
    for name, array in images.items():
        io.write(io.Volume(array, GEOMETRY), root / f"{name}.nii.gz")


def long_of(root, metrics, rows=(("l1", 100, 1), ("mse", 200, 3)), **options):
    tables = []
    for row, error, shift in rows:
        for case in ("a", "b"):
            make_case(root, case, row, error, shift)
        tables.append(evaluate_row(root, "lung", row, ["a", "b"], STRUCTURES, metrics=metrics, **options))
    return pd.concat(tables, ignore_index=True)


def values(long, metric, structure, row="l1", column="value"):
    lines = long[(long["metric"] == metric) & (long["structure"] == structure) & (long["variant"] == row)]
    return lines[column].tolist()


# --- those built in


def test_the_families_are_what_was_always_computed():
    assert family_metrics("image") == ["mae", "me", "rmse", "psnr", "ssim", "ms_ssim", "checkerboard"]
    assert family_metrics("structure") == [
        "dice", "nsd", "hd95", "assd", "asd_real_to_synthetic", "asd_synthetic_to_real", "volume_error", "me",
    ]  # fmt: skip
    assert family_metrics("tree") == ["tree_length", "branches", "branch_count", "leakage"]
    assert family_metrics("uncertainty") == ["uncertainty_spearman", "uncertainty_ause"]
    assert family_metrics("uncalibrated") == ["mae_uncalibrated", "me_uncalibrated"]


@pytest.mark.parametrize("name", METRICS.names())
def test_a_metric_says_who_computes_it(name):
    """Its family, or, of one that is computed by itself, what its method calls."""
    metric = METRICS[name]
    module, _, function = (metric.family or metric.implementation).partition(":")
    assert callable(getattr(import_module(module), function)) and metric.label
    assert metric.code() == ((module,) if metric.family else (module, metric.__module__))


def test_scores_of_each_direction():
    assert [METRICS[name].arrow() for name in ("dice", "mae", "me")] == ["↑", "↓", "→0"]
    assert [METRICS[name].score(-3) for name in ("dice", "mae", "me")] == [-3, 3, -3]
    assert [METRICS[name].compared(-3) for name in ("dice", "mae", "me")] == [-3, -3, 3]


def test_costs_are_metrics_that_no_column_can_name():
    assert [metric.name for metric in metrics_of("cost")] == [
        "training_vram_mb", "iteration_seconds", "training_hours", "inference_vram_mb", "inference_seconds",
    ]  # fmt: skip
    assert set(METRICS) - set(score_metrics()) == {metric.name for metric in metrics_of("cost")}


def test_the_reference_describes_every_metric():
    text = docs.render()
    assert all(f"`{name}` " in text for name in score_metrics())


# --- a user's own


def test_a_study_names_them(own, tmp_path):
    (part,) = study_part(PAGE)["tasks"].values()
    study = load_study(study_with(part["tables"]), tmp_path)
    task = Task("lung", study["tasks"]["lung"], tmp_path)
    assert extra_metrics(task) == ["p95_error", "centroid_distance"]
    said = {"label": "P95 error", "better": "lower", "decimals": 1, "unit": "HU", "penalty": None}
    assert shown(["p95_error"]) == {"p95_error": said}
    assert METRICS["p95_error"].code() == (METRICS["p95_error"].__module__,)


def test_without_the_file_they_are_unknown(tmp_path):
    with pytest.raises(StudyError, match=r"columns\[0\].metric: not allowed; found: 'p95_error'; allowed: mae, me"):
        load_study(study_with_columns([{"metric": "p95_error"}]), tmp_path)


def test_what_is_built_in_adds_nothing(tmp_path):
    study = load_study(study_with_columns([{"metric": "mae"}, {"metric": "me", "structure": "airways"}]), tmp_path)
    assert extra_metrics(Task("lung", study["tasks"]["lung"], tmp_path)) == []


def test_a_column_is_checked_as_any_other(own, tmp_path):
    columns = [{"metric": "p95_error", "structure": "airways"}, {"metric": "centroid_distance"}]
    with pytest.raises(StudyError) as error:
        load_study(study_with_columns(columns), tmp_path)
    assert error.value.problems == [
        "tasks.lung.tables.errors.columns[0].structure: has no effect, since 'p95_error' is computed of the image; "
        "hint: remove it",
        "tasks.lung.tables.errors.columns[1].structure: missing, 'centroid_distance' is computed per structure; "
        "allowed: airways, vessels",
    ]


def test_values_by_hand(own, tmp_path):
    long = long_of(tmp_path, ["p95_error", "centroid_distance"])
    assert values(long, "p95_error", "body") == [100, 100]  # a fifth of the body's voxels
    assert values(long, "p95_error", "volume") == [100, 100]  # a tenth of all
    assert values(long, "centroid_distance", "airways") == [2, 2]  # one voxel of 2 mm along y
    assert values(long, "centroid_distance", "airways", "mse") == [6, 6]
    assert values(long, "centroid_distance", "nothing", column="status") == ["both_empty"] * 2
    assert all(math.isnan(value) for value in values(long, "centroid_distance", "nothing"))


def test_the_lines_of_those_built_in_do_not_change(own, tmp_path):
    with_own, without = long_of(tmp_path, ["p95_error", "centroid_distance"]), long_of(tmp_path, [])
    builtin = with_own[~with_own["metric"].isin(["p95_error", "centroid_distance"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(builtin, without)


def test_a_failed_case_keeps_their_lines(own, tmp_path):
    long = long_of(tmp_path, ["p95_error", "centroid_distance"], failed={"b": "no space"}, out=tmp_path / "row.csv")
    assert values(long, "p95_error", "body", column="status") == ["ok", "failed: no space"]
    assert values(long, "centroid_distance", "airways", column="status") == ["ok", "failed: no space"]
    assert long[long["variant"] == "l1"]["case"].value_counts().nunique() == 1
    assert len(read_long(tmp_path / "row.csv")) == len(long) / 2


def test_statistics_and_a_table_go_by_its_direction(own, tmp_path):
    long = long_of(tmp_path, ["p95_error"])
    statistics = compare(long, "l1")
    line = statistics[(statistics["metric"] == "p95_error") & (statistics["structure"] == "body")].iloc[0]
    assert (line["variant"], line["direction"], line["median_difference"]) == ("mse", "worse", 100)
    columns = [{"metric": "p95_error", "structure": None, "region": "body"}]
    text = to_markdown(build_table("errors", {"columns": columns}, long, statistics, Context(["l1", "mse"], "l1")))
    assert "| Row | P95 error (HU) ↓ | n |" in text
    assert "| l1 | 100.0 ± 0.0 | 2 |" in text and "| mse | 200.0 ± 0.0 | 2 |" in text  # two cases: no best


def test_one_without_a_value_says_so(broken, tmp_path):
    long = long_of(tmp_path, ["nothing", "of_trees"], out=tmp_path / "row.csv")
    assert values(long, "nothing", "airways", column="status") == ["no_value"] * 2
    assert values(long, "nothing", "vessels") == [1, 1]
    assert values(long, "of_trees", "vessels") == [1, 1] and values(long, "of_trees", "airways") == []


def test_one_that_fails_is_named_with_its_case(broken, tmp_path):
    with pytest.raises(DataError, match="(?s)case a, row l1, body: the metric 'raises' failed.*no such key.*Raises"):
        long_of(tmp_path, ["raises"])


def test_a_region_that_it_is_not_taken_in(broken, tmp_path):
    assert values(long_of(tmp_path, ["whole"]), "whole", "volume") == [1000, 1000]
    with pytest.raises(StudyError, match="'whole' is taken over the whole volume only; hint: write region: volume"):
        load_study(study_with_columns([{"metric": "whole"}]), tmp_path)


def test_of_trees_only_is_told_in_planning(broken, tmp_path):
    with pytest.raises(StudyError, match="'of_trees' is computed of trees only; found: 'airways'"):
        load_study(study_with_columns([{"metric": "of_trees", "structure": "airways"}]), tmp_path)


@pytest.mark.parametrize(
    ("attribute", "problem"),
    [
        ("better = 'bigger'", "better: not allowed; found: 'bigger'; allowed: higher, lower, zero"),
        ("of = ('structures',)", "of: not allowed; found: 'structures'; allowed: image, mr, structure, tree; did you"),
        ("regions = 'head'", "regions: not allowed; found: 'head'; allowed: body, volume"),
        ("penalty = 'largest'", "penalty: not allowed; found: 'largest'; allowed: a number, or diagonal"),
        ("of = ('image', 'tree')", "a method is missing: of_image(real_hu, synthetic_hu, mask, spacing_mm)"),
    ],
)
def test_a_class_that_cannot_be_is_told_when_it_is_read(tmp_path, attribute, problem):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG.replace("better = 'higher'", attribute), encoding="utf-8")
    with pytest.raises(ExtensionError) as error, in_use(path):
        pass
    assert [str(line).startswith(f"extensions: {path}: class Wrong: {problem}") for line in error.value.problems] == [
        True
    ]


def test_a_word_is_as_good_as_a_tuple():
    class Own(Metric):
        """For this test."""

        name, of, regions = "own", "image", "body"

    assert (Own.of, Own.regions, Own.label) == (("image",), ("body",), "own")


def test_the_code_of_one_with_an_implementation_is_both():
    class Called(Metric):
        """For this test."""

        name, implementation = "called", "afpbench.metrics.surface:bounding_box"

    assert Called.code() == ("afpbench.metrics.surface", __name__)

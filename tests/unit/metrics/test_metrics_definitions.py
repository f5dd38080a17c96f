import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.metrics.definitions import DEFINITIONS
from afpbench.metrics.edges import CLASSES, edge_metrics, hd95_of_edges, synthrad2025_scores
from afpbench.metrics.evaluate import Structure, evaluate_pair
from afpbench.metrics.image import image_metrics
from afpbench.metrics.pair import Pair
from afpbench.metrics.surface import structure_metrics
from afpbench.study import schema
from afpbench.volumes import io


def monai_scores(real, synthetic, spacing_mm, classes):
    """SynthRAD2025's loop over MONAI's metrics, from its description."""
    import torch
    from monai.metrics import DiceMetric, HausdorffDistanceMetric

    dice, hausdorff = (
        DiceMetric(include_background=True),
        HausdorffDistanceMetric(include_background=True, percentile=95),
    )
    for label in classes:
        first, second = (torch.from_numpy((label_map == label)[None, None]) for label_map in (synthetic, real))
        if second.any():
            dice(first, second)
            hausdorff(first, second, spacing=spacing_mm)
    return {"dice": dice.aggregate().item(), "hd95": hausdorff.aggregate().item()}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.tuples(*[st.integers(2, 12)] * 3),
    st.tuples(*[st.floats(0.5, 4.0)] * 3),
    st.sampled_from(sorted(CLASSES)),
)
def test_synthrad2025s_scores_are_monais(seed, shape, spacing_mm, region):
    generator = np.random.default_rng(seed)
    choice = generator.choice([*CLASSES[region], 1, 60], 4)  # few classes, some not scored, some in one map only
    real, synthetic = (generator.choice([0, *choice], shape).astype(np.uint8) for _ in range(2))
    real[real == choice[0]], synthetic[synthetic == choice[1]] = 0, 0
    real.flat[0] = synthetic.flat[-1] = CLASSES[region][0]
    expected = monai_scores(real, synthetic, spacing_mm, CLASSES[region])
    assert synthrad2025_scores(real, synthetic, spacing_mm, region) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_class_that_the_synthetic_ct_lacks_counts_and_one_that_the_real_ct_lacks_does_not():
    real, synthetic = np.zeros((2, 9, 9, 9), np.uint8)
    real[2:5, 2:5, 2:5], synthetic[2:5, 2:5, 3:6] = 5, 5
    synthetic[7, 7, 7] = 2
    scores = synthrad2025_scores(real, synthetic, (2.0, 1.0, 1.0), "abdomen")
    assert scores == {"dice": pytest.approx(2 / 3), "hd95": 1.0}
    assert scores == pytest.approx(monai_scores(real, synthetic, (2.0, 1.0, 1.0), CLASSES["abdomen"]), abs=1e-6)
    real[0, 0, 0] = 3
    scores = synthrad2025_scores(real, synthetic, (2.0, 1.0, 1.0), "abdomen")
    assert scores == {"dice": pytest.approx(1 / 3), "hd95": 1.0}
    assert scores == pytest.approx(monai_scores(real, synthetic, (2.0, 1.0, 1.0), CLASSES["abdomen"]), abs=1e-6)
    nothing = synthrad2025_scores(np.zeros_like(real), synthetic, (2.0, 1.0, 1.0), "thorax")
    assert math.isnan(nothing["dice"]) and math.isnan(nothing["hd95"])


def test_the_classes_are_the_challenges():
    assert len(CLASSES["abdomen"]) == len(CLASSES["thorax"]) == 4 + 5 + 25 + 2 + 25
    assert CLASSES["head_and_neck"][:4] == (15, 16, 17, 26) and CLASSES["head_and_neck"][-3:] == (79, 90, 91)


def test_hd95_of_edges_by_hand():
    """Rods of 5 voxels, 2 apart along z: every voxel is an edge and lies 2 x 3 mm from the other rod."""
    real, synthetic = np.zeros((2, 5, 5, 5), bool)
    real[1, 2], synthetic[3, 2] = True, True
    assert hd95_of_edges(real, synthetic, (3.0, 1.0, 1.0)) == 6.0
    synthetic[3, 2, 1:] = False  # one voxel: the others of the real rod lie 1, 2, 3 and 4 mm farther along x
    expected = np.percentile(np.hypot(6.0, np.arange(5)), 95)
    assert hd95_of_edges(real, synthetic, (3.0, 1.0, 1.0)) == pytest.approx(expected, abs=1e-12)


def test_an_edge_voxel_has_a_face_beside_the_background():
    cube = np.ones((5, 5, 5), bool)  # all but the middle 3 x 3 x 3, which lies at most 1 from an edge
    small = np.zeros_like(cube)
    small[2, 2, 2] = True
    distances = np.linalg.norm(np.argwhere(np.pad(np.zeros((3, 3, 3), bool), 1, constant_values=True)) - 2, axis=1)
    assert len(distances) == 98
    assert hd95_of_edges(cube, small, (1, 1, 1)) == pytest.approx(np.percentile(distances, 95), abs=1e-12)


def test_empty_masks_follow_synthrad2025():
    full, empty = np.ones((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    values = edge_metrics(full, empty, (1, 1, 1), 1)
    assert (values["status"], values["dice"]) == ("synthetic_empty", 0) and math.isnan(values["hd95"])
    values = edge_metrics(empty, full, (1, 1, 1), 1)
    assert values["status"] == "real_empty" and math.isnan(values["dice"]) and math.isnan(values["hd95"])
    assert edge_metrics(empty, empty, (1, 1, 1), 1)["status"] == "both_empty"
    both = edge_metrics(full, full, (1, 1, 1), 1)
    assert both == structure_metrics(full, full, (1, 1, 1), 1)


def test_the_study_file_has_these_definitions():
    assert schema.task_schema()["properties"]["definition"]["enum"] == list(DEFINITIONS)


def metal(shape=(9, 9, 9)):
    """One voxel of 3500 HU that the synthetic CT shows as 3200, another of 100 that it shows as 0."""
    real, synthetic = np.zeros((2, *shape))
    real[4, 4, 4], synthetic[4, 4, 4], real[4, 4, 5] = 3500, 3200, 100
    return real, synthetic


@pytest.mark.parametrize(
    ("name", "mae", "me", "squares", "width"),
    [
        ("afpbench", 100, -100, 100**2, 4024),  # both clipped to 3000
        ("synthrad2023", 400, -400, 100**2, 4024),
        ("synthrad2025_metrics", 400, -400, 100**2, 4024),
        ("synthrad2025_evaluation", 400, -400, 100**2, 4095),
    ],
)
def test_what_the_definitions_change_in_images(name, mae, me, squares, width):
    real, synthetic = metal()
    definition = DEFINITIONS[name]
    values = image_metrics(real, synthetic, None, definition.clip_hu, clips_errors=definition.clips_errors)["volume"]
    assert values["mae"] == pytest.approx(mae / 729, abs=1e-12)
    assert values["me"] == pytest.approx(me / 729, abs=1e-12)
    assert values["rmse"] == pytest.approx(math.sqrt(squares / 729), abs=1e-12)
    assert values["psnr"] == pytest.approx(10 * math.log10(width**2 * 729 / squares), abs=1e-9)


def test_the_wider_range_is_worth_0_15_decibels_where_nothing_is_clipped():
    generator = np.random.default_rng(0)
    real = generator.uniform(-900, 1000, (20, 20, 20))
    narrow, wide = (
        image_metrics(real, real + generator.normal(0, 50, real.shape) * 0 + 30, None, DEFINITIONS[name].clip_hu)
        for name in ("synthrad2025_metrics", "synthrad2025_evaluation")
    )
    assert wide["volume"]["psnr"] - narrow["volume"]["psnr"] == pytest.approx(20 * math.log10(4095 / 4024), abs=1e-9)
    assert wide["volume"]["ms_ssim"] != narrow["volume"]["ms_ssim"]


def test_a_pair_is_evaluated_by_the_definition_that_is_asked_for():
    geometry = io.Geometry((9, 9, 9), (3.0, 1.0, 1.0))
    real, synthetic = (io.Volume(image, geometry) for image in metal())
    labels = np.zeros((2, 9, 9, 9), np.uint8)
    labels[0, 2:7, 2:7, 2:7], labels[1, 4, 4, 4] = 1, 1
    pair = Pair("p01", real, synthetic, None, {"ts": tuple(io.Volume(values, geometry) for values in labels)})
    structures = [Structure("a", "ts", (1,), 2.0), Structure("b", "ts", (2,), 2.0)]
    found = {}
    for name, definition in DEFINITIONS.items():
        lines = evaluate_pair(pair, "t", "r", structures, definition=definition)
        found[name] = {(line["structure"], line["metric"]): line["value"] for line in lines}
        assert [line["status"] for line in lines if line["structure"] == "b"] == ["both_empty"] * 8
    by_area, by_voxel = (found[name]["a", "hd95"] for name in ("afpbench", "synthrad2025_metrics"))
    assert by_area == structure_metrics(*(values == 1 for values in labels), (3, 1, 1), 2)["hd95"]
    assert by_voxel == hd95_of_edges(*(values == 1 for values in labels), (3, 1, 1)) != by_area
    assert found["synthrad2023"]["a", "hd95"] == by_area
    assert found["synthrad2023"]["volume", "mae"] == pytest.approx(400 / 729)
    assert found["synthrad2025_evaluation"]["a", "dice"] == found["afpbench"]["a", "dice"] == 2 / 126

"""The agreement of a synthetic CT with its MR, and a row by the real CT of another task."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from afpbench.metrics.evaluate import evaluate_row
from afpbench.metrics.mr_edges import mr_edge_dice
from afpbench.volumes import io

SPACING_MM = (2.0, 1.0, 1.0)
GRID = io.Geometry((10, 24, 24), SPACING_MM, (0.0, 0.0, 0.0))


def field(seed, shape=(24, 32, 32)):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return 100 * noise / np.abs(noise).max()


def test_edges_of_any_contrast_agree_where_the_borders_do():
    """In -300 to 200 HU the gray curve is a straight line, so that an MR of inverted contrast has the same edges."""
    hu, everywhere = field(0), np.ones((24, 32, 32), bool)
    assert mr_edge_dice(1000 - 3 * hu, hu, everywhere, SPACING_MM) > 0.97  # but for the MR's few clipped voxels
    assert mr_edge_dice(1000 - 3 * np.roll(hu, 8, axis=2), hu, everywhere, SPACING_MM) < 0.3
    assert mr_edge_dice(1000 - 3 * field(1), hu, everywhere, SPACING_MM) < 0.3
    thin = np.zeros_like(everywhere)
    thin[10:13] = True
    assert np.isnan(mr_edge_dice(hu, hu, thin, SPACING_MM))


def make_task(root, real_hu, synthetic_hu, label, mr=None):
    """A case whose real CT has the value real_hu, and `label` in half of it, where the synthetic CT has label 1."""
    half = np.zeros(GRID.shape, np.uint8)
    half[:, :12] = 1
    prepared = root / "cases/p1/prepared"
    images = {
        prepared / "ct.nii.gz": np.full(GRID.shape, real_hu, np.int16),
        prepared / "mask.nii.gz": np.ones(GRID.shape, np.uint8),
        prepared / "covered.nii.gz": np.ones(GRID.shape, np.uint8),
        root / "synthetic/l1/p1.nii.gz": synthetic_hu.astype(np.int16),
        root / "segmentations/ts/ct/p1.nii.gz": half * label,
        root / "segmentations/ts/l1/p1.nii.gz": half,
        **({prepared / "mr.nii.gz": mr.astype(np.float32)} if mr is not None else {}),
    }
    for path, array in images.items():
        io.write(io.Volume(array, GRID), path)
    return root


def value(long, metric):
    (found,) = long.loc[(long["metric"] == metric) & long["structure"].isin(["body", "bones"]), "value"]
    return found


def test_a_row_is_compared_with_the_real_ct_of_another_task(tmp_path):
    flat = np.full(GRID.shape, 10)
    own, other = make_task(tmp_path / "own", 0, flat, 1), make_task(tmp_path / "other", 30, flat + 500, 2)
    bones = {"bones": {"segmenter": "ts", "labels": [1], "tolerance_mm": 1.0}}
    alone, against = (evaluate_row(own, "own", "l1", ["p1"], bones, real_root=root) for root in (None, other))
    assert (value(alone, "mae"), value(alone, "dice")) == (10, 1)
    assert (value(against, "mae"), value(against, "dice")) == (20, 0)  # labels of the other task's real CT
    assert set(against["task"]) == {"own"} and "mr_edges" not in set(against["metric"])


def test_the_agreement_with_the_mr_is_computed_where_it_is_asked_for(tmp_path):
    hu = field(2, GRID.shape)
    root = make_task(tmp_path, 0, hu, 1, mr=500 - 2 * hu)
    long = evaluate_row(root, "own", "l1", ["p1"], {}, metrics=["mr_edges"])
    assert value(long, "mr_edges") > 0.9 and value(long, "mae") == pytest.approx(np.abs(np.trunc(hu)).mean())
    failed = evaluate_row(root, "own", "l1", ["p1", "p2"], {}, metrics=["mr_edges"], failed={"p2": "no MR"})
    assert failed.loc[failed["metric"] == "mr_edges", "status"].tolist() == ["ok", "failed: no MR"]

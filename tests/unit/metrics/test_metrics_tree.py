import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.metrics.surface import bounding_box
from afpbench.metrics.tree import branches_of, centreline, step_lengths_mm, tree_metrics
from afpbench.volumes import io


def a_y(shape=(24, 21, 21)):
    """A Y drawn by hand, one voxel thin: a stem of 9 voxels along z, a fork, and two diagonal arms of 7."""
    line = np.zeros(shape, bool)
    line[2:12, 10, 10] = True
    for i in range(1, 9):
        line[11 + i, 10, 10 + i] = line[11 + i, 10, 10 - i] = True
    return line


def test_the_branches_of_a_y():
    line = a_y()
    branches, count = branches_of(line)
    assert count == 3
    # the last voxel of the stem has three neighbours: it is the branching point, no branch
    assert branches[11, 10, 10] == 0
    assert sorted(np.bincount(branches.ravel())[1:]) == [8, 8, 9]


def test_lengths_are_in_mm():
    line = np.zeros((9, 9, 9), bool)
    line[1:7, 4, 4] = True
    assert step_lengths_mm(line, (2.5, 1, 1)).sum() == pytest.approx(6 * 2.5)
    diagonal = np.zeros((9, 9, 9), bool)
    for i in range(1, 7):
        diagonal[i, i, 4] = True
    assert step_lengths_mm(diagonal, (3, 4, 1)).sum() == pytest.approx(6 * 5)
    alone = np.zeros((3, 3, 3), bool)
    alone[1, 1, 1] = True
    assert step_lengths_mm(alone, (1, 2, 3)).sum() == 2


def test_a_tree_without_one_arm():
    """The stem runs along z, an arm along z and x: a voxel of an arm stands for sqrt(2) mm."""
    real = a_y()
    synthetic = real.copy()
    synthetic[12:, 10, 11:] = False
    values = tree_metrics(real, synthetic, (1, 1, 1))
    length = step_lengths_mm(real, (1, 1, 1))
    assert values["tree_length"] == pytest.approx(1 - length[12:, 10, 11:].sum() / length.sum())
    assert values["tree_length"] == pytest.approx(1 - 8 * math.sqrt(2) / length.sum())
    assert values["branches"] == pytest.approx(2 / 3) and values["branch_count"] == 2
    assert values["leakage"] == 0


@pytest.mark.parametrize(("kept", "detected"), [(7, True), (6, False)])  # 7 / 8 is at least 0.8, 6 / 8 is not
def test_a_branch_is_detected_from_four_fifths_on(kept, detected):
    real = a_y()
    synthetic = real.copy()
    synthetic[12 + kept :, 10, 11:] = False
    assert tree_metrics(real, synthetic, (1, 1, 1))["branch_count"] == 2 + detected


def test_leakage_is_what_lies_outside():
    real = a_y()
    synthetic = real.copy()
    synthetic[2, 0, :9] = True
    assert tree_metrics(real, synthetic, (1, 1, 1))["leakage"] == pytest.approx(9 / (9 + real.sum()))


def test_a_thick_tube_is_thinned_to_one_branch():
    mask = np.zeros((30, 11, 11), bool)
    z, y, x = np.ogrid[:30, :11, :11]
    mask[(z > 1) & (z < 28) & ((y - 5) ** 2 + (x - 5) ** 2 <= 9)] = True
    line = centreline(mask)
    assert (line & ~mask).sum() == 0 and branches_of(line)[1] == 1
    assert line.sum(axis=(1, 2)).max() == 1
    assert tree_metrics(mask, mask, (1, 1, 1)) == {"tree_length": 1, "branches": 1, "branch_count": 1, "leakage": 0}


def test_empty_structures():
    real, empty = a_y(), np.zeros((24, 21, 21), bool)
    lost = tree_metrics(real, empty, (1, 1, 1))
    assert (lost["tree_length"], lost["branches"], lost["branch_count"]) == (0, 0, 0) and math.isnan(lost["leakage"])
    invented = tree_metrics(empty, real, (1, 1, 1))
    assert invented["leakage"] == 1 and math.isnan(invented["tree_length"]) and math.isnan(invented["branches"])
    assert all(math.isnan(value) for value in tree_metrics(empty, empty, (1, 1, 1)).values())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.9))
def test_any_mask_against_itself_is_found_whole(seed, share):
    mask = np.random.default_rng(seed).random((6, 7, 8)) < share
    mask[3, 3, 3] = True
    values = tree_metrics(mask, mask, (1, 2, 0.5))
    assert values["tree_length"] == 1 and values["branches"] == 1 and values["leakage"] == 0
    assert values["branch_count"] >= 1


def test_a_real_airway_tree_with_and_without_its_thin_branches(real_data):
    """Opening by one voxel takes the thin branches away: the tree gets shorter, and nothing leaks."""
    from scipy import ndimage

    path = next(iter(sorted((real_data / "lung").rglob("*airway_tree*.nii.gz"))), None)
    if path is None:
        pytest.skip("no airway tree in the real data")
    volume = io.read(path)
    mask = volume.array[::3, ::3, ::3] > 0.5
    mask = mask[bounding_box(mask)]
    thick = ndimage.binary_opening(mask, ndimage.generate_binary_structure(3, 1))
    spacing_mm = [3 * s for s in volume.spacing_mm]
    whole, opened = tree_metrics(mask, mask, spacing_mm), tree_metrics(mask, thick, spacing_mm)
    assert whole["tree_length"] == 1 and whole["branch_count"] > 20
    assert 0.1 < opened["tree_length"] < 0.9 and opened["branch_count"] < whole["branch_count"]
    assert opened["leakage"] == 0

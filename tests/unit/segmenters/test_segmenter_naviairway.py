"""afpbench.segmenters.naviairway: crops, union, post-processing."""

import numpy as np
import pytest
import torch
from naviairway_file import save

from afpbench.base.errors import DataError
from afpbench.segmenters import naviairway
from afpbench.study.kinds.registry import SEGMENTERS
from afpbench.volumes.io import Geometry, Volume


def starts(shape):
    return [tuple(part.start for part in place) for place in naviairway.windows(shape)]


def test_crops_of_a_volume():
    places = list(naviairway.windows((40, 128, 200)))
    assert {tuple(part.stop - part.start for part in place) for place in places} == {(32, 128, 128)}
    # Every 16, 64 and 64 voxels, moved back where a crop would leave the volume.
    assert sorted({s[0] for s in starts((40, 128, 200))}) == [0, 8]
    assert [s[2] for s in starts((32, 128, 200))][:4] == [0, 64, 72, 72]
    covered = np.zeros((40, 128, 200), bool)
    for place in places:
        covered[place] = True
    assert covered.all()


def test_crops_are_halved_until_they_fit():
    places = list(naviairway.windows((20, 70, 128)))
    assert tuple(part.stop - part.start for part in places[0]) == (16, 64, 128)
    assert sorted({s[:2] for s in starts((20, 70, 128))}) == [(0, 0), (0, 6), (4, 0), (4, 6)]
    with pytest.raises(DataError, match=r"(?s)the CT is too small.*found: \(7, 70, 128\).*at least 8"):
        list(naviairway.windows((7, 70, 128)))


class Constant(torch.nn.Module):
    """Calls the airway's probability 0.8 for its first crop, 0.4 for all others; remembers its inputs."""

    def __init__(self):
        super().__init__()
        self.inputs = []

    def forward(self, x):
        self.inputs.append(x)
        value = 0.8 if len(self.inputs) == 1 else 0.4
        return torch.stack([torch.full_like(x[:, 0], 1 - value), torch.full_like(x[:, 0], value)], 1)


def test_overlapping_crops_are_averaged_with_what_was_there():
    network = Constant()
    ct = np.random.default_rng(0).normal(-500, 300, (20, 8, 8))
    found = naviairway.probability(network, ct, "cpu")
    # Crops of 16 slices from 0 and from 4: slices 0 to 3 belong to the first alone.
    np.testing.assert_allclose(found[:4], 0.8, rtol=1e-6)
    np.testing.assert_allclose(found[4:16], 0.6, rtol=1e-6)
    np.testing.assert_allclose(found[16:], 0.4, rtol=1e-6)
    for x in network.inputs:
        assert x.shape == (1, 1, 16, 8, 8) and x.min() == 0 and float(np.percentile(x, 99)) == pytest.approx(255)


def tree(*boxes, shape=(40, 24, 24)):
    array = np.zeros(shape, bool)
    for z, y, x in boxes:
        array[slice(*z), slice(*y), slice(*x)] = True
    return array


TRUNK = ((0, 16), (10, 13), (10, 13))


def test_the_largest_piece_is_kept_and_filled():
    small, hollow = ((30, 33), (2, 5), (2, 5)), tree(TRUNK)
    hollow[8, 11, 11] = False
    found = naviairway.largest_tree(hollow | tree(small))
    assert np.array_equal(found, tree(TRUNK))
    assert not naviairway.largest_tree(np.zeros((4, 4, 4), bool)).any()
    assert not naviairway.post_process(np.zeros((4, 4, 4), bool), np.ones((4, 4, 4))).any()


def test_a_broken_branch_is_found_again_at_a_lower_threshold():
    """Behind the trunk's end, two slices of 0.1 and then a thin branch of 0.42, with more voxels than the trunk has."""
    trunk, branch, far = tree(TRUNK), tree(((18, 22), (2, 22), (2, 22))), tree(((36, 40), (0, 24), (0, 24)))
    probabilities = np.where(trunk, 0.9, np.where(branch | far, 0.42, 0.1))
    found = naviairway.post_process(trunk, probabilities)
    near = tree(((0, 24), (0, 24), (0, 24)))
    assert found[trunk].all() and found[branch & near].any()
    assert not found[far].any()  # more than 10 voxels from the end
    assert not found[~(trunk | branch)].any()


def test_what_is_less_likely_than_the_lowest_threshold_stays_out():
    trunk, branch = tree(TRUNK), tree(((18, 22), (2, 22), (2, 22)))
    found = naviairway.post_process(trunk, np.where(trunk, 0.9, np.where(branch, 0.38, 0.1)))
    assert np.array_equal(found, trunk)


def test_ends_of_a_centreline():
    line = np.zeros((5, 5, 5), bool)
    line[1:4, 2, 2] = True
    assert np.argwhere(naviairway.centreline_ends(line)).tolist() == [[1, 2, 2], [3, 2, 2]]


def test_two_checkpoints_segment_as_one(tmp_path):
    paths = [save(tmp_path / f"{seed}.pkl", seed) for seed in (0, 1)]
    array = np.random.default_rng(1).normal(-600, 300, (16, 16, 16)).astype(np.float32)
    ct = Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0)))
    labels = SEGMENTERS.make({"kind": "naviairway", "weights": paths}).open(tmp_path, "cpu", 1)(ct)
    assert labels.shape == array.shape and labels.dtype == np.uint8 and set(np.unique(labels)) <= {0, 1}
    networks = [naviairway_network(path) for path in paths]
    maps = [naviairway.probability(network, array, "cpu") for network in networks]
    expected = naviairway.post_process((maps[0] > 0.5) | (maps[1] > 0.5), (maps[0] + maps[1]) / 2)
    assert np.mean(labels != expected) < 1e-3  # another kernel of the same convolution may round a tie otherwise


def naviairway_network(path):
    from afpbench.features.naviairway import load_naviairway

    return load_naviairway(path)

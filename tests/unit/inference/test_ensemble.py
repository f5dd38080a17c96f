import numpy as np
import pytest
import torch

from afpbench.inference.ensemble import Ensemble, Spread, flips, mean

MR = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
LINE = {"slope": 0.5, "offset_hu": -7.0}


class Slanted:
    """The MR times a factor, and a ramp along z and x."""

    device, patch, options, patches = torch.device("cpu"), (2, 3, 4), {"overlap": 0.5, "fusion": "median"}, 3

    def __init__(self, factor=1.0):
        self.factor = np.float32(factor)

    def __call__(self, mr):
        z, _, x = np.indices(mr.shape, dtype=np.float32)
        return self.factor * mr + 10 * z + x


def test_one_network_is_itself_to_the_last_bit():
    ensemble = Ensemble([(Slanted(), None)])
    made = ensemble(MR)
    assert np.array_equal(made.hu, Slanted()(MR)) and made.hu.dtype == np.float32
    assert made.uncalibrated_hu is None and made.sd_hu is None
    assert ensemble.record() == {
        "patches": 3, "device": "cpu", "patch_size": [2, 3, 4], "overlap": 0.5, "fusion": "median", "mirror": [],
    }  # fmt: skip


def test_members_are_calibrated_before_they_are_combined():
    members = [(Slanted(1), None), (Slanted(2), LINE), (Slanted(5), None)]
    made = [Slanted(1)(MR), 0.5 * Slanted(2)(MR) - 7, Slanted(5)(MR)]
    assert np.allclose(Ensemble(members)(MR).hu, sum(made) / 3, atol=1e-4)
    assert np.allclose(Ensemble(members, combine="median")(MR).hu, np.median(made, axis=0))
    ensemble = Ensemble(members)
    assert ensemble(MR).hu.dtype == np.float32
    assert ensemble.record() | {"patches": 3 * 3, "networks": 3, "combine": "mean"} == ensemble.record()


def test_what_was_before_a_calibration_is_combined_in_the_same_way():
    ensemble = Ensemble([(Slanted(1), LINE), (Slanted(3), {"slope": 1.5, "offset_hu": 9.0})])
    made = ensemble(MR)
    assert np.allclose(made.uncalibrated_hu, (Slanted(1)(MR) + Slanted(3)(MR)) / 2)
    assert ensemble.record()["calibration"] == {"slope": 1.0, "offset_hu": 1.0}  # the mean of both lines


def looks_by_hand(network, axes):
    return np.flip(network(np.flip(MR, axes)), axes)


def test_networks_on_mirror_images_and_their_spread():
    """Two networks, one of them calibrated, each on the MR and on its image along x: four volumes."""
    ensemble = Ensemble([(Slanted(1), None), (Slanted(2), LINE)], mirror=["x"], uncertainty=True)
    made = ensemble(MR)
    first = [looks_by_hand(Slanted(1), axes) for axes in ((), (2,))]
    second = [0.5 * looks_by_hand(Slanted(2), axes) - 7 for axes in ((), (2,))]
    assert np.allclose(made.hu, np.mean([*first, *second], axis=0), atol=1e-4)
    assert np.allclose(made.sd_hu, np.std([*first, *second], axis=0, ddof=1), atol=1e-3)
    assert made.sd_hu.dtype == np.float32 and made.sd_hu.shape == MR.shape
    record = ensemble.record()
    assert (record["patches"], record["mirror"], record["networks"], record["uncertainty"]) == (12, ["x"], 2, True)


def test_the_median_of_networks_is_over_their_own_means():
    members = [(Slanted(factor), None) for factor in (1, 2, 9)]
    means = [np.mean([looks_by_hand(network, axes) for axes in ((), (0,))], axis=0) for network, _ in members]
    assert np.allclose(Ensemble(members, ["z"], "median")(MR).hu, np.median(means, axis=0), atol=1e-4)


def test_a_spread_by_hand():
    """1, 2 and 6: mean 3, squared differences 4 + 1 + 9 over 2; three equal values have none."""
    spread = Spread()
    for values in ([1, 1000], [2, 1000], [6, 1000]):
        spread.add(np.array(values, np.float32))
    assert spread.sd() == pytest.approx([7**0.5, 0])
    with pytest.raises(ValueError, match="over 1 volumes"):
        one = Spread()
        one.add(MR)
        one.sd()


def test_every_combination_of_axes():
    assert flips([]) == [()] and flips(["x"]) == [(), (-1,)]
    assert flips(["z", "x"]) == [(), (-3,), (-1,), (-3, -1)] and len(flips("zyx")) == 8


def test_the_mean_of_one_volume_is_that_volume():
    assert mean([MR]) is MR


def test_another_way_to_combine():
    with pytest.raises(KeyError):
        Ensemble([(Slanted(), None)], combine="mode")(MR)

import numpy as np
import pytest
import torch

from afpbench.inference.ensemble import Ensemble, mean

MR = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


class Slanted:
    """The MR times a factor, and a ramp along z and x."""

    device, patch, options, patches = torch.device("cpu"), (2, 3, 4), {"overlap": 0.5}, 3

    def __init__(self, factor=1.0):
        self.factor = np.float32(factor)

    def __call__(self, mr):
        z, _, x = np.indices(mr.shape, dtype=np.float32)
        return self.factor * mr + 10 * z + x


def test_one_network_is_itself_to_the_last_bit():
    ensemble = Ensemble([(Slanted(), None)])
    assert np.array_equal(ensemble(MR), Slanted()(MR)) and ensemble(MR).dtype == np.float32
    assert (ensemble.patches, ensemble.patch, ensemble.options) == (3, (2, 3, 4), {"overlap": 0.5})


def test_members_are_calibrated_before_they_are_combined():
    members = [(Slanted(1), None), (Slanted(2), {"slope": 0.5, "offset_hu": -7.0}), (Slanted(5), None)]
    made = [Slanted(1)(MR), 0.5 * Slanted(2)(MR) - 7, Slanted(5)(MR)]
    assert np.allclose(Ensemble(members)(MR), sum(made) / 3, atol=1e-4)
    assert np.allclose(Ensemble(members, "median")(MR), np.median(made, axis=0))
    ensemble = Ensemble(members)
    assert ensemble(MR).dtype == np.float32 and ensemble.patches == 3 * 3


def test_the_mean_of_one_volume_is_that_volume():
    assert mean([MR]) is MR


def test_another_way_to_combine():
    with pytest.raises(KeyError):
        Ensemble([(Slanted(), None)], "mode")

"""afpbench.inference.volume: each patch goes through the network once, and its output is fused where it lies."""

import numpy as np
import pytest
import torch

from afpbench.inference import fusion
from afpbench.inference.volume import predict_volume

PATCH = (4, 5, 6)


class Numbered(torch.nn.Module):
    """Adds to the n-th patch n: each patch's output is another, also where patches show the same voxels."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        self.seen += 1
        return x + self.seen


@pytest.mark.parametrize("shape", [(4, 5, 6), (9, 11, 8), (6, 5, 17)])
@pytest.mark.parametrize("method", ["median", "mean"])
def test_the_outputs_are_fused_where_their_patches_lie(shape, method):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    network, count = Numbered(), 0

    def one_by_one(start):
        nonlocal count
        count += 1
        return image[tuple(slice(s, s + p) for s, p in zip(start, PATCH, strict=True))] + np.float32(count)

    found, patches = predict_volume(network, image, PATCH, 0.5, method, torch.device("cpu"), None)
    assert np.array_equal(found, fusion.fuse(one_by_one, shape, PATCH, 0.5, method))
    assert patches == network.seen == count


class Weighted(torch.nn.Module):
    """The first channel plus ten times the second."""

    def forward(self, x):
        return x[:, :1] + 10 * x[:, 1:]


def test_channels_are_cut_and_padded_each_by_its_darkest_value():
    image = np.random.default_rng(0).random((2, 9, 4, 8), dtype=np.float32)
    found, patches = predict_volume(Weighted(), image, PATCH, 0.5, "mean", torch.device("cpu"), None)
    assert patches > 1 and np.allclose(found, image[0] + 10 * image[1], atol=1e-5)

    class Seen(Weighted):
        def forward(self, x):
            self.corner = x[0, :, 0, 0, 0].tolist()
            return super().forward(x)

    network = Seen()
    predict_volume(network, image[:, :4, :2, :3], PATCH, 0.5, "mean", torch.device("cpu"), None)
    assert network.corner == [image[0, :4, :2, :3].min(), image[1, :4, :2, :3].min()]

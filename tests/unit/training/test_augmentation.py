"""What patches look like where they leave the volume, and where they are turned."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform

from afpbench.training import augmentation
from afpbench.training.trainers import nnUNetTrainerTranslation as translation

SIZE = 8
ROTATION = (-0.5, 0.5)


def patch(outside=slice(0, 3)):
    """Two images and a body as nnU-Net's loader leaves them: MR 1 with a dark voxel of -2, CT 3, zeros outside."""
    image = torch.ones(2, SIZE, SIZE, SIZE)
    image[1], image[0, 5, 5, 5] = 3, -2
    segmentation = torch.ones(2, SIZE, SIZE, SIZE, dtype=torch.int16)
    image[:, outside], segmentation[:, outside] = 0, -1
    return {"image": image, "segmentation": segmentation}


def transforms(kind, what="training", dummy_2d=False):
    trainer = SimpleNamespace(settings={"training": {"augmentation": kind}}, regions=[])
    if what == "validation":
        return translation.nnUNetTrainerTranslation.get_validation_transforms(trainer)
    size = (SIZE,) * 3
    return translation.nnUNetTrainerTranslation.get_training_transforms(trainer, size, ROTATION, None, None, dummy_2d)


@pytest.mark.parametrize("dummy_2d", [False, True])
def test_a_turned_patch_is_valid_only_where_nothing_beside_the_real_ct_was_mixed_in(dummy_2d):
    """CT 3 in the volume, zeros outside and -9 where it has no data: a valid voxel of any turned patch is 3."""
    np.random.seed(0)
    turn, shares = transforms("spatial", dummy_2d=dummy_2d), []
    for _ in range(60):
        data = patch()
        data["image"][1, :, -2:], data["segmentation"][:, :, -2:] = -9, -1
        found = turn(**data)
        image, valid = found["image"], found["segmentation"][0] >= 0
        assert image.shape == (2, SIZE, SIZE, SIZE) and found["segmentation"].shape == (1, SIZE, SIZE, SIZE)
        assert torch.allclose(image[1][valid], torch.tensor(3.0), atol=0.02)
        assert image[0].min() >= -2.001 and image[0].max() <= 1.001
        shares.append(valid.float().mean().item())
    assert len({round(share, 4) for share in shares}) > 5  # some are turned, some scaled
    assert shares.count(5 * 6 * 8 / SIZE**3) > 10  # and the others are as they were


class TwiceAndOneMore(BasicTransform):
    def apply(self, data_dict, **params):
        data_dict["image"][0] = 2 * data_dict["image"][0] + 1
        return data_dict


@pytest.mark.parametrize(
    ("kind", "what", "dark"), [("full", "training", -3), ("none", "training", -2), ("none", "validation", -2)]
)
def test_padding_is_as_dark_as_the_darkest_voxel_whatever_changes_intensities(monkeypatch, kind, what, dark):
    monkeypatch.setattr(translation, "spatial_transforms", lambda *options: [])
    monkeypatch.setattr(translation, "MRIntensityTransform", TwiceAndOneMore)
    found = transforms(kind, what)(**patch())
    assert found["image"][0, :3].unique().tolist() == [dark] == [found["image"][0].min()]
    assert found["image"][0, 3:].unique().numel() == 2 and (found["image"][1, 3:] == 3).all()


def test_an_mr_without_ct_is_no_padding():
    """Where the CT has no data the body is -1 too, but the MR is there."""
    data = patch(outside=slice(0, 0))
    data["segmentation"][:, -1], data["image"][1, -1] = -1, -4
    image = data["image"].clone()
    assert torch.equal(augmentation.FillPadding()(**data)["image"], image)

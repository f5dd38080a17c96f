"""What patches look like where they leave the volume, and where they are turned."""

from types import SimpleNamespace

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


def transforms(kind, what="training"):
    trainer = SimpleNamespace(settings={"training": {"augmentation": kind}}, regions=[])
    if what == "validation":
        return translation.nnUNetTrainerTranslation.get_validation_transforms(trainer)
    size = (SIZE,) * 3
    return translation.nnUNetTrainerTranslation.get_training_transforms(trainer, size, ROTATION, None, None, False)


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

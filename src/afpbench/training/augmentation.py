"""nnU-Net's augmentation in parts: rotation and scaling alone, and intensity changes on the MR's channels alone."""

import math

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform


def spatial_transforms(patch_size, rotation, dummy_2d: bool) -> list[BasicTransform]:
    """nnU-Net's rotation and scaling at its default rates, images and label map together, padding labelled -1.

    patch_size: z, y, x. dummy_2d: for very anisotropic patches, within the slices only. There is no mirroring: left
    and right are different structures for the networks that look at the result.
    """
    spatial = SpatialTransform(
        patch_size[1:] if dummy_2d else patch_size,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_elastic_deform=0,
        p_rotation=0.2,
        rotation=rotation,
        p_scaling=0.2,
        scaling=(0.7, 1.4),
        p_synchronize_scaling_across_axes=1,
        bg_style_seg_sampling=False,
        border_mode_seg="constant",
        padding_value_seg=-1,
    )
    return [Convert3DTo2DTransform(), spatial, Convert2DTo3DTransform()] if dummy_2d else [spatial]


KNOWN = 0.999  # share of known voxels in an interpolated one, 1 up to rounding


class SpatialOfKnown(BasicTransform):
    """Spatial transforms after which a voxel is valid only where all that it was interpolated from is.

    Otherwise a turned patch mixes zeros, the mean of a normalised CT, into the voxels at the border of the volume, and
    air into those at the border of what the CT covers, and a loss takes the mixture for the real CT.
    """

    def __init__(self, transforms: list[BasicTransform]):
        super().__init__()
        self.transforms = transforms

    def apply(self, data_dict: dict, **params) -> dict:
        """Change `image` (MR's channels, CT) and `segmentation`, whose first channel (the body) becomes -1 where not
        valid.

        What comes from beyond the patch is as dark as the darkest value of each channel of the MR.
        """
        image, labels = data_dict["image"], data_dict["segmentation"]
        dark = image[:-1].amin(dim=(1, 2, 3), keepdim=True)
        known = (labels[:1] >= 0).to(image.dtype)
        data_dict["image"] = torch.cat([image[:-1] - dark, image[-1:], known])  # beyond the patch all of them are 0
        for transform in self.transforms:
            data_dict = transform(**data_dict)
        mr, ct, known = data_dict["image"].split([len(dark), 1, 1])
        labels = data_dict["segmentation"]
        labels[:1] = torch.where(known > KNOWN, labels[:1], -1)
        return {**data_dict, "image": torch.cat([mr + dark, ct]), "segmentation": labels}


class FillPadding(BasicTransform):
    """Where a patch leaves the volume, each channel of the MR becomes its darkest value in the patch, as in synthesis.

    nnU-Net's loader leaves zeros there, the mean of a normalised MR. They can be told from tissue only as long as no
    change of intensities has touched them.
    """

    def apply(self, data_dict: dict, **params) -> dict:
        """Fill `image` but for its last (the CT) where all are 0 and `segmentation[0]` (the body) is negative."""
        image, outside = data_dict["image"], data_dict["segmentation"][0] < 0
        if outside.any():
            for channel in image:
                outside &= channel == 0
        if outside.any():
            for mr in image[:-1]:  # masked: to pick voxels out by an index takes twice as long
                mr.masked_fill_(outside, float(mr.masked_fill(outside, math.inf).min()))
        return data_dict


class MRIntensityTransform(BasicTransform):
    """Noise, blur, brightness, contrast and gamma at nnU-Net's default rates, applied to the channels of the MR.

    The CT in the last channel is a target in HU and keeps its values.
    """

    def __init__(self):
        super().__init__()
        noise = GaussianNoiseTransform(noise_variance=(0, 0.1), p_per_channel=1, synchronize_channels=True)
        blur = GaussianBlurTransform(
            blur_sigma=(0.5, 1.0), synchronize_channels=False, synchronize_axes=False, p_per_channel=0.5
        )
        brightness = MultiplicativeBrightnessTransform(
            multiplier_range=BGContrast((0.75, 1.25)), synchronize_channels=False, p_per_channel=1
        )
        contrast = ContrastTransform(
            contrast_range=BGContrast((0.75, 1.25)), preserve_range=True, synchronize_channels=False, p_per_channel=1
        )
        gamma = GammaTransform(
            gamma=BGContrast((0.7, 1.5)),
            p_invert_image=0,
            synchronize_channels=False,
            p_per_channel=1,
            p_retain_stats=1,
        )
        rates = ((noise, 0.1), (blur, 0.2), (brightness, 0.15), (contrast, 0.15), (gamma, 0.3))
        self.transforms = [RandomTransform(transform, apply_probability=rate) for transform, rate in rates]

    def apply(self, data_dict: dict, **params) -> dict:
        """Change all but the last of `image` (the MR), leave that (CT)."""
        image = data_dict["image"]
        mr = {"image": image[:-1].clone()}
        for transform in self.transforms:
            mr = transform(**mr)
        image[:-1] = mr["image"]
        data_dict["image"] = image
        return data_dict

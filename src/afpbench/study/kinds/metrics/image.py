"""Metrics of the whole image, all computed together. docs/reference/metrics.md has the formulas."""

from typing import ClassVar

from ..metric import Metric


class ImageMetric(Metric):
    """A metric of the whole image."""

    of: ClassVar[tuple[str, ...]] = ("image",)
    family: ClassVar[str] = "afpbench.metrics.image:image_metrics"
    citation: ClassVar[str] = "Thummerer et al., SynthRAD2023 Grand Challenge dataset, Medical Physics 50 (2023)"


class Mae(ImageMetric):
    """Mean absolute error."""

    name, label, better, decimals, unit = "mae", "MAE", "lower", 2, "HU"


class Me(ImageMetric):
    """Mean error (bias); of a structure inside the real one."""

    name, label, better, decimals, unit = "me", "ME", "zero", 2, "HU"
    of = ("image", "structure")


class Rmse(ImageMetric):
    """Root mean squared error."""

    name, label, better, decimals, unit = "rmse", "RMSE", "lower", 2, "HU"


class Psnr(ImageMetric):
    """Peak signal-to-noise ratio."""

    name, label, better, decimals, unit = "psnr", "PSNR", "higher", 2, "dB"


class Ssim(ImageMetric):
    """Structural similarity."""

    name, label, better, decimals = "ssim", "SSIM", "higher", 3
    citation = "Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE TIP 2004"


class MsSsim(ImageMetric):
    """Multi-scale structural similarity."""

    name, label, better, decimals = "ms_ssim", "MS-SSIM", "higher", 3
    citation = "Wang et al., Multiscale structural similarity for image quality assessment, Asilomar 2003"


class Checkerboard(ImageMetric):
    """Strength of patterns of period 2 and 4 voxels in the synthetic CT alone."""

    name, label, better, decimals, unit = "checkerboard", "Checkerboard", "lower", 2, "HU"
    family = "afpbench.metrics.checkerboard:checkerboard"
    citation = "Odena et al., Deconvolution and checkerboard artifacts, Distill 2016"


class UncalibratedMetric(Metric):
    """A metric of rows with `hu_calibration`, before it."""

    of: ClassVar[tuple[str, ...]] = ("uncalibrated",)
    regions: ClassVar[tuple[str, ...]] = ("body",)
    family: ClassVar[str] = "afpbench.metrics.evaluate:calibration_lines"


class MaeUncalibrated(UncalibratedMetric):
    """MAE before a row's HU calibration."""

    name, label, better, decimals, unit = "mae_uncalibrated", "MAE before calibration", "lower", 2, "HU"


class MeUncalibrated(UncalibratedMetric):
    """ME before a row's HU calibration."""

    name, label, better, decimals, unit = "me_uncalibrated", "ME before calibration", "zero", 2, "HU"

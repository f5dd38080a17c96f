"""Every metric's name, direction and format, and those of costs. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric as tables and statistics see it.

    better: `higher`, `lower`, or `zero` (a signed error: the smaller its absolute value, the better).
    decimals: digits after the point in tables for people. unit: "" for a ratio.
    """

    key: str
    label: str
    better: str
    decimals: int
    unit: str = ""

    @property
    def arrow(self) -> str:
        """↑, ↓ or →0: where the better values lie."""
        return {"higher": "↑", "lower": "↓", "zero": "→0"}[self.better]

    def score(self, value):
        """A number (or array) that is higher where the metric is better."""
        return {"higher": value, "lower": -value, "zero": -abs(value)}[self.better]

    def compared(self, value):
        """The value that the statistics compare: itself, and for a signed error its absolute value."""
        return abs(value) if self.better == "zero" else value


IMAGE_METRICS = ("mae", "me", "rmse", "psnr", "ssim", "ms_ssim", "checkerboard")
UNCALIBRATED_METRICS = {"mae_uncalibrated": "mae", "me_uncalibrated": "me"}
CALIBRATION_FIGURES = ("calibration_slope", "calibration_offset_hu")  # in the long table; nothing to compare or to show
STRUCTURE_METRICS = (
    "dice", "nsd", "hd95", "assd", "asd_real_to_synthetic", "asd_synthetic_to_real", "volume_error", "me",
)  # fmt: skip
TREE_METRICS = ("tree_length", "branches", "branch_count", "leakage")
REGIONS = ("body", "volume")

METRICS = {
    metric.key: metric
    for metric in (
        Metric("mae", "MAE", "lower", 2, "HU"),
        Metric("me", "ME", "zero", 2, "HU"),
        Metric("rmse", "RMSE", "lower", 2, "HU"),
        Metric("psnr", "PSNR", "higher", 2, "dB"),
        Metric("ssim", "SSIM", "higher", 3),
        Metric("ms_ssim", "MS-SSIM", "higher", 3),
        Metric("checkerboard", "Checkerboard", "lower", 2, "HU"),
        Metric("mae_uncalibrated", "MAE before calibration", "lower", 2, "HU"),
        Metric("me_uncalibrated", "ME before calibration", "zero", 2, "HU"),
        Metric("dice", "Dice", "higher", 3),
        Metric("nsd", "NSD", "higher", 3),
        Metric("hd95", "HD95", "lower", 2, "mm"),
        Metric("assd", "ASSD", "lower", 2, "mm"),
        Metric("asd_real_to_synthetic", "ASD real to synthetic", "lower", 2, "mm"),
        Metric("asd_synthetic_to_real", "ASD synthetic to real", "lower", 2, "mm"),
        Metric("volume_error", "Volume error", "zero", 1, "mL"),
        Metric("tree_length", "Tree length detected", "higher", 3),
        Metric("branches", "Branches detected", "higher", 3),
        Metric("branch_count", "Branch count", "higher", 1),
        Metric("leakage", "Leakage", "lower", 3),
    )
}

COST_METRICS = {
    metric.key: metric
    for metric in (
        Metric("training_vram_mb", "Memory", "lower", 0, "MB"),
        Metric("iteration_seconds", "Iteration", "lower", 3, "s"),
        Metric("training_hours", "Time", "lower", 2, "h"),
        Metric("inference_vram_mb", "Memory", "lower", 0, "MB"),
        Metric("inference_seconds", "Time per case", "lower", 1, "s"),
    )
}

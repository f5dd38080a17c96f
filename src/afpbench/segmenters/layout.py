"""Where TotalSegmentator keeps its models under a weights folder. Standard library only."""

from pathlib import Path

LAYOUT = {
    "fast": (
        "Dataset297_TotalSegmentator_total_3mm_1559subj",
        "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres",
    ),
    "fastest": (
        "Dataset298_TotalSegmentator_total_6mm_1559subj",
        "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres",
    ),
}


def model_folder(weights: Path, task: str) -> Path:
    """Where TotalSegmentator looks for the model of `total` with --fast or --fastest under a weights folder."""
    return weights.joinpath(*LAYOUT[task])

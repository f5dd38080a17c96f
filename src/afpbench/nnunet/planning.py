"""A dataset in nnU-Net's raw layout, nnU-Net's own fingerprint and plan for it, under our limits.

The planner is nnU-Net's: topology and patch size follow from spacing, image size and a memory budget. What
differs from its defaults is said in the study file: the budget, the number of features, the batch size, and
the target spacing, which is always the study's (every case lies on it already).
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..base.atomic import write_json
from ..base.errors import DataError
from . import deferred, environment

PLANS = "nnUNetPlans"
CONFIGURATION = "3d_fullres"
# Foreground values that the statistics of intensity are taken from, over all cases. nnU-Net draws ten times as many,
# with replacement, from however few there are: that alone takes seconds and gigabytes for the smallest dataset.
FOREGROUND_VALUES = 10_000_000


def write_raw_dataset(
    folder: Path,
    images: dict[str, list[Path]],
    labels: dict[str, Path],
    channels: Sequence[str],
    classes: dict[str, int],
    reader: str = "SimpleITKIO",
) -> None:
    """Lay out `imagesTr`, `labelsTr` and `dataset.json`; the images are links to where they are.

    images: case id -> NIfTI file of each channel. labels: case id -> NIfTI file. channels: their names decide nnU-Net's
    normalisation ("CT" or other).
    classes: name -> label value, without background. reader: nnU-Net's reader; "NibabelIOWithReorient" turns images to
    RAS before the network sees them, as TotalSegmentator does.
    """
    if set(images) != set(labels) or not images:
        raise DataError(
            f"training set {folder.name}: images and labels do not pair up",
            found=f"{len(images)} images, {len(labels)} label maps",
            expected="the same cases in both, and at least one",
            hint="look for failed cases in the logs of the earlier steps",
        )
    parts = [
        ("imagesTr", f"_{n:04d}", {case: paths[n] for case, paths in images.items()}) for n in range(len(channels))
    ]
    for sub, suffix, files in (*parts, ("labelsTr", "", labels)):
        (folder / sub).mkdir(parents=True, exist_ok=True)
        for case, path in files.items():
            link = folder / sub / f"{case}{suffix}.nii.gz"
            link.unlink(missing_ok=True)
            link.symlink_to(Path(path).resolve())
    content = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": {"background": 0, **classes},
        "numTraining": len(images),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": reader,
    }
    write_json(folder / "dataset.json", content)


def plan(dataset_name: str, planner: dict, patch_size, spacing_mm) -> dict:
    """Run nnU-Net's fingerprint extraction and planner on a raw dataset; write and return its plans.

    planner: {encoder, memory_gb, base_features, max_features, blocks_per_stage, residual_blocks, decoder_blocks,
    batch_size}.
    patch_size: "auto" or [z, y, x] voxels.
    spacing_mm: z, y, x. Needs `environment.use_nnunet` with raw and preprocessed folders.
    """
    with deferred.deferred_imports(deferred.TRAINING):
        from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor

        planner_class = _planner_class(planner)
    raw = Path(os.environ["nnUNet_raw"]) / dataset_name
    preprocessed = Path(os.environ["nnUNet_preprocessed"]) / dataset_name
    extractor = DatasetFingerprintExtractor(dataset_name, 1, verbose=False)
    extractor.show_progress_bar = False
    extractor.num_foreground_voxels_for_intensitystats = FOREGROUND_VALUES
    with environment.one_worker():
        extractor.run(overwrite_existing=True)
    shutil.copyfile(raw / "dataset.json", preprocessed / "dataset.json")
    plans = planner_class(dataset_name, planner, patch_size, spacing_mm).plan_experiment()
    return plans


def _planner_class(options: dict):
    class Planner(_nnunet_planner(options)):  # type: ignore[misc]
        """nnU-Net's planner with the study's budget, features, depths, batch size and, if given, patch size."""

        def __init__(self, dataset_name: str, options: dict, patch_size, spacing_mm):
            super().__init__(
                dataset_name,
                gpu_memory_target_in_gb=options["memory_gb"],
                plans_name=PLANS,
                overwrite_target_spacing=[float(s) for s in spacing_mm],
                suppress_transpose=True,
            )
            self.options = options
            self.given_patch_size = None if patch_size == "auto" else tuple(patch_size)
            self.UNet_base_num_features = options["base_features"]
            self.UNet_max_features_3d = options["max_features"]
            encoder, decoder = _depths(options)
            stages = len(vars(self)["UNet_blocks_per_stage_encoder"])
            self.UNet_blocks_per_stage_encoder = _stretched(encoder, stages)
            self.UNet_blocks_per_stage_decoder = _stretched(decoder, stages)
            self.lowres_creation_threshold = 0  # one configuration: there is no cascade here

        def get_plans_for_configuration(self, spacing, median_shape, *args):
            shape, budget = median_shape, self.UNet_vram_target_GB
            if self.given_patch_size is not None and len(spacing) == 3:
                # nnU-Net clips the first patch to the image: an image of the given size, and no budget, give it.
                shape, self.UNet_vram_target_GB = self.given_patch_size, 1e6
            plans = super().get_plans_for_configuration(spacing, shape, *args)
            self.UNet_vram_target_GB = budget
            plans["median_image_size_in_voxels"] = median_shape
            plans["batch_size"] = self.options["batch_size"]
            return plans

    return Planner


def _nnunet_planner(options: dict) -> type:
    """The planner of nnU-Net whose networks have the encoder asked for, and whose budget is the nearest."""
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import residual_encoder_unet_planners as res

    if options["encoder"] == "plain":
        return ExperimentPlanner
    presets = {8: res.nnUNetPlannerResEncM, 24: res.nnUNetPlannerResEncL, 40: res.nnUNetPlannerResEncXL}
    found: type = presets.get(options["memory_gb"], res.ResEncUNetPlanner)
    return found


def _depths(options: dict) -> tuple[list[int], list[int]]:
    """Blocks or convolutions of each stage of encoder and decoder."""
    if options["encoder"] == "plain":
        return [options["blocks_per_stage"]], [options["blocks_per_stage"]]
    return options["residual_blocks"], options["decoder_blocks"]


def _stretched(depths: list[int], stages: int) -> tuple[int, ...]:
    """So many depths, the last one repeated."""
    return (*depths, *[depths[-1]] * stages)[:stages]

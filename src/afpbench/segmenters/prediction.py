"""Segment CT volumes with a frozen segmenter; the network is loaded once for all cases of a job."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from ..base import hardware
from ..base.errors import ModelError
from ..base.log import tools
from ..nnunet import environment
from ..nnunet.deferred import deferred_imports
from ..nnunet.trainers import short_search
from ..study.kinds.segmenter import Segment
from ..study.kinds.segmenters.totalsegmentator import LAYOUT, model_folder
from ..volumes import io
from ..volumes.labels import read_labels

PREDICTOR = ("nnunetv2.inference.predict_from_raw_data", "nnunetv2.training.nnUNetTrainer.nnUNetTrainer")


def _check(folder: Path) -> None:
    """Refuse a folder that is not a model folder, and a checkpoint that holds more than tensors and plain types."""
    found = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    missing = [name for name in ("plans.json", "dataset.json") if not (folder / name).is_file()]
    if missing or not found:
        raise ModelError(
            f"{folder} is not an nnU-Net v2 model folder",
            found=f"no {', '.join(missing + ([] if found else ['fold_*/checkpoint_final.pth']))}",
            expected="plans.json, dataset.json and fold_*/checkpoint_final.pth",
            hint="give the folder named Trainer__Plans__configuration, not the one above it",
        )
    from ..features.checkpoints import COMPILED, is_compiled, read_checkpoint
    from ..features.nnunet import foreground_properties, read_model_folder

    for path in found:
        if is_compiled(read_checkpoint(path)):
            raise ModelError(
                f"a checkpoint of a network in torch.compile: {path}",
                found=f"names of weights with {COMPILED}",
                expected="the names that nnU-Net itself stores",
                hint=f"take {COMPILED!r} out of the keys of network_weights and save the checkpoint again",
            )
    foreground_properties(read_model_folder(folder))


def _import(*modules: str) -> None:
    """Import the modules that predict, without what they import for other work."""
    with deferred_imports():
        for module in modules:
            import_module(module)


def _predictor(predictor_class, device, tile_step):
    return predictor_class(
        tile_step_size=tile_step,
        use_gaussian=True,
        use_mirroring=True,
        perform_everything_on_device=device.type == "cuda",
        device=device,
        allow_tqdm=False,
    )


def open_nnunet(
    folder: Path, folds: Sequence[int] | None, device: str, threads: int, tile_step: float = 0.5
) -> Segment:
    """Load an nnU-Net v2 model folder; return a function from a CT volume (HU) to a label map (z, y, x) on its grid.

    folds: those whose outputs are averaged; None for all that have weights. tile_step: from a tile of the volume to the
    next, in tiles. Raises ModelError for a folder that is not one.
    """
    environment.use_nnunet()
    hardware.set_threads(threads)
    _import(*PREDICTOR)
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    tools("nnunetv2", "torch")
    _check(folder)
    predictor = _predictor(nnUNetPredictor, hardware.device(device), tile_step)
    with short_search():
        predictor.initialize_from_trained_model_folder(str(folder), use_folds=tuple(folds) if folds else None)
    hardware.fast_convolutions(predictor.network)

    def segment(ct: io.Volume) -> np.ndarray:
        # Through files and nnU-Net's own reader: a folder may want another orientation than ours.
        with tempfile.TemporaryDirectory(prefix="afpbench-nnunet-") as temporary:
            ending = predictor.dataset_json["file_ending"]
            source = Path(temporary) / f"ct_0000{ending}"
            io.write(ct.with_array(io.save_hu(ct.array)), source)
            predictor.predict_from_files_sequential([[str(source)]], [str(Path(temporary) / "segmentation")])
            result = read_labels(Path(temporary) / f"segmentation{ending}", f"output of {folder}")
        return _on_grid(result, ct.geometry)

    return segment


def open_totalsegmentator(weights: Path, task: str, device: str, threads: int) -> Segment:
    """The same with the TotalSegmentator package. weights: its folder of weights. task: total, fast or fastest."""
    environment.use_nnunet()
    hardware.set_threads(threads)
    chosen = hardware.device(device)
    tools("TotalSegmentator", "nnunetv2", "torch")
    if task in LAYOUT:
        _check(model_folder(weights, task))

    def segment(ct: io.Volume) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="afpbench-totalsegmentator-") as temporary:
            source, target = Path(temporary) / "ct.nii.gz", Path(temporary) / "segmentation.nii.gz"
            io.write(ct.with_array(io.save_hu(ct.array)), source)
            with _home_without_statistics(weights, Path(temporary)), _in_this_process(threads):
                from totalsegmentator.python_api import totalsegmentator

                totalsegmentator(
                    source,
                    target,
                    ml=True,
                    fast=task == "fast",
                    fastest=task == "fastest",
                    device="gpu" if chosen.type == "cuda" else "cpu",
                    nr_thr_resamp=1,
                    nr_thr_saving=1,
                )
            result = read_labels(target, "TotalSegmentator's output")
        return _on_grid(result, ct.geometry)

    return segment


def _on_grid(result: io.Volume, geometry: io.Geometry) -> np.ndarray:
    """nnU-Net and TotalSegmentator keep the grid; NIfTI's float32 header only rounds it."""
    if result.array.shape != geometry.shape:
        raise ModelError("the segmenter changed the grid", found=result.array.shape, expected=geometry.shape)
    if result.array.max() > 255:
        raise ModelError("the segmenter's labels", found=f"a label of {result.array.max()}", expected="0 to 255")
    return result.array.astype(np.uint8)


@contextlib.contextmanager
def _home_without_statistics(weights: Path, temporary: Path) -> Iterator[None]:
    """TotalSegmentator's own folder for the time of a call: the given weights, and no usage statistics sent."""
    home = temporary / "home"
    home.mkdir(exist_ok=True)
    config = {"totalseg_id": "afpbench", "send_usage_stats": False, "prediction_counter": 0}
    (home / "config.json").write_text(json.dumps(config))
    before = {name: os.environ.get(name) for name in ("TOTALSEG_HOME_DIR", "TOTALSEG_WEIGHTS_PATH")}
    os.environ["TOTALSEG_HOME_DIR"], os.environ["TOTALSEG_WEIGHTS_PATH"] = str(home), str(weights.resolve())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _half(logits):
    """nnU-Net sums the logits of all patches in half precision, and a GPU hands them over in it; so does a CPU here.

    Adding float32 to a half-precision sum takes several times as long as the network itself on a CPU, once there are
    more than a hundred classes.
    """
    import torch

    return logits.to(torch.half, memory_format=torch.contiguous_format)


_loaded: dict[tuple, dict] = {}


@contextlib.contextmanager
def _in_this_process(threads: int) -> Iterator[None]:
    """Let TotalSegmentator predict in this process, with each model loaded once.

    By default nnU-Net starts two worker processes for each image, which costs several times the work itself on
    small volumes. Its `predict_from_files_sequential` does the same work without them.
    """
    _import(*PREDICTOR, "totalsegmentator.nnunet")
    import torch
    import totalsegmentator.nnunet as package
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    class Predictor(nnUNetPredictor):
        def initialize_from_trained_model_folder(self, folder, use_folds, checkpoint_name="checkpoint_final.pth"):
            torch.set_num_threads(threads)
            key = (folder, str(use_folds), checkpoint_name)
            if key not in _loaded:
                with short_search():
                    super().initialize_from_trained_model_folder(folder, use_folds, checkpoint_name)
                hardware.fast_convolutions(self.network)
                names = ("plans_manager", "configuration_manager", "list_of_parameters", "network", "dataset_json")
                names += ("trainer_name", "allowed_mirroring_axes", "label_manager")
                _loaded[key] = {name: getattr(self, name) for name in names}
            self.__dict__.update(_loaded[key])

        def predict_from_files(self, source, target, save_probabilities=False, overwrite=True, *args, **kwargs):
            # Named files: a folder makes nnU-Net start eight more processes to list it.
            images = sorted(Path(source).glob(f"*_0000{self.dataset_json['file_ending']}"))
            outputs = [str(Path(target) / image.name.rpartition("_0000")[0]) for image in images]
            return self.predict_from_files_sequential(
                [[str(image)] for image in images], outputs, save_probabilities, overwrite
            )

        def _internal_maybe_mirror_and_predict(self, patch):
            return _half(super()._internal_maybe_mirror_and_predict(patch))

    original = package.nnUNetPredictor
    package.nnUNetPredictor = Predictor
    try:
        yield
    finally:
        package.nnUNetPredictor = original

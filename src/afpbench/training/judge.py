"""Structures in validation: the study's segmenters look at synthetic CT while the generator learns.

As in the tables: the HU that the synthesis would write, segmented as a whole, against the same segmenter's label map of
the real CT, inside the mask. A case counts for a structure where the segmenter finds it in the real CT, and in no
other, so that every epoch of a training is judged by the same cases.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..base.errors import TrainingError
from ..base.log import logger
from ..inference.body import air_beyond, near_body
from ..study.kinds.registry import SEGMENTERS
from ..study.kinds.segmenter import Segment
from ..volumes import io
from . import checkpoints

COLUMN = "case_dice"
IMAGES = ("mr.nii.gz", "ct.nii.gz", "mask.nii.gz")  # that it reads of a case


class Judge:
    """The segmenters of a study's structures, loaded once for a training.

    options: {"structures": name -> {"segmenter", "labels"}, "segmenters": name -> {"options", "folder", "weights":
    [files and folders]}, "cases": case -> prepared folder}. folder: where label maps of the real CT are kept. device,
    threads: as for `Segmenter.open`.
    No call changes the state of a random generator: a training with a judge has the weights of one without.
    """

    def __init__(self, options: Mapping[str, Any], folder: Path, device: str, threads: int):
        self.structures: Mapping[str, Mapping[str, Any]] = options["structures"]
        self.cases = {case: Path(prepared) for case, prepared in options["cases"].items()}
        self.folder = folder
        with undisturbed():
            self.segmenters: dict[str, Segment] = {
                name: SEGMENTERS.make(spec["options"]).open(Path(spec["folder"]), device, threads)
                for name, spec in options["segmenters"].items()
            }

    @property
    def columns(self) -> list[str]:
        """Its columns of the curves: the mean over the structures, then each."""
        return [COLUMN, *(f"{COLUMN}_{name}" for name in self.structures)]

    def __call__(self, case: str, synthetic_hu: np.ndarray) -> dict[str, float | None]:
        """The Dice of each structure, None where the real CT shows none of it. synthetic_hu: z, y, x."""
        mr = io.read(self.cases[case] / "mr.nii.gz", f"case {case}: MR")
        image = mr.with_array(io.save_hu(air_beyond(near_body(mr, case), synthetic_hu)))
        with undisturbed():
            synthetic = {name: segment(image) for name, segment in self.segmenters.items()}
        inside = self._inside(case)
        real, made = (self._masks(maps, inside) for maps in (self._of_real(case), synthetic))
        return {name: dice(real[name], made[name]) for name in self.structures}

    def in_real(self, cases: Iterable[str]) -> list[str]:
        """The structures that the real CT of any of these cases shows, to the segmenters; their label maps are kept."""
        found: set[str] = set()
        for case in cases:
            masks = self._masks(self._of_real(case), self._inside(case))
            found |= {name for name, mask in masks.items() if mask.any()}
        return sorted(found)

    def _masks(self, maps: Mapping[str, np.ndarray], inside: np.ndarray) -> dict[str, np.ndarray]:
        """Structure -> where it lies inside, boolean. maps: the label map of each segmenter."""
        return {
            name: np.isin(maps[spec["segmenter"]], spec["labels"]) & inside for name, spec in self.structures.items()
        }

    def _inside(self, case: str) -> np.ndarray:
        """The region of evaluation, boolean, z, y, x."""
        return io.read(self.cases[case] / "mask.nii.gz", f"case {case}: mask").array != 0

    def _of_real(self, case: str) -> dict[str, np.ndarray]:
        """The label map of the real CT by each segmenter, made once, also where the training is resumed."""
        return {name: self._real(name, segment, case) for name, segment in self.segmenters.items()}

    def _real(self, name: str, segment: Segment, case: str) -> np.ndarray:
        path = self.folder / name / f"{case}.nii.gz"
        if not path.is_file():
            ct = io.read(self.cases[case] / "ct.nii.gz", f"case {case}: CT")
            with undisturbed():
                labels = segment(ct)
            path.parent.mkdir(parents=True, exist_ok=True)
            io.write(ct.with_array(labels), path)
        return io.read(path, f"case {case}: segmentation of the real CT by {name}").array


def judge_files(options: Mapping[str, Any]) -> dict[str, Path]:
    """What a judge depends on, by names for records: the files of its weights, and the images of its cases.

    A case that failed before has none.
    """
    files: dict[str, Path] = {}
    for name, spec in options["segmenters"].items():
        for weights in map(Path, spec["weights"]):
            found = sorted(weights.rglob("*")) if weights.is_dir() else [weights]
            files |= {f"judge {name}: {path.relative_to(weights.parent)}": path for path in found if not path.is_dir()}
    for case, prepared in options["cases"].items():
        paths = [Path(prepared) / image for image in IMAGES]
        files |= {f"judged {case}: {path.name}": path for path in paths if path.is_file()}
    return files


def dice(real: np.ndarray, synthetic: np.ndarray) -> float | None:
    """The Dice of two masks; None where the real one is empty."""
    size = np.count_nonzero(real)
    if not size:
        return None
    return float(2 * np.count_nonzero(real & synthetic) / (size + np.count_nonzero(synthetic)))


def mean_dice(found: Sequence[Mapping[str, float | None]], structures: Iterable[str]) -> dict[str, float | None]:
    """Each structure's mean over the cases that have it, and the mean over the structures, as columns of the curves.

    found: structure -> Dice, of each case.
    """
    means = {name: _mean(case[name] for case in found) for name in structures}
    return {COLUMN: _mean(means.values()), **{f"{COLUMN}_{name}": value for name, value in means.items()}}


def check_found(found: Iterable[str], structures: Iterable[str], training: str) -> None:
    """Warn of structures that no validation case shows. Raises TrainingError where there is none to judge by.

    found: those that some case shows.
    """
    found, structures = set(found), list(structures)
    missing = [name for name in structures if name not in found]
    if len(missing) == len(structures):
        raise TrainingError(
            f"{training}: nothing to judge the validation cases by",
            found=f"no voxel of {', '.join(missing)} in the segmentations of their real CT",
            expected="one structure or more in one case or more",
            hint="name others under training.validate_structures, or give `splits` other validation cases",
        )
    if missing:
        logger.warning("%s: the real CT of no validation case shows %s", training, ", ".join(missing))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put the random generators and the number of threads back to what they were: networks are built with random
    weights before they get their own."""
    state, threads = checkpoints.random_state(), torch.get_num_threads()
    try:
        yield
    finally:
        checkpoints.set_random_state(state)
        torch.set_num_threads(threads)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

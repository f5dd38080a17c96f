"""The cases of a task: which train, validate and test in each fold, and the chunks that jobs take them in."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..paths import TaskPaths
from ..registration import TRAINING_SIDE, external_files, per_side
from ..splits import PARTS, is_ensemble, make_folds, test_cases
from ..task import Task


@dataclass(frozen=True)
class Chunk:
    """Cases that one job serves, so that it loads its networks once. prepared: their folders.

    fold: that their segmenters and controls are of. networks: the folds whose variants predict them together.
    """

    fold: str
    cases: list[str]
    prepared: list[str]
    networks: tuple[str, ...]


class CasePlan:
    """The cases of one task."""

    def __init__(self, task: Task, paths: TaskPaths):
        self.task = task
        self.paths = paths
        self._files: dict[str, list[str]] = {}

    @cached_property
    def splits(self) -> dict[str, dict[str, Any]]:
        """The wildcard `fold` -> seed, and ids of `train`, `validation`, `test` and `unused`."""
        splits = make_folds(self.task.source.cases(), self.task.options["splits"], self.task.seed, self.task.name)
        return dict(zip(self.paths.folds, splits, strict=True))

    @cached_property
    def test(self) -> list[str]:
        """The test cases of all folds, by id."""
        return test_cases(list(self.splits.values()))

    @cached_property
    def together(self) -> int:
        """How many networks of a row predict each test case: the folds of an ensemble, or one."""
        return len(self.splits) if is_ensemble(self.task.options["splits"]) else 1

    @cached_property
    def used(self) -> list[str]:
        """The cases that some part of some split uses, in the source's order. Others are left alone."""
        unused = set.intersection(*(set(split["unused"]) for split in self.splits.values()))
        return [case for case in self.task.source.cases() if case not in unused]

    def of_fold(self, fold: str, *parts: str) -> list[str]:
        """The cases in the given parts of a fold's split, part by part."""
        return [case for part in parts for case in self.splits[fold][part]]

    def side(self, part: str) -> str:
        """The side of its cases' registration that a part of a split is prepared by (registration.per_side): training
        and validation cases by the one that is learned from."""
        return "" if part == "test" or TRAINING_SIDE not in self.registrations else TRAINING_SIDE

    def prepared_of(self, fold: str, *parts: str) -> list[str]:
        """The prepared folders of the cases in the given parts of a fold's split."""
        return [self.paths.prepared(case, self.side(part)) for part in parts for case in self.of_fold(fold, part)]

    def imported_of(self, fold: str, *parts: str) -> list[str]:
        """The imported folders of the cases in the given parts of a fold's split."""
        return [self.paths.imported(case) for case in self.of_fold(fold, *parts)]

    @cached_property
    def prepared_test(self) -> list[str]:
        """The prepared folders of all test cases."""
        return [self.paths.prepared(case) for case in self.test]

    def registered_of(self, case: str, side: str = "") -> list[str]:
        """The registered folder of a case, from which it is prepared; none of a label map alone."""
        return [self.paths.registered(case, side)] if self.task.source.has_ct else []

    @property
    def registered_test(self) -> list[str]:
        """The registered folders of all test cases."""
        return [folder for case in self.test for folder in self.registered_of(case)]

    @cached_property
    def registrations(self) -> dict[str, dict[str, Any]]:
        """The options of the registration by the wildcard `side`."""
        return per_side(self.task.options["registration"])

    @cached_property
    def registered(self) -> list[str]:
        """The registered folders of all cases that are used, each on the sides that its parts need."""
        needed = {(case, self.side(part)) for split in self.splits.values() for part in PARTS for case in split[part]}
        return [
            self.paths.registered(case, side)
            for case in self.used
            for side in self.registrations
            if (case, side) in needed
        ]

    # --- chunks

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The test cases, in chunks of `inference.cases_per_job`; no chunk holds cases of two folds.

        Where the folds predict together, what there is one of, segmenters and controls, is the first fold's.
        """
        if self.together > 1:
            return self._chunks(self.paths.folds[0], self.paths.folds, "test")
        return [chunk for fold in self.splits for chunk in self._chunks(fold, (fold,), "test")]

    def chunk(self, number: str | int) -> Chunk:
        """One of `chunks`, by the wildcard."""
        return self.chunks[int(number)]

    def taught(self, fold: str) -> list[Chunk]:
        """The training and validation cases of a fold in chunks: what a teacher labels."""
        return self._chunks(fold, (fold,), "train", "validation")

    def _chunks(self, fold: str, networks: tuple[str, ...], *parts: str) -> list[Chunk]:
        size = self.task.options["inference"]["cases_per_job"]
        cases, prepared = self.of_fold(fold, *parts), self.prepared_of(fold, *parts)
        slices = [slice(start, start + size) for start in range(0, len(cases), size)]
        return [Chunk(fold, cases[some], prepared[some], networks) for some in slices]

    # --- files outside the results

    def files(self, case: str) -> list[str]:
        """The files that a case is made of, so that a mended one is imported again; its folder where it is downloaded.

        A file that is missing is the import's to complain about.
        """
        if case not in self._files:
            self._files[case] = [str(path) for path in self.task.source.input_files(case)]
        return self._files[case]

    @property
    def all_files(self) -> list[str]:
        """The files of all cases that are used."""
        return [file for case in self.used for file in self.files(case)]

    def registration_files(self, case: str, side: str) -> list[str]:
        """The files that a user's own registration of a case is read from, the user's parameter files, IMPACT's model.

        One that is missing is the registration's to complain about, with the case's name.
        """
        options = self.registrations[side]
        files = [path for paths in external_files(options, case).values() for path in paths]
        model = [options["impact"]["model"]] if options["impact"]["model"] else []
        return [path for path in [*files, *options["parameter_files"], *model] if Path(path).is_file()]

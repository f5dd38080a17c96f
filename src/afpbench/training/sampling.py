"""Where patches are centred: nnU-Net's oversampling of the foreground, with structures of the CT as its classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

from ..base.errors import TrainingError


class CentredDataset:
    """An nnU-Net dataset whose `class_locations` are voxels of given structures in place of the body's.

    nnU-Net's loader then draws, for each patch that it oversamples, one of the structures that the case has, each alike
    however small, and a voxel of it as the patch's centre; a case that has none gives a patch drawn anywhere.
    """

    def __init__(self, dataset, structures: Mapping[str, Sequence[int]], seed: int):
        """dataset: (body, labels) cases of `training_set`. structures: name -> label values."""
        self.dataset = dataset
        self.structures = structures
        self.seed = seed
        self.locations: dict[str, dict] = {}

    @property
    def identifiers(self):
        return self.dataset.identifiers

    def load_case(self, case: str):
        """As the dataset's, with the structures' locations in the properties; they are found once per case."""
        data, labels, previous, properties = self.dataset.load_case(case)
        if case not in self.locations:
            groups = [list(values) for values in self.structures.values()]
            label_map = np.asarray(labels[1:])
            self.locations[case] = DefaultPreprocessor._sample_foreground_locations(label_map, groups, seed=self.seed)
        return data, labels, previous, {**properties, "class_locations": self.locations[case]}


def check_present(dataset, names: Mapping[str, Sequence[int]], what: str) -> None:
    """Raise TrainingError for a name none of whose label values occurs in any case of a dataset.

    what: the part of the study that uses the names, for the message.
    """
    present: set[int] = set()
    for case in dataset.identifiers:
        present |= set(dataset.load_case(case)[3]["label_values"])
    absent = [name for name, values in names.items() if not present & set(values)]
    if absent:
        raise TrainingError(
            f"{what}: no training case has a voxel of {', '.join(absent)}",
            found=f"label values {sorted(present - {0})} in {len(dataset.identifiers)} cases",
            expected=f"some of {sorted(value for name in absent for value in names[name])}",
            hint="remove the name, or train on cases whose labels have it",
        )

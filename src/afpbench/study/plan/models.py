"""The networks of a task: segmenters, feature networks and variants, their files, and the code that defines them."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..kinds.registry import NETWORKS
from ..label_names import label_values, used_names
from ..paths import TaskPaths
from ..rows import FITTED_CONTROLS, TRAINING_CONTROLS
from ..seeds import with_seed
from ..splits import with_fold
from ..task import Task
from ..validation import JUDGED
from .cases import CasePlan
from .judge import JudgePlan

TRAINERS = "afpbench.training.trainers"  # nnU-Net finds them by name
WHOLE_CASES = "afpbench.training.whole_cases"
JUDGE = "afpbench.training.judge"


class ModelPlan:
    """The networks of one task. In every method `fold` and `seed` are wildcards: `folds/0/` and `.seed_7`, or ""."""

    def __init__(self, task: Task, paths: TaskPaths, cases: CasePlan, seeds: Mapping[str, int]):
        self.task = task
        self.paths = paths
        self.cases = cases
        self.seeds = seeds
        self.judges = JudgePlan(task, paths, cases)

    # --- segmenters

    def segmenter_model(self, fold: str, name: str) -> str:
        """The folder of a segmenter's weights."""
        return self.task.segmenters[name].model_folder(self.paths.fold(fold).folder)

    def segmenter_inputs(self, fold: str, name: str) -> list[str]:
        """The files or folders that stand for a segmenter's weights in a rule's input."""
        return self.task.segmenters[name].inputs(self.paths.fold(fold).folder)

    def folds_of_segmenter(self, name: str) -> tuple[str, ...]:
        """The folds in which a segmenter is needed: each that tests cases of its own; of those that predict together
        all where trainings look at it, or else the first, which judges the test cases."""
        segmenters, trained = self.task.segmenters, self.task.trained
        used = {one for key in trained for one in (*self.task.loss_networks(key), *self.judges.segmenters(key))}
        used |= {segmenters[one].teacher or one for one in used & set(segmenters)}
        return self.paths.folds if self.cases.together == 1 or name in used else self.paths.folds[:1]

    def teacher_records(self, fold: str, name: str) -> list[str]:
        """The records of the label maps that a segmenter learns from, where another segmenter makes them."""
        teacher = self.task.segmenters[name].teacher
        return self.paths.fold(fold).teacher_labels(teacher).records(len(self.cases.taught(fold))) if teacher else []

    # --- feature networks

    def network_inputs(self, fold: str, variant: str) -> list[str]:
        """The weights of every network in a variant's loss."""
        folder = self.paths.fold(fold).folder
        return [path for name in self.task.loss_networks(variant) for path in self._network(name).inputs(folder)]

    def features(self, fold: str, variant: str) -> dict[str, dict[str, Any]]:
        """The networks whose features a variant's loss uses: name -> what afpbench.features.load takes."""
        folder = self.paths.fold(fold).folder
        return {name: self._network(name).features(folder) for name in self.task.loss_networks(variant)}

    def _network(self, name: str) -> Any:
        return self.task.feature_network(name)

    # --- variants

    def variant(self, name: str) -> Mapping[str, Any]:
        """The entry of a variant in the study."""
        entry: Mapping[str, Any] = self.task.options["variants"][name]
        return entry

    def training(self, fold: str, name: str) -> dict[str, Any]:
        """What defines the training of a variant: a new label or calibration retrains nothing."""
        variant, judge = self.variant(name), self.judges.options(fold, name)
        return {
            "generator": variant["generator"],
            "loss": variant["loss"],
            "training": {key: value for key, value in variant["training"].items() if key != JUDGED},
            **({"judge": judge} if judge else {}),
        }

    def label_values(self, name: str) -> dict[str, list[int]]:
        """The label values of the names that a variant's patch sampling and loss regions use."""
        known = label_values(self.task)
        return {label: known[label] for label in used_names(self.variant(name))}

    def training_set(self, fold: str, name: str) -> str:
        """The training set of a variant's generator."""
        return self.paths.fold(fold).training_set(self.variant(name)["generator"])

    def start(self, fold: str, seed: str, name: str) -> list[str]:
        """The checkpoint of the variant that this one starts from, of the same seed, if any."""
        start = self.variant(name)["init_from"]
        return [self.paths.fold(fold).variant(f"{start}{seed}").checkpoint] if start else []

    def calibration(self, fold: str, seed: str, name: str) -> list[str]:
        """The HU calibration of a variant that has one."""
        method = self.variant(name)["hu_calibration"]
        return [self.paths.fold(fold).variant(f"{name}{seed}").calibration] if method != "none" else []

    def calibrations(self, folds: Iterable[str], seed: str, name: str) -> list[str]:
        """The HU calibrations of a variant's networks, one of each fold, where it has one."""
        return [path for fold in folds for path in self.calibration(fold, seed, name)]

    @property
    def application(self) -> dict[str, Any]:
        """How one network is applied to a whole MR."""
        return {key: self.task.options["inference"][key] for key in ("overlap", "fusion", "mirror")}

    def control_limits(self, fold: str, name: str) -> list[str]:
        """The normalisation of the training cases, for a control that needs them."""
        return [self.paths.fold(fold).normalization] if name in TRAINING_CONTROLS else []

    def card(self, fold: str, seed: str, name: str) -> dict[str, Any]:
        """What planning knows of a variant's model card: what it is, what to cite, and how it is applied."""
        options, variant = self.task.options, self.variant(name)
        generator = self.task.generators[variant["generator"]]
        kinds = [generator, *self.task.losses(name)]
        channels = list(self.task.source.mr_channels)
        return {
            "name": f"{self.task.name}/{fold}{name}{seed}",
            "title": options["title"],
            "label": with_fold(with_seed(variant["label"], seed, self.seeds), fold),
            "generator": generator.name,
            "loss": variant["loss"],
            "cite": list(dict.fromkeys(kind.citation for kind in kinds if kind.citation)),
            "spacing_mm": options["spacing_mm"],
            "bias_correction": options["bias_correction"],
            **({"mr_channels": channels} if channels else {}),
            "inference": self.application,
        }

    def cards(self) -> list[str]:
        """The model cards of all variants that are trained, with every seed, in every fold."""
        runs = [run for name in self.task.trained for run in self.paths.runs(name)]
        return [self.paths.fold(fold).variant(run).card for fold in self.paths.folds for run in runs]

    def control(self, fold: str, name: str) -> list[str]:
        """What a control was fitted to, of those that are."""
        return [self.paths.fold(fold).control(name)] if name in FITTED_CONTROLS else []

    def trained(self, file: str, with_seeds: bool = True) -> list[tuple[str, str]]:
        """(name for people, path) of a file of every network that the workflow trains and shows, in every fold.

        file: `cost` or `curves`. with_seeds: whether names tell of the seed, where there are several. Variants come
        first, each with every seed, then segmenters.
        """
        found = []
        for key, variant in self.task.trained.items():
            for seed in self.paths.seeds:
                label = with_seed(variant["label"], seed, self.seeds) if with_seeds else variant["label"]
                found += [(label, fold, self.paths.fold(fold).variant(f"{key}{seed}")) for fold in self.paths.folds]
        for key, segmenter in self.task.segmenters.items():
            if segmenter.trained_here:
                label = segmenter.options["label"]
                found += [(label, fold, self.paths.fold(fold).segmenter(key)) for fold in self.folds_of_segmenter(key)]
        return [(with_fold(label, fold), getattr(model, file)) for label, fold, model in found]

    # --- rows from files

    def file_options(self, row: str) -> dict[str, Any]:
        """What defines the images of a row from files: a new label copies nothing."""
        return {key: self.variant(row)[key] for key in ("synthetic", "resample")}

    def files(self, row: str, cases: Iterable[str]) -> list[str]:
        """The files of a row's cases, as far as they are there."""
        return self.task.file_rows[row].existing(cases)

    def label_files(self, segmenter: str, image: str, cases: Iterable[str]) -> list[str]:
        """The files of label maps of an image (`ct`, or a row), of a segmenter that makes none, as far as they are
        there."""
        found = self.task.segmenters[segmenter].label_files(self.task.root).get(image)
        return found.existing(cases) if found is not None else []

    # --- code

    def generator_code(self, variant: str) -> tuple[str, ...]:
        """The modules of the network that a variant trains: a change of another kind retrains nothing."""
        generator = self.task.generators[self.variant(variant)["generator"]]
        return tuple(generator.code_of(generator.options))

    def variant_code(self, variant: str) -> tuple[str, ...]:
        """The modules that a variant's training consists of, beside its script: its trainer, losses and networks."""
        losses = [module for loss in self.task.losses(variant) for module in loss.code()]
        kinds = dict.fromkeys(spec["kind"] for spec in self.features("", variant).values())
        networks = [module for kind in kinds for module in NETWORKS[kind].code()]
        trainer = self.task.generators[self.variant(variant)["generator"]].trainer
        judges = self.judges.code(variant)
        return (f"{TRAINERS}.{trainer}", *losses, *networks, *self.generator_code(variant), *judges)

    def idle_code(self, variant: str) -> tuple[str, ...]:
        """The modules that the trainer imports and this variant's training does not use."""
        validates = self.variant(variant)["training"]["validate_cases_every_epochs"]
        return (*(() if validates else (WHOLE_CASES,)), *(() if self.judges.code(variant) else (JUDGE,)))

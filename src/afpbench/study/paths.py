"""Where everything of a study lies under `results/`. No other file spells it; docs/reference/files.md tells of it.

Paths are text with `/`, as Snakemake has them, so that rules can put wildcards in the place of names:
`StudyPaths("results").task("{task}").prepared("{case}")`.

A *run* is a row as one seed trained it: the row's name with the wildcard `seed` behind it, `afp.seed_7`, or the name
alone (study.seeds). Where a path takes a variant or a row, it takes a run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

FORMATS = ("csv", "md", "tex", "html")  # of tables
PLANES = ("coronal", "sagittal", "axial")  # of figures


@dataclass(frozen=True)
class Images:
    """A folder with an image of each case, made in chunks; a chunk's record says what was made and what failed."""

    folder: str

    @classmethod
    def of_record(cls, record: str | Path) -> "Images":
        """The folder that a record belongs to."""
        return cls(Path(record).parent.parent.as_posix())

    def image(self, case: str) -> str:
        return f"{self.folder}/{case}.nii.gz"

    def uncalibrated(self, case: str) -> str:
        """A synthetic CT before its HU were calibrated."""
        return f"{self.folder}/uncalibrated/{case}.nii.gz"

    def uncertainty(self, case: str) -> str:
        """The standard deviation of a synthetic CT over the networks and mirror images that it is made of, in HU."""
        return f"{self.folder}/uncertainty/{case}.nii.gz"

    def record(self, chunk: int | str) -> str:
        return f"{self.folder}/records/{chunk}.json"

    def records(self, chunks: int) -> list[str]:
        """The records of all chunks."""
        return [self.record(chunk) for chunk in range(chunks)]


@dataclass(frozen=True)
class ModelPaths:
    """The folder of a network that the workflow trained: for nnU-Net a model folder, with records beside."""

    folder: str

    @property
    def plans(self) -> str:
        return f"{self.folder}/plans.json"

    @property
    def dataset(self) -> str:
        return f"{self.folder}/dataset.json"

    @property
    def checkpoint(self) -> str:
        return f"{self.folder}/fold_0/checkpoint_final.pth"

    @property
    def weights(self) -> str:
        """Of a stand-in for MedicalNet, in MedicalNet's format."""
        return f"{self.folder}/resnet.pth"

    @property
    def curves(self) -> str:
        return f"{self.folder}/curves.csv"

    @property
    def cost(self) -> str:
        return f"{self.folder}/cost.json"

    @property
    def calibration(self) -> str:
        """The line from a variant's synthetic HU to the real ones."""
        return f"{self.folder}/calibration.json"

    @property
    def card(self) -> str:
        """What a variant is, for whoever applies it without its study."""
        return f"{self.folder}/model_card.json"


@dataclass(frozen=True)
class FoldPaths:
    """What is trained in one fold of a task: `results/<task>/folds/<k>`, or the task's own folder.

    prefix: the folder with a `/` at its end, as the wildcard `fold` has it.
    """

    prefix: str

    @classmethod
    def of(cls, folder: str) -> "FoldPaths":
        """From the folder, with or without a `/` at its end."""
        return cls(f"{folder.rstrip('/')}/")

    @property
    def folder(self) -> str:
        return self.prefix.rstrip("/")

    @property
    def splits(self) -> str:
        return f"{self.prefix}splits/splits.json"

    @property
    def normalization(self) -> str:
        return f"{self.prefix}normalization/normalization.json"

    @property
    def mr_range(self) -> str:
        """What the training MRs are like: size, voxels, tilt, intensities."""
        return f"{self.prefix}normalization/mr_range.json"

    def training_set(self, generator: str) -> str:
        return f"{self.prefix}training_sets/{generator}"

    def teacher_labels(self, segmenter: str) -> Images:
        """What a teacher finds in the training and validation cases."""
        return Images(f"{self.prefix}teacher_labels/{segmenter}")

    def segmenter(self, name: str) -> ModelPaths:
        return ModelPaths(f"{self.prefix}models/segmenters/{name}")

    def network(self, name: str) -> ModelPaths:
        return ModelPaths(f"{self.prefix}models/networks/{name}")

    def variant(self, name: str) -> ModelPaths:
        return ModelPaths(f"{self.prefix}models/variants/{name}")

    def control(self, name: str) -> str:
        """What a control took from the training cases."""
        return f"{self.prefix}models/controls/{name}.npz"

    def totalsegmentator(self, name: str) -> str:
        """The folder of stand-in weights in TotalSegmentator's layout."""
        return f"{self.prefix}models/totalsegmentator/{name}"

    def unfinished(self, kind: str, name: str) -> str:
        """The checkpoints of a training in progress. kind: `segmenters`, `networks`, `variants`."""
        return f"{self.prefix}unfinished/{kind}/{name}"


@dataclass(frozen=True)
class TaskPaths:
    """One task of a study.

    folder: `results/<task>`. folds: the wildcard `fold` of each fold, `folds/0/` and so on, or "" without folds.
    seeds: the wildcard `seed` of each seed, `.seed_7` and so on, or "" for the study's own.
    """

    folder: str
    folds: tuple[str, ...] = ("",)
    seeds: tuple[str, ...] = ("",)

    def sibling(self, name: str) -> "TaskPaths":
        """Another task of the study, with as many folds and seeds."""
        return replace(self, folder=f"{self.folder.rpartition('/')[0]}/{name}")

    def runs(self, variant: str) -> list[str]:
        """A variant's runs, one for each seed."""
        return [f"{variant}{seed}" for seed in self.seeds]

    def fold(self, fold: str) -> FoldPaths:
        """fold: as the wildcard has it, `folds/0/`, or "" without folds."""
        return FoldPaths(f"{self.folder}/{fold}")

    # --- cases

    def imported(self, case: str) -> str:
        return f"{self.folder}/cases/{case}/imported"

    def resampled(self, case: str) -> str:
        return f"{self.folder}/cases/{case}/resampled"

    def registered(self, case: str, side: str = "") -> str:
        """side: "", or `_train` for the CT that is learned from where it is registered apart (study.registration)."""
        return f"{self.folder}/cases/{case}/registered{side}"

    def prepared(self, case: str, side: str = "") -> str:
        return f"{self.folder}/cases/{case}/prepared{side}"

    def prepared_image(self, case: str, name: str, side: str = "") -> str:
        """name: `mr`, `ct`, `mask`, `covered`, `labels`."""
        return f"{self.prepared(case, side)}/{name}.nii.gz"

    # --- images of rows

    def synthetic(self, row: str) -> Images:
        return Images(f"{self.folder}/synthetic/{row}")

    def segmentations(self, segmenter: str, image: str) -> Images:
        """image: a row, or `ct` for the real CT."""
        return Images(f"{self.folder}/segmentations/{segmenter}/{image}")

    def synthesis_records(self, row: str, chunks: int) -> list[str]:
        """The records of a run's synthetic CTs."""
        return self.synthetic(row).records(chunks)

    def costs(self, variant: str) -> list[str]:
        """What a variant's trainings took, with every seed in every fold."""
        return [self.fold(fold).variant(run).cost for run in self.runs(variant) for fold in self.folds]

    # --- numbers, tables and figures

    @property
    def registration(self) -> str:
        return f"{self.folder}/registration/registration.csv"

    @property
    def registration_page(self) -> str:
        return f"{self.folder}/registration/qc.html"

    @property
    def check_page(self) -> str:
        return f"{self.folder}/check/index.html"

    @property
    def check_table(self) -> str:
        return f"{self.folder}/check/check.csv"

    def row_metrics(self, row: str) -> str:
        return f"{self.folder}/metrics/rows/{row}.csv"

    def row_metrics_against(self, row: str, other_task: str) -> str:
        return f"{self.folder}/metrics/against/{other_task}/{row}.csv"

    @property
    def metrics(self) -> str:
        return f"{self.folder}/metrics/metrics.csv"

    @property
    def statistics(self) -> str:
        return f"{self.folder}/statistics/statistics.csv"

    @property
    def accuracy(self) -> str:
        return f"{self.folder}/segmenters/accuracy.csv"

    def table(self, name: str, ending: str) -> str:
        return f"{self.folder}/tables/{name}.{ending}"

    def tables(self, names: Sequence[str], endings: Sequence[str] = FORMATS) -> list[str]:
        return [self.table(name, ending) for name in names for ending in endings]

    def slices(self, pick: str, plane: str, ending: str) -> str:
        """pick: a case, or `typical`, `best`, `worst`."""
        return f"{self.folder}/figures/{pick}/slices_{plane}.{ending}"

    def slice_panel(self, pick: str) -> str:
        return f"{self.folder}/figures/{pick}/slices.json"

    def surfaces(self, pick: str, ending: str) -> str:
        return f"{self.folder}/figures/{pick}/surfaces.{ending}"

    def uncertainty(self, pick: str, ending: str) -> str:
        return f"{self.folder}/figures/{pick}/uncertainty.{ending}"

    def distributions(self, ending: str) -> str:
        return f"{self.folder}/figures/distributions.{ending}"

    def curves(self, ending: str) -> str:
        return f"{self.folder}/figures/curves.{ending}"

    def log(self, name: str) -> str:
        return f"{self.folder}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        return f"{self.folder}/benchmarks/{name}.tsv"


@dataclass(frozen=True)
class StudyPaths:
    """A whole study. results: its folder, `results` in the study file."""

    results: str

    def task(self, name: str, folds: Sequence[str] = ("",), seeds: Iterable[str] = ("",)) -> TaskPaths:
        return TaskPaths(f"{self.results}/{name}", tuple(folds), tuple(seeds))

    @property
    def contents(self) -> str:
        """What the folder holds, for whoever looks at it without the study file."""
        return f"{self.results}/contents.json"

    @property
    def report(self) -> str:
        return f"{self.results}/report.html"

    def log(self, name: str) -> str:
        return f"{self.results}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        return f"{self.results}/benchmarks/{name}.tsv"

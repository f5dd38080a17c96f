"""What a task is evaluated by, and what is shown of it: rows, structures, records of images, tables, figures."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from ..kinds.registry import METRICS
from ..metrics import extra_metrics, family_metrics, shown
from ..paths import PLANES, TaskPaths
from ..rows import CONTROL_LABELS
from ..task import Task
from ..validation import chosen_by
from .cases import CasePlan
from .models import ModelPlan

REAL = "ct"  # what the folder of segmentations of the real CT is called


class ResultPlan:
    """The results of one task."""

    def __init__(self, task: Task, paths: TaskPaths, cases: CasePlan, models: ModelPlan):
        self.task = task
        self.paths = paths
        self.cases = cases
        self.models = models

    # --- rows and structures

    @cached_property
    def rows(self) -> list[str]:
        """The rows of the tables: variants, then controls."""
        return [*self.task.options["variants"], *self.task.options["controls"]]

    def runs_of(self, *rows: str) -> list[str]:
        """The runs of rows: a trained variant's with every seed, and those that nothing trains, once."""
        return [run for row in rows for run in (self.paths.runs(row) if row in self.task.trained else [row])]

    @cached_property
    def runs(self) -> list[str]:
        """The runs of all rows."""
        return self.runs_of(*self.rows)

    @cached_property
    def run_counts(self) -> dict[str, int]:
        """Row -> how many runs it has."""
        return {row: len(self.runs_of(row)) for row in self.rows}

    def shown_run(self, row: str) -> str:
        """The run whose images figures show: of a variant the first seed's."""
        return self.runs_of(row)[0]

    def seed_of(self, row: str, seed: str) -> str:
        """The seed that trained a row, by the wildcard `seed`; "" for a row that nothing trained."""
        return str(self.models.seeds[seed]) if row in self.task.trained else ""

    @cached_property
    def labels(self) -> dict[str, str]:
        """Row -> its name for people."""
        return {name: variant["label"] for name, variant in self.task.options["variants"].items()} | CONTROL_LABELS

    @cached_property
    def structures(self) -> dict[str, dict[str, Any]]:
        """The structures with label values instead of class names: what afpbench.metrics takes."""
        return {
            name: {
                "segmenter": spec["segmenter"],
                "labels": self.task.structure_labels(name),
                "tolerance_mm": spec["tolerance_mm"],
                "tree": spec["tree"],
            }
            for name, spec in self.task.options["structures"].items()
        }

    @cached_property
    def lasting_structures(self) -> dict[str, dict[str, Any]]:
        """Those whose segmenter is the same in every task: it came with its weights."""
        segmenters = self.task.segmenters
        return {name: spec for name, spec in self.structures.items() if not segmenters[spec["segmenter"]].trained_here}

    def lasting_records(self, image: str) -> list[str]:
        """The records of an image's segmentations (a run's, or `ct`) by the segmenters of these structures."""
        return self.segmentation_records(self.segmenters_of(self.lasting_structures), [image])

    @property
    def structure_labels(self) -> dict[str, str]:
        """Structure -> its name for people."""
        return {name: spec["label"] for name, spec in self.task.options["structures"].items()}

    @cached_property
    def truth(self) -> dict[str, list[int]]:
        """Structure -> values in the cases' true label maps, of a source that has them.

        A structure with a class that stands for no true label is left out: what is not known cannot be missed.
        """
        found = {}
        for name, spec in self.task.options["structures"].items():
            values = self.task.segmenters[spec["segmenter"]].true_labels()
            if all(values.get(member) for member in spec["classes"]):
                found[name] = [value for member in spec["classes"] for value in values[member]]
        return found

    @property
    def has_accuracy(self) -> bool:
        """Whether the segmenters can be compared with true labels."""
        return self.task.source.has_true_labels and bool(self.truth)

    @property
    def has_check(self) -> bool:
        """Whether the pairs of MR and CT are looked at before the import: files that are such."""
        return self.task.source.has_mr and not self.task.source.makes_cases

    # --- records of images

    def synthetic_records(self, *runs: str) -> list[str]:
        """The records of runs' synthetic CTs; none of rows of label maps alone."""
        chunks, made = len(self.cases.chunks), [run for run in runs if run not in self.task.label_rows]
        return [record for run in made for record in self.paths.synthesis_records(run, chunks)]

    def segmented_record(self, run: str, chunk: str) -> list[str]:
        """The record of a chunk of a run's synthetic CTs, which are segmented; none of a row of label maps alone."""
        return [] if run in self.task.label_rows else [self.paths.synthetic(run).record(chunk)]

    def segmentation_records(self, segmenters: Iterable[str], images: Sequence[str]) -> list[str]:
        """The records of segmentations: of each image (a run, or `ct`) by each segmenter."""
        pairs = [(segmenter, image) for segmenter in segmenters for image in images]
        chunks = len(self.cases.chunks)
        return [record for pair in pairs for record in self.paths.segmentations(*pair).records(chunks)]

    def compared_records(self, run: str) -> list[str]:
        """The records of the segmentations that a run's metrics compare: the real CT's and the run's own."""
        return self.segmentation_records(self.segmenters_of(self.task.options["structures"]), [REAL, run])

    @property
    def row_metrics(self) -> list[str]:
        """The metrics of every run."""
        return [self.paths.row_metrics(run) for run in self.runs]

    def segmenters_of(self, structures: Iterable[str]) -> list[str]:
        """The segmenters that find structures, each once."""
        return list(dict.fromkeys(self.task.options["structures"][name]["segmenter"] for name in structures))

    @property
    def image_records(self) -> list[str]:
        """The records of all images that a finished study shows: delete one, or its image, and it is made again."""
        names = self.segmenters_of(self.task.options["structures"])
        return self.synthetic_records(*self.runs) + self.segmentation_records(names, [REAL, *self.runs])

    # --- tables

    def table_inputs(self, name: str) -> dict[str, Any]:
        """Name -> file or files that a table is made of."""
        return dict(self.task.tables[name].inputs(self.paths, len(self.cases.chunks)))

    @cached_property
    def extra_metrics(self) -> list[str]:
        """The metrics that are computed because a table names them."""
        return extra_metrics(self.task)

    def metrics_code(self) -> tuple[str, ...]:
        """The modules of these metrics."""
        return tuple(module for name in self.extra_metrics for module in METRICS[name].code())

    @cached_property
    def compared_metrics(self) -> dict[str, Any]:
        """Which way the metrics are better, of all that are computed: what statistics depend on."""
        kinds = ("image", "uncalibrated", "uncertainty", "structure", "tree")
        families = [name for what in kinds for name in family_metrics(what)]
        return shown(dict.fromkeys([*families, *self.extra_metrics]))

    @cached_property
    def shown_metrics(self) -> dict[str, Any]:
        """How the metrics of all tables are shown: what figures depend on."""
        return shown(dict.fromkeys(column["metric"] for column in self.table_columns))

    def shown_in(self, table: str) -> dict[str, Any]:
        """How the metrics of one table are shown."""
        return shown(dict.fromkeys(column["metric"] for column in self.task.tables[table].columns()))

    @cached_property
    def table_columns(self) -> list[dict[str, str]]:
        """Every metric of the tables once, with its structure or region."""
        columns = [column for table in self.task.tables.values() for column in table.columns()]
        places = [(column["metric"], column["structure"] or column["region"]) for column in columns]
        return [{"metric": metric, "place": place} for metric, place in dict.fromkeys(places)]

    @cached_property
    def table_context(self) -> dict[str, Any]:
        """What tables say of a task beyond a table's own spec."""
        options = self.task.options
        return {
            "task": self.task.name,
            "variants": list(options["variants"]),
            "controls": options["controls"],
            "reference": options["reference"],
            "labels": self.labels,
            "structures": {
                name: {"label": spec["label"], "segmenter": spec["segmenter"]}
                for name, spec in options["structures"].items()
            },
            "alpha": options["statistics"]["alpha"],
            "missing": options["statistics"]["missing"],
            "losses": {name: variant["loss"] for name, variant in self.task.trained.items()},
            "chosen_by": {
                name: chosen_by(variant["training"], options["structures"])
                for name, variant in self.task.trained.items()
            },
            "definition": options["definition"],
        }

    # --- figures

    @cached_property
    def figure_context(self) -> dict[str, Any]:
        """What afpbench.figures.cases.Context takes."""
        options = self.task.options
        return {
            "root": self.paths.folder,
            "rows": options["figures"]["rows"],
            "runs": {row: self.shown_run(row) for row in options["figures"]["rows"]},
            "labels": self.labels,
            "reference": options["reference"],
            "structures": {
                name: {**self.structures[name], "label": spec["label"]} for name, spec in options["structures"].items()
            },
        }

    @property
    def uncertain_rows(self) -> list[str]:
        """The rows of the figures that have uncertainty maps."""
        kept = self.task.options["inference"]["uncertainty"]
        return [row for row in self.task.options["figures"]["rows"] if kept and row in self.task.trained]

    def figure_options(self, *keys: str) -> dict[str, Any]:
        """The part of the figures' settings that one kind of figure reads."""
        return {key: self.task.options["figures"][key] for key in keys}

    @property
    def figure_synthetic(self) -> list[str]:
        """The records of the synthetic CTs that figures show."""
        return self.synthetic_records(*map(self.shown_run, self.task.options["figures"]["rows"]))

    @property
    def zoom_segmentations(self) -> list[str]:
        """The records of the zoom's structure in the real CT."""
        structures = filter(None, [self.task.options["figures"]["zoom"]["structure"]])
        return self.segmentation_records(self.segmenters_of(structures), [REAL])

    @property
    def figure_segmentations(self) -> list[str]:
        """The records of the segmentations that figures show."""
        figures = self.task.options["figures"]
        runs = map(self.shown_run, figures["rows"])
        return self.segmentation_records(self.segmenters_of(figures["structures"]), [REAL, *runs])

    def figures(self, ending: str) -> list[str]:
        """The figures as files of one format."""
        paths, picks = self.paths, self.task.options["figures"]["cases"]
        images = picks if self.task.source.has_ct else []
        files = [paths.slices(pick, plane, ending) for pick in images for plane in PLANES]
        files += [paths.surfaces(pick, ending) for pick in picks] if self.task.options["figures"]["structures"] else []
        files += [paths.uncertainty(pick, ending) for pick in picks] if self.uncertain_rows else []
        files += [paths.distributions(ending)] if self.table_columns else []
        return files + ([paths.curves(ending)] if self.models.trained("curves") else [])

    @property
    def slice_panels(self) -> list[str]:
        """The slices of each case to show that the report lets a reader choose from."""
        picks = self.task.options["figures"]["cases"] if self.task.source.has_ct else []
        return [self.paths.slice_panel(pick) for pick in picks]

    # --- all of it

    @property
    def all_files(self) -> list[str]:
        """Everything that a finished task has."""
        paths = self.paths
        files = [paths.metrics, paths.statistics]
        files += [paths.registration, paths.registration_page] if self.task.source.has_mr else []
        files += [paths.check_page] if self.has_check else []
        files += [paths.accuracy] if self.has_accuracy else []
        files += [*self.image_records, *self.models.cards()]
        return files + paths.tables(list(self.task.tables)) + self.figures("png") + self.figures("pdf")

    @property
    def report_records(self) -> list[str]:
        """The files beside tables and figures that the report reads."""
        paths = self.paths
        files = [paths.metrics, paths.statistics, *(paths.fold(fold).splits for fold in paths.folds)]
        files += [paths.registration] if self.task.source.has_mr else []
        files += [path for _, path in self.models.trained("cost")]
        return files + ([paths.accuracy] if self.has_accuracy else [])

"""What there is to see of a case: its images by their addresses, and of those that are not there the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..base.errors import AfpbenchError, ConfigError, DataError, one_line
from ..data.failures import failure_of
from ..inference.chunks import failures
from ..study import channels
from ..study.paths import Images, TaskPaths
from ..study.plan.results import REAL
from .folder import ResultsFolder

NOT_MADE = "not made yet"


@dataclass(frozen=True)
class Shown:
    """An image of a case. address: its name in the viewer. path: its file. images: the folder of a row or of labels."""

    address: str
    path: str
    images: Images | None = None


class TaskView:
    """One task of a results folder. Raises ConfigError for a task that is not in it."""

    def __init__(self, folder: ResultsFolder, name: str):
        tasks = folder.contents["tasks"]
        if name not in tasks:
            raise ConfigError(f"no task '{name}' in {folder.path}", expected=", ".join(tasks))
        self.name, self.folder, self.options = name, folder, tasks[name]
        self.paths: TaskPaths = folder.paths.task(name)
        self.runs = [row["run"] for row in self.options["rows"]]
        self.has_ct: bool = self.options.get("has_ct", True)  # older folders do not say it
        self._failed: dict[str, dict[str, str]] = {}

    @property
    def mr_roles(self) -> tuple[str, ...]:
        """The roles of the MR and its channels; none of real CTs alone."""
        return channels.roles(self.options.get("mr_channels", ())) if self.options["has_mr"] else ()

    @property
    def cases(self) -> list[str]:
        """The test cases, then the others."""
        return [*self.options["test"], *self.options["others"]]

    def failed(self, images: Images) -> dict[str, str]:
        """Case -> why it failed in a folder of images, as its records say."""
        if images.folder not in self._failed:
            records = sorted(Path(images.record("_")).parent.glob("*.json"))
            self._failed[images.folder] = failures(records)
        return self._failed[images.folder]

    def overview(self) -> dict[str, dict[str, int]]:
        """Test case -> how many of its rows' images are `there`, `failed` and `missing`: synthetic CTs, or label maps
        by the first segmenter where there is no CT."""
        return {case: self._count(case) for case in self.options["test"]}

    def _count(self, case: str) -> dict[str, int]:
        view = CaseView(self, case)
        states = [view.state(view.of_run(run))["state"] for run in self.runs]
        return {state: states.count(state) for state in ("there", "failed", "missing")}


class CaseView:
    """One case of a task. Raises ConfigError for a case that is not in it."""

    def __init__(self, task: TaskView, case: str):
        if case not in task.cases:
            raise ConfigError(f"task {task.name}: no case '{case}'", expected=", ".join(task.cases))
        self.task, self.case = task, case
        self.side = "" if case in task.options["test"] else task.options["others_side"]

    @cached_property
    def failure(self) -> str:
        """Why the case failed before anything was made of it; "" for one that is alive."""
        record = failure_of(Path(self.task.paths.prepared(self.case, self.side)))
        return f"{record['stage']}: {record['error']}" if record else ""

    def prepared(self, name: str) -> Shown:
        return Shown(name, self.task.paths.prepared_image(self.case, name, self.side))

    def synthetic(self, run: str) -> Shown:
        images = self.task.paths.synthetic(run)
        return Shown(f"row/{run}", images.image(self.case), images)

    def of_run(self, run: str) -> Shown:
        """What a run is judged by first: its synthetic CT, or its label map by the first segmenter."""
        if self.task.has_ct:
            return self.synthetic(run)
        return self.labels(next(iter(self.task.options["segmenters"])), run)

    def labels(self, segmenter: str, image: str) -> Shown:
        images = self.task.paths.segmentations(segmenter, image)
        return Shown(f"labels/{segmenter}/{image}", images.image(self.case), images)

    def files(self) -> Iterator[Shown]:
        """Every image that the case may have as a file."""
        yield from map(self.prepared, (*self.task.mr_roles, *([REAL] if self.task.has_ct else []), "mask"))
        runs = self.task.runs if self.case in self.task.options["test"] else []
        yield from map(self.synthetic, runs if self.task.has_ct else [])
        for segmenter in self.task.options["segmenters"]:
            yield from (self.labels(segmenter, image) for image in [REAL, *runs])

    def state(self, shown: Shown) -> dict[str, str]:
        """`there`, `failed` or `missing`, and why. An image that a record calls failed is an older run's: not shown."""
        reason = self.failure
        if not reason and shown.images is not None:
            reason = self.task.failed(shown.images).get(self.case, "")
        if reason:
            return {"state": "failed", "why": reason}
        if not Path(shown.path).exists():
            return {"state": "missing", "why": NOT_MADE}
        try:
            self.task.folder.inside(shown.path)
        except AfpbenchError as error:
            return {"state": "failed", "why": one_line(error)}
        return {"state": "there", "why": ""}

    def find(self, address: str) -> Path:
        """The file of an address of `files`. Raises ConfigError or DataError."""
        found = next((shown for shown in self.files() if shown.address == address), None)
        if found is None:
            raise ConfigError(f"case {self.case}: no image '{address}'")
        state = self.state(found)
        if state["state"] != "there":
            raise DataError(f"case {self.case}: {address} cannot be shown", found=f"{state['state']}: {state['why']}")
        return self.task.folder.inside(found.path)

    def describe(self) -> dict[str, Any]:
        """The case as the page takes it: {"case", "part", "failure", "images": {address: state}}."""
        part = "test" if self.case in self.task.options["test"] else "other"
        images = {shown.address: self.state(shown) for shown in self.files()}
        return {"case": self.case, "part": part, "failure": self.failure, "images": images}

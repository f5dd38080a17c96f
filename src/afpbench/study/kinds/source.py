"""What a data source is, as a study file names it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...base.errors import ConfigError
from .. import channels
from ..case_ids import check_id, check_unique
from .kind import Kind

if TYPE_CHECKING:
    from ...volumes.io import Volume

NAME = {"$ref": "#/$defs/name"}
# Options that sources with files share.
CASES: dict[str, Any] = {
    "description": "The cases to use; `null` means all.",
    "type": ["array", "null"],
    "items": NAME,
    "minItems": 1,
    "uniqueItems": True,
    "default": None,
    "x-allowed": "a list of case ids, or null",
}
EXCLUDE: dict[str, Any] = {
    "description": "Cases to leave out.",
    "type": "array",
    "items": NAME,
    "uniqueItems": True,
    "default": [],
    "x-allowed": "a list of case ids",
}
LABELS: dict[str, Any] = {"default": None, "$ref": "#/$defs/labels"}
DATA_ROOT: dict[str, Any] = {
    "description": "Folder that holds the cases, relative to the working directory. A symbolic link that leads out of "
    "it is refused.",
    "type": "string",
    "minLength": 1,
}


class Source(Kind):
    """Where the paired MR and CT come from: their ids and their files.

    A subclass lists its cases (`available`) and the files of each (`files`), or makes the images itself (`make_case`).
    `self.root` is the folder that relative paths start from (`self.path`).
    """

    GROUP: ClassVar[str] = "sources"
    TAG: ClassVar[str] = "source"
    SECTION: ClassVar[str] = "data"
    aligned: ClassVar[bool] = False  # its pairs need no registration, unless the study asks for it
    registration: ClassVar[str] = "elastix"  # the method, unless the study asks for another
    knows_deformation: ClassVar[bool] = False  # `make_case` returns the displacement, for the registration `truth`
    makes_cases: ClassVar[bool] = False  # by `make_case`: there are no files to read, to check, to complain about
    columns: ClassVar[tuple[str, ...]] = ()  # that its cases can be split by
    label_maps: ClassVar[str] = ""  # where a user names the label maps that come with the cases; "": nowhere

    def __init__(self, options: Mapping[str, Any], entry: str = "", task: Any = None, root: Path = Path()):
        super().__init__(options, entry, task)
        self.root = Path(root)

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return ("available",), (("make_case",) if cls.makes_cases else ("files",))

    @property
    def place(self) -> str:
        return f"tasks.{self.task.name}.data"

    def path(self, name: str | Path) -> Path:
        """A path of the study file: `~` is the home folder, relative ones start from `root`."""
        return normal(self.root, name)

    # --- cases and files

    def available(self) -> list[str]:
        """Every case id that the source has, in a fixed order, whatever `cases` and `exclude` say."""
        raise NotImplementedError(f"{type(self).__name__}.available")

    def cases(self) -> list[str]:
        """The case ids of the task, in a fixed order: those that `cases` lists, or all, without `exclude`.

        Raises ConfigError for an unusable, unknown or repeated id, or no case left.
        """
        available = [check_id(case, f"the source '{self.name}'") for case in self.available()]
        asked = self.options.get("cases")
        wanted = asked if isinstance(asked, list) else available
        excluded = self.options.get("exclude") or []
        for where, ids in (("data.cases", wanted), ("data.exclude", excluded)):
            check_unique(where, ids)
            _check_known(where, ids, available)
        left_out = set(excluded)
        cases = [case for case in wanted if case not in left_out]
        if not cases:
            raise ConfigError(
                "data: no case is left",
                found=f"{len(wanted)} cases listed, {len(excluded)} excluded",
                expected="at least one case",
                hint="shorten data.exclude or name more cases in data.cases",
            )
        return cases

    def files(self, case: str) -> dict[str, Path]:
        """Role (of `image_roles`, or `mask`, `labels`, `mr_contour`, `ct_contour`) -> path of a file, or of a folder of
        DICOM files. They need not exist yet: a download rule makes those of `download_folder`."""
        if self.makes_cases:
            return {}
        raise NotImplementedError(f"{type(self).__name__}.files")

    def input_files(self, case: str) -> list[Path]:
        """What a rule that reads the case depends on: its folder where that is downloaded, else the files that exist.

        A file that is missing is the import's to complain about, where planning has not done so.
        """
        files = self.files(case)
        if self.needs_download(case):
            return [files["ct"].parent]
        return [path for path in files.values() if path.exists()]

    def series(self, case: str) -> dict[str, str]:
        """Role (of `image_roles`) -> SeriesInstanceUID, where the study names the series to take from a folder."""
        return {}

    def column(self, name: str) -> dict[str, str]:
        """Case id -> value of a column to split by. Raises ConfigError for a column that there is not."""
        raise ConfigError(
            f"the source '{self.name}' has no such column",
            found=name,
            expected=", ".join(self.columns) or "none",
            hint="list the cases in a table (data.source: table), which may have any columns",
        )

    @property
    def has_mr(self) -> bool:
        """Whether its cases have an MR. Real CTs alone can judge rows from files; nothing can be trained on them."""
        return True

    @property
    def has_ct(self) -> bool:
        """Whether its cases have a CT. Label maps alone can judge the label maps of rows; there is no other image."""
        return True

    @property
    def mr_channels(self) -> tuple[str, ...]:
        """The names of the channels of its MRs, where each has several (study.channels); () of an MR of one image."""
        return ()

    @property
    def image_roles(self) -> tuple[str, ...]:
        """The roles of the images that each case has: `mr` and other channels of the MR, and `ct`; or its `labels`,
        of cases that are label maps alone."""
        return (*(channels.roles(self.mr_channels) if self.has_mr else ()), "ct" if self.has_ct else "labels")

    @property
    def base_folder(self) -> Path | None:
        """The folder that the cases' files must lie in; None where they may lie anywhere, or there are none."""
        return None

    # --- downloads

    @property
    def download_folder(self) -> Path | None:
        """Where the download rules put cases; None for a source without downloads."""
        return None

    def needs_download(self, case: str) -> bool:
        """Whether the files of a case are to be made by the download rules (it looks at no checksum)."""
        return False

    # --- labels

    @property
    def has_label_files(self) -> bool:
        """Whether the study says that each case comes with a label map of its own."""
        return (self.options.get("labels") or {}).get("kind") == "files"

    def label_ids(self) -> dict[str, int]:
        """The label values that its cases carry: name -> value; {} for a source without labels."""
        labels = self.options.get("labels") or {}
        if self.has_label_files:
            return dict(labels["classes"])
        return {name: number for number, name in enumerate(labels.get("structures") or {}, start=1)}

    def label_names(self) -> list[str]:
        """The names of the labels that its cases can have: those that a segmenter may learn."""
        return list(self.label_ids())

    @property
    def has_true_labels(self) -> bool:
        """Whether the labels are the truth, so that segmenters can be judged by them (phantoms)."""
        return False

    # --- the import

    def make_case(self, case: str, seed: int) -> "tuple[dict[str, Volume], dict[str, Any]]":
        """The images of a case, of a source that `makes_cases`, and what the case's record shall say of them.

        seed: the study's. The images: those of `image_roles`, the CT in HU; and what there is of `mask` (on the MR's
        grid), `labels`, `mr_labels` (label maps on the CT's and the MR's grid) and `displacement` (on the MR's grid:
        for each voxel the way to where its tissue lies in the CT, in mm, x, y, z).
        """
        raise NotImplementedError(f"{type(self).__name__}.make_case")

    def import_options(self) -> dict[str, Any]:
        """The options that the import of a case depends on: which other cases there are is not among them."""
        return {key: value for key, value in self.options.items() if key not in ("cases", "exclude", "url")}

    # --- for people

    @property
    def title(self) -> str:
        """What the report calls it."""
        return self.name

    def problems(self) -> Iterable[str]:
        """Label maps that come with the cases need a source that can name them."""
        if self.has_label_files and not self.label_maps:
            from .registry import SOURCES

            able = ", ".join(name for name, source in SOURCES.classes().items() if source.label_maps)
            yield (
                f"{self.place}.labels.kind: 'files' needs a source that names label maps; "
                f"found: data.source '{self.name}'; allowed: {able}"
            )


class RootSource(Source):
    """A source whose files all lie in the folder that its option `root` names."""

    @property
    def base_folder(self) -> Path:
        return self.path(self.options["root"])


def normal(root: Path, name: str | Path) -> Path:
    """A path of the study file below `root`, without `..` in it."""
    return Path(os.path.normpath(root / Path(name).expanduser()))


def _check_known(where: str, ids: Sequence[str], known: Sequence[str]) -> None:
    available = set(known)
    unknown = [str(case) for case in ids if case not in available]
    if unknown:
        shown = known if len(known) <= 40 else [*known[:5], "...", known[-1]]
        raise ConfigError(
            f"{where}: not a case of this source",
            found=", ".join(unknown),
            expected=", ".join(shown),
            hint="correct the id or remove it",
        )

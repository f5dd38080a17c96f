"""What a data source is, as a study file names it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ...base.errors import ConfigError
from .kind import Kind


class Source(Kind):
    """Where the paired MR and CT come from: their ids and their files.

    A subclass lists its cases (`available`) and the files of each (`files`). `self.root` is the folder that relative
    paths start from.
    """

    GROUP: ClassVar[str] = "sources"
    TAG: ClassVar[str] = "source"
    SECTION: ClassVar[str] = "data"
    aligned: ClassVar[bool] = False  # its pairs need no registration, unless the study asks for it

    def __init__(self, options: Mapping[str, Any], entry: str = "", task: Any = None, root: Path = Path()):
        super().__init__(options, entry, task)
        self.root = Path(root)

    @property
    def place(self) -> str:
        return f"tasks.{self.task.name}.data"

    # --- cases and files

    def available(self) -> list[str]:
        """Every case id that the source has, in a fixed order, whatever `cases` and `exclude` say."""
        raise NotImplementedError(f"{type(self).__name__}.available")

    def files(self, case: str) -> dict[str, Path]:
        """Role (`mr`, `ct`, `mask`, `labels`, `mr_contour`, `ct_contour`) -> path of a file, or of a folder of DICOM
        files. They need not exist yet: a download rule makes those of `download_folder`."""
        raise NotImplementedError(f"{type(self).__name__}.files")

    def series(self, case: str) -> dict[str, str]:
        """Role (`mr`, `ct`) -> SeriesInstanceUID, where the study names the series to take from a folder."""
        return {}

    def column(self, name: str) -> dict[str, str]:
        """Case id -> value of a column to split by. Raises ConfigError for a column that there is not."""
        raise ConfigError(
            f"the source '{self.name}' has no such column",
            found=name,
            expected="none",
            hint="list the cases in a table (data.source: table), which may have any columns",
        )

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

    def label_ids(self) -> dict[str, int]:
        """The label values that its cases carry: name -> value; {} for a source without labels."""
        labels = self.options.get("labels") or {}
        if labels.get("kind") == "files":
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

    def read_case(self, case: str, seed: int) -> Any:
        """The images of a case as `data.importing` takes them; None where `files` are read."""
        return None

    def import_options(self) -> dict[str, Any]:
        """The options that the import of a case depends on: which other cases there are is not among them."""
        return {key: value for key, value in self.options.items() if key not in ("cases", "exclude", "url")}

    def problems(self) -> Iterable[str]:
        return ()

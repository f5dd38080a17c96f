"""What a feature network that is no segmenter is, as a study file names it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

from .kind import Kind
from .segmenter import expand_paths

if TYPE_CHECKING:
    from ...features.base import FeatureNetwork

DOWNLOADS = "resources/networks"
DOWNLOAD: dict[str, Any] = {
    "description": "A file that is downloaded once, and checked. It may be put into "
    "`resources/networks/<first 12 letters of its sha256>/` by hand.",
    "type": "object",
    "additionalProperties": False,
    "required": ["url", "sha256"],
    "properties": {
        "url": {
            "description": "Its address.",
            "type": "string",
            "pattern": "^https://[^/]+/.+",
            "x-allowed": "an address that begins with https://",
        },
        "sha256": {
            "description": "Its checksum.",
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "x-allowed": "64 digits and letters a to f",
        },
    },
}


class Network(Kind):
    """A frozen network whose features a loss compares.

    A subclass says where its weights are (`inputs`), what a job is told of it (`features`), and how it is loaded
    (`load`, or `implementation`, called with the rest of `features` as keywords).
    """

    GROUP: ClassVar[str] = "networks"
    SECTION: ClassVar[str] = "feature_networks"
    PATHS: ClassVar[tuple[str, ...]] = ("folder", "weights", "path")

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return ("inputs",), ("features",), *(() if cls.implementation else (("load",),))

    def complete(self, options: dict[str, Any]) -> None:
        """Fill in what the entry inherits from its task, in place; `~` in its paths."""
        expand_paths(options, self.PATHS, self.task.root)

    @property
    def trained_here(self) -> bool:
        """Whether the workflow trains its weights (a stand-in)."""
        return False

    @property
    def download(self) -> dict[str, Any] | None:
        """The `url` and `sha256` of weights that are downloaded."""
        return None

    @property
    def has_logits(self) -> bool:
        """Whether losses can read its output as a segmentation: an nnU-Net."""
        return False

    def inputs(self, fold_folder: str) -> list[str]:
        """The files of weights. fold_folder: `results/<task>/<fold>`, where trained networks lie."""
        raise NotImplementedError(f"{type(self).__name__}.inputs")

    def features(self, fold_folder: str) -> dict[str, Any]:
        """What `features.load` takes: {"kind": ..., and the options of `load`}."""
        raise NotImplementedError(f"{type(self).__name__}.features")

    def training_options(self) -> dict[str, Any]:
        """What the job that trains its weights is told, where the workflow trains them."""
        raise NotImplementedError(f"{type(self).__name__}.training_options")

    @classmethod
    def weight_files(cls, options: Mapping[str, Any]) -> list[Path]:
        """The files that `features` named: a training that was killed goes on only while they are the same.

        options: what `features` said. By default every file, and every file in a folder, that PATHS name.
        """
        named = [options[key] for key in cls.PATHS if options.get(key)]
        paths = [Path(path) for entry in named for path in (entry if isinstance(entry, list) else [entry])]
        return [file for path in paths for file in (_files_in(path) if path.is_dir() else [path])]

    def layer_problem(self, layers: object) -> str | None:
        """What is wrong with the option `layers` of a loss that uses it; None where nothing is, or nobody can know."""
        return None

    @classmethod
    def load(cls, **options: Any) -> "FeatureNetwork":
        """The network, frozen. options: `spacing_mm`, `layers`, and what `features` said without `kind`."""
        network: FeatureNetwork = cls.implement()(**options)
        return network

    def unused(self) -> Iterable[str]:
        """Options given in vain, one `key: what; hint` each. Asked before defaults are filled in."""
        return ()


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def download_path(weights: Mapping[str, str]) -> str:
    """Where downloaded weights lie: a folder named by their checksum, so that other files never meet."""
    return f"{DOWNLOADS}/{weights['sha256'][:12]}/{unquote(urlsplit(weights['url']).path).rsplit('/', 1)[-1]}"

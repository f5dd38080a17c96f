"""What a feature network that is no segmenter is, as a study file names it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind
from .segmenter import expand_paths

if TYPE_CHECKING:
    from ...features.base import FeatureNetwork


class Network(Kind):
    """A frozen network whose features a loss compares.

    A subclass says where its weights are (`inputs`), what a job is told of it (`features`), and how it is loaded
    (`load`, or `implementation`, called with the rest of `features` as keywords).
    """

    GROUP: ClassVar[str] = "networks"
    SECTION: ClassVar[str] = "feature_networks"
    PATHS: ClassVar[tuple[str, ...]] = ("folder", "weights", "path")

    def complete(self, options: dict[str, Any]) -> None:
        """Fill in what the entry inherits from its task, in place; `~` in its paths."""
        expand_paths(options, self.PATHS)

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

    def layer_problem(self, layers: object) -> str | None:
        """What is wrong with the option `layers` of a loss that uses it; None where nothing is, or nobody can know."""
        return None

    @classmethod
    def load(cls, **options: Any) -> "FeatureNetwork":
        """The network, frozen. options: `spacing_mm`, `layers`, and what `features` said without `kind`."""
        network: FeatureNetwork = cls.implement()(**options)
        return network

    def problems(self) -> Iterable[str]:
        return ()

"""What planning must know of each kind of thing that a study file names. Derive from these classes to add one."""

from .generator import Generator
from .kind import Kind
from .loss import Loss
from .metric import Metric
from .network import Network
from .segmenter import Segmenter
from .source import Source
from .table import Table

__all__ = ["Generator", "Kind", "Loss", "Metric", "Network", "Segmenter", "Source", "Table"]

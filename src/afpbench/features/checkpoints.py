"""Read PyTorch checkpoints from anywhere without running code that they may hold."""

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from ..base.errors import ModelError

# What nnU-Net's checkpoints hold beside tensors and plain Python: NumPy numbers (and seldom arrays) in the logs, under
# NumPy 2's and NumPy 1's module names. None of them can run code.
_DTYPES = ("Float64", "Float32", "Float16", "Int64", "Int32", "Int16", "Int8", "UInt8", "Bool")
_NUMPY = import_module("numpy._core.multiarray")
_SAFE = [
    np.dtype,
    np.ndarray,
    *(getattr(np.dtypes, f"{name}DType") for name in _DTYPES),
    _NUMPY.scalar,
    _NUMPY._reconstruct,
    (_NUMPY.scalar, "numpy.core.multiarray.scalar"),
    (_NUMPY._reconstruct, "numpy.core.multiarray._reconstruct"),
]


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint of nnU-Net without running any code that it may hold (`weights_only=True`), on the CPU.

    Raises ModelError for a damaged file, and for one that holds other objects than tensors, NumPy numbers and plain
    Python data.
    """
    path = Path(path)
    try:
        with torch.serialization.safe_globals(_SAFE):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"checkpoint not loaded: {path}",
            found=str(error).splitlines()[0],
            expected="tensors, NumPy numbers and plain Python data only",
            hint="the file is damaged, or its pickle holds objects that could run code; afpbench never runs them",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"cannot read the checkpoint {path}",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            hint="the file is truncated or damaged: copy it again",
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"not a checkpoint: {path}", found=type(content).__name__, expected="a dictionary")
    return content

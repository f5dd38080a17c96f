"""Read PyTorch checkpoints from anywhere without running code that they may hold."""

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..base.errors import ModelError

# What nnU-Net's checkpoints hold beside tensors and plain Python: NumPy numbers (and seldom arrays) in the logs, under
# NumPy 2's and NumPy 1's module names. None of them can run code.
_DTYPES = ("Float64", "Float32", "Float16", "Int64", "Int32", "Int16", "Int8", "UInt8", "Bool")
COMPILED = "_orig_mod."  # what torch.compile puts into the names of a module's weights
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
    """Read a checkpoint as `read_checkpoint`, with the names that weights had before torch.compile.

    Raises ModelError as that, and where two weights have one name then.
    """
    content = read_checkpoint(path)
    return {key: _plain_names(value, path) for key, value in _plain_names(content, path).items()}


def is_compiled(content: dict) -> bool:
    """Whether a checkpoint is that of a network in torch.compile: `_orig_mod.` stands before each weight's name."""
    names = [*content, *(name for value in content.values() if isinstance(value, dict) for name in value)]
    return any(COMPILED in str(name) for name in names)


def _plain_names(content: Any, path: str | Path) -> Any:
    if not isinstance(content, dict) or not any(COMPILED in str(name) for name in content):
        return content
    plain = {str(name).replace(COMPILED, ""): value for name, value in content.items()}
    if len(plain) < len(content):
        raise ModelError(
            f"two sets of weights in one checkpoint: {path}",
            found=f"{len(content) - len(plain)} names with and without {COMPILED}",
            expected="each weight once",
            hint="save the network's state again, from the network itself or from what torch.compile made of it",
        )
    return plain


def read_checkpoint(path: str | Path) -> dict:
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

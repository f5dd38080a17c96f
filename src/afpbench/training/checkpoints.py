"""Checkpoints that survive: written under another name and renamed, with a checksum beside them, the one before
kept, and the state of every random generator inside."""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..base.atomic import atomic_path, sha256_of, write_text
from ..base.log import logger


def random_state() -> dict:
    """The state of Python's, NumPy's and torch's generators, as plain types and tensors."""
    generator: dict[str, Any] = np.random.get_state(legacy=False)
    kind, keys, position = generator["bit_generator"], generator["state"]["key"], generator["state"]["pos"]
    has_gauss, cached = generator["has_gauss"], generator["gauss"]
    version, state, gauss = random.getstate()
    return {
        "python": [version, list(state), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict) -> None:
    """Put every generator back to a state that `random_state` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def for_inference(content: dict) -> dict:
    """A checkpoint's content without the states that only a training needs; its keys stay, as nnU-Net has them."""
    return {**content, "optimizer_state": None, "grad_scaler_state": None}


def save(content: dict, path: Path) -> None:
    """Write a checkpoint atomically with its sha256; the file that was there becomes `<name>.previous`."""
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
        digest = sha256_of(temporary)
        if path.exists():
            previous = path.with_name(path.name + ".previous")
            os.replace(path, previous)
            if _digest_file(path).exists():
                os.replace(_digest_file(path), _digest_file(previous))
        write_text(_digest_file(path), digest + "\n")


def newest_intact(path: Path) -> Path | None:
    """The checkpoint at `path` if its checksum holds, else the one before it, else None."""
    candidates = (path, path.with_name(path.name + ".previous"))
    # Either checksum counts for either file: a kill may have fallen between the renames of a file and of its checksum.
    digests = {path.read_text().strip() for path in map(_digest_file, candidates) if path.exists()}
    for candidate in candidates:
        if not candidate.exists():
            continue
        if sha256_of(candidate) in digests:
            return candidate
        logger.warning("checkpoint %s is corrupt (its checksum does not hold): going back to the one before", candidate)
    return None


def remove(path: Path) -> None:
    """Delete a rolling checkpoint, the one before it, and their checksums."""
    for candidate in (path, path.with_name(path.name + ".previous")):
        candidate.unlink(missing_ok=True)
        _digest_file(candidate).unlink(missing_ok=True)


def load(path: Path) -> dict:
    """Load a checkpoint that `save` wrote: tensors and plain types only, no code (`weights_only=True`)."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _digest_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def plain(value):
    """NumPy scalars and arrays as Python's own types, so that a checkpoint holds no code."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value

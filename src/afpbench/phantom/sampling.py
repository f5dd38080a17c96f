"""From a fine grid to a coarse one: means of blocks, and the vote on a block's label."""

import numpy as np

from .labels import AIRWAY_CLASSES, LABELS


def blocks(array: np.ndarray, factor: int) -> np.ndarray:
    """(z, y, x) with axes divisible by factor -> (factor**3, z/factor, y/factor, x/factor)."""
    z, y, x = (size // factor for size in array.shape)
    split = array.reshape(z, factor, y, factor, x, factor).transpose(1, 3, 5, 0, 2, 4)
    return split.reshape(factor**3, z, y, x)


def block_mean(array: np.ndarray, factor: int) -> np.ndarray:
    """The mean of every block, float32."""
    parts = [
        array[i::factor, j::factor, k::factor] for i in range(factor) for j in range(factor) for k in range(factor)
    ]
    return np.asarray(sum(parts) / np.float32(factor**3))


def block_vote(labels: np.ndarray, factor: int) -> np.ndarray:
    """The label of every block (uint8).

    Airway classes count together and double against the rest, so that a voxel of which three eighths are airway is
    airway: otherwise thin branches would break up. Within the winner, the most frequent label; ties go to the
    sample that comes first.
    """
    family = np.arange(256, dtype=np.uint8)
    family[[LABELS[name] for name in AIRWAY_CLASSES]] = LABELS["airway_lumen"]
    samples = blocks(labels, factor)
    same = (samples == samples[:1]).all(axis=0)
    result = samples[0].copy()
    mixed = samples[:, ~same]
    families = family[mixed]
    own = np.stack([(mixed == mixed[i]).sum(axis=0, dtype=np.int16) for i in range(len(mixed))])
    kin = np.stack([(families == families[i]).sum(axis=0, dtype=np.int16) for i in range(len(mixed))])
    kin[families == LABELS["airway_lumen"]] *= 2
    score = kin * 100 + own
    result[~same] = np.take_along_axis(mixed, score.argmax(axis=0)[None], axis=0)[0]
    return result

"""How strong a checkerboard a network has left in an image.

Transposed convolutions leave patterns whose period is their stride (A. Odena et al., Deconvolution and checkerboard
artifacts, Distill 2016): 2 voxels from a decoder's last enlargement, 4 from the one before. Anatomy has no such period.
"""

import math

import numpy as np

PERIODS = (2, 4)
SHORTEST = 24  # voxels: below, no frequencies are left beside those of the periods
_GUARD = 2  # bins beside a period into which the Hann window spreads it, and one more
_NEIGHBOURS = 4  # bins on each side, after the guard; at most 1/16 of the line where that is more
_SLAB_VALUES = 1_000_000


def checkerboard(image: np.ndarray) -> float:
    """Root mean square of the image's patterns of period 2 and 4 voxels, in the image's unit (HU).

    image: (z, y, x). Along each axis of at least 24 voxels the power spectra of all lines are averaged (Hann window,
    length cut to a multiple of 4). At a period's frequency, what exceeds the geometric mean of the neighbouring
    frequencies is the pattern's; its energy is averaged over axes and summed over periods (0 where negative). Noise,
    edges and smooth structure count in both and cancel on average. A pattern A (-1)^(z+y+x) gives A, one along a
    single axis A / sqrt(3). NaN where every axis is too short.
    """
    image = np.asarray(image, np.float64)
    energies = [_axis_energy(np.moveaxis(image, axis, -1)) for axis in range(3) if image.shape[axis] >= SHORTEST]
    return math.sqrt(max(0.0, sum(energies) / len(energies))) if energies else math.nan


def _axis_energy(lines: np.ndarray) -> float:
    """Mean square of the patterns along the last axis."""
    length = lines.shape[-1] // max(PERIODS) * max(PERIODS)
    window = np.hanning(length + 1)[:-1]
    bins = [length // period for period in PERIODS]
    beside = [_neighbours(place, bins, length) for place in bins]
    wanted = sorted({*bins, *beside[0], *beside[1]})
    power = dict(zip(wanted, _mean_power(lines[..., :length], window, wanted), strict=True))
    energy = 0.0
    for period, place, near in zip(PERIODS, bins, beside, strict=True):
        neighbours = np.array([power[k] for k in near])
        usual = math.exp(np.log(neighbours).mean()) if (neighbours > 0).all() else 0.0
        sides = 1 if period == 2 else 2  # a cosine has half its amplitude at each sign of its frequency, but at Nyquist
        energy += sides * (power[place] - usual) / window.sum() ** 2
    return energy


def _mean_power(lines: np.ndarray, window: np.ndarray, bins: list[int]) -> np.ndarray:
    """The power at these frequencies of the windowed lines, each about its mean, averaged over all lines.

    The Fourier transform of so few frequencies is a product with a matrix, into which mean and window go too.
    """
    length = lines.shape[-1]
    angles = 2 * np.pi / length * (np.outer(np.arange(length), bins) % length)
    waves = window[:, None] * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    waves -= waves.mean(axis=0)
    depth = max(1, _SLAB_VALUES // (lines.shape[1] * waves.shape[1]))
    total = np.zeros(waves.shape[1])
    for start in range(0, len(lines), depth):
        spectrum = lines[start : start + depth] @ waves
        total += np.einsum("zyk,zyk->k", spectrum, spectrum)
    return (total[: len(bins)] + total[len(bins) :]) / (lines.shape[0] * lines.shape[1])


def _neighbours(place: int, bins: list[int], length: int) -> list[int]:
    """The bins around a period's own, less those near any period's, and those below a period of 8."""
    reach = _GUARD + max(_NEIGHBOURS - _GUARD, length // 16)
    near = range(max(length // 8, place - reach), min(length // 2, place + reach) + 1)
    return [k for k in near if all(abs(k - other) > _GUARD for other in bins)]

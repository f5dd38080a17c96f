"""Labels of tissue from ranges of HU, with clean-up: for real patients whose anatomy nobody has outlined.

The ranges in common use: adipose tissue -190 to -30 HU and skeletal muscle -29 to 150 HU (Aubrey et al. 2014, Acta
Physiologica 210: 489; Mitsiopoulos et al. 1998, J Appl Physiol 85: 115), lean muscle of normal attenuation 30 to
150 HU; bone from 150 to 200 HU upwards. A range alone makes noise: partial volume puts a line of "muscle" round every
bone and under the skin, and marrow has the HU of fat. The clean-up of each structure removes these.
"""

import numpy as np

from ..base.errors import DataError
from ..volumes.io import Volume
from ..volumes.morphology import closed, dilated, filled_slices, large_components, opened
from ..volumes.preprocessing import body_mask_ct

MAX_HU = 3071


def hu_labels(ct: Volume, structures: dict[str, dict], case: str) -> np.ndarray:
    """The label map of a CT, uint8, on its grid: 1, 2, ... in the order of `structures`; 0 elsewhere.

    structures: name -> {"hu": [low, high], and optionally "smooth_mm" (sigma of a Gaussian on the CT before the
    threshold), "close_mm" (radius of a closing), "fill" (fill holes in each slice along z: marrow inside a bone's
    cortex), "open_mm" (radius of an opening: removes what is thinner than twice that, such as skin), "margin_mm"
    (distance kept from the structures before it: partial volume), "min_volume_mm3" (smaller components go)}.
    A voxel belongs to the first structure that claims it. Everything lies inside the body.
    Raises DataError for a case in which a structure has no voxel.
    """
    body = body_mask_ct(ct)
    labels = np.zeros(ct.array.shape, np.uint8)
    for number, (name, rule) in enumerate(structures.items(), start=1):
        mask = _structure(ct, rule, body, labels > 0)
        if not mask.any():
            raise DataError(
                f"case {case}: no voxel of '{name}' in the CT",
                found=f"HU from {ct.array.min():.0f} to {ct.array.max():.0f}, body {body.mean():.0%} of the volume",
                expected=f"tissue of {rule['hu'][0]} to {rule['hu'][1]} HU that stays after clean-up",
                hint=f"widen data.labels.structures.{name}, lower its min_volume_mm3, or leave the case out",
            )
        labels[mask] = number
    return labels


def _structure(ct: Volume, rule: dict, body: np.ndarray, taken: np.ndarray) -> np.ndarray:
    spacing_mm = ct.spacing_mm
    low, high = rule["hu"]
    hu = _smoothed(ct, rule.get("smooth_mm", 0.0))
    mask = (hu >= low) & ((hu <= high) | (high >= MAX_HU)) & body
    smallest = rule.get("min_volume_mm3", 0.0) / float(np.prod(spacing_mm))
    if rule.get("close_mm"):
        mask = closed(mask, spacing_mm, rule["close_mm"]) & body
    if rule.get("fill"):
        mask = filled_slices(mask)
    free = ~dilated(taken, spacing_mm, rule["margin_mm"]) if rule.get("margin_mm") else ~taken
    mask &= free
    if rule.get("open_mm"):
        mask = opened(mask, spacing_mm, rule["open_mm"])
    return large_components(mask, smallest_voxels=smallest)


def _smoothed(ct: Volume, sigma_mm: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    array = ct.array.astype(np.float32)
    if not sigma_mm:
        return array
    return gaussian_filter(array, sigma_mm / np.array(ct.spacing_mm), mode="nearest")

"""How much anatomy differs between cases: between phantoms, and between patients.

    PYTHONPATH=src python benchmarks/phantom_variation.py [--regions thorax pelvis] [--cases 18] [--train 10]
        [--seed 101] [--patients FOLDER]

Cases are moved so that the centres of their bodies coincide, in whole voxels, as the control `mean_ct` moves them. Then
the Dice of their bones (and airways) is taken: between all pairs; between a case and the mean CT of training cases, cut
at 150 HU; and between a case and the voxels that at least a certain share of the training cases have, at the share that
serves the test cases best. The last is a bound on what any judge could find in a mean image.

Phantoms have true labels. Patients (the folder that AFPBENCH_REAL_DATA names, or --patients) have bones by HU, as
config/sts.yaml finds them, on voxels of 3 mm. Their groups were formed by eye: what a CT of them shows.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import ndimage

from afpbench.data.hu_labels import hu_labels
from afpbench.phantom.generate import REGIONS, generate
from afpbench.phantom.labels import AIRWAY_CLASSES, LABELS
from afpbench.phantom.spine import bone_ids
from afpbench.study.kinds.sources.sts import REAL_DATA_VARIABLE
from afpbench.volumes import io
from afpbench.volumes.preprocessing import body_mask_ct, resample, task_grid

SPACING_MM = (3.0, 3.0, 3.0)
AIR_HU = -1024
BONE_HU = 150  # of a mean image, whose bones are blurred
SHARES = np.arange(0.1, 0.75, 0.1)
BONE_RULE = {"hu": [180, 3071], "smooth_mm": 0.8, "close_mm": 4, "fill": True, "open_mm": 1.2, "min_volume_mm3": 1000}
GROUPS = {  # name: (left limbs, right limbs, which are mirrored)
    "hip and thigh": (["STS_001", "STS_029", "STS_048", "STS_050"], ["STS_014", "STS_040", "STS_044"]),
    "shaft of the thigh": (
        ["STS_004", "STS_006", "STS_022", "STS_023", "STS_024", "STS_034", "STS_038", "STS_043"],
        [],
    ),
    "knee and lower leg": (["STS_010", "STS_025", "STS_028", "STS_032", "STS_035", "STS_042", "STS_051"], []),
}


@dataclass(frozen=True)
class Case:
    """hu: int16 (z, y, x); structures: masks by name; centre: of the body, in voxels z, y, x."""

    hu: np.ndarray
    structures: dict[str, np.ndarray]
    centre: np.ndarray


def main() -> None:
    options = arguments()
    print("| cases | n | structure | pairs of cases | mean CT | share of the cases | s per case |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for region in options.regions:
        show(f"{region}, phantom", phantoms(region, options.cases, options.seed), options.train)
    for name, sides in GROUPS.items() if options.patients else ():
        show(f"{name}, patients", patients(Path(options.patients) / "sts", *sides), train=None)


def phantoms(region: str, count: int, seed: int) -> Iterator[Case]:
    """The phantoms of a region, with their true labels."""
    for index in range(count):
        made = generate(region, index, seed, SPACING_MM)
        labels = made.ct_labels.array
        structures = {"bones": np.isin(labels, bone_ids())}
        if region == "thorax":
            structures["airways"] = np.isin(labels, [LABELS[name] for name in AIRWAY_CLASSES])
        yield Case(made.ct.array, structures, body_centre(labels > 0))


def patients(folder: Path, left: Sequence[str], right: Sequence[str]) -> Iterator[Case]:
    """Patients of the STS data, those of the right limb mirrored; their bones by HU."""
    for name in [*left, *right]:
        ct = io.read(folder / name / "CT_image.nii.gz", f"case {name}: CT")
        ct = resample(ct, task_grid(ct.geometry, SPACING_MM))
        bones, body = hu_labels(ct, {"bone": BONE_RULE}, name) > 0, body_mask_ct(ct)
        hu, bones, body = (a[:, :, ::-1] if name in right else a for a in (ct.array, bones, body))
        yield Case(hu, {"bones": bones}, body_centre(body))


def body_centre(body: np.ndarray) -> np.ndarray:
    """Centre of mass of a mask, in whole voxels."""
    return np.rint(ndimage.center_of_mass(body)).astype(int)


def show(name: str, made: Iterator[Case], train: int | None) -> None:
    """Print one line for each structure. train: the number of training cases; None tests each case on all others."""
    started = time.process_time()
    cases = list(made)
    seconds = (time.process_time() - started) / len(cases)
    shape = np.max([np.array(case.hu.shape) for case in cases], axis=0) * 2
    hu = np.stack([centred(case.hu, case.centre, shape, AIR_HU) for case in cases])
    covered = np.stack([centred(np.ones(case.hu.shape, bool), case.centre, shape, False) for case in cases])
    for structure in cases[0].structures:
        masks = np.stack([centred(case.structures[structure], case.centre, shape, False) for case in cases])
        pairs = [dice(masks[i], masks[j], covered[i] & covered[j]) for i, j in combinations(range(len(cases)), 2)]
        found, shares = against_training(hu, masks, covered, train)
        mean = f"{np.mean(found):.3f}" if structure == "bones" else ""
        best = SHARES[shares.mean(axis=0).argmax()]
        print(
            f"| {name} | {len(cases)} | {structure} | {np.mean(pairs):.3f} ± {np.std(pairs):.3f} | {mean} |"
            f" {shares.mean(axis=0).max():.3f} ({best:.1f}) | {seconds:.1f} |",
            flush=True,
        )


def centred(array: np.ndarray, centre: np.ndarray, shape: np.ndarray, fill) -> np.ndarray:
    """The array in a larger one, with the voxel `centre` in its middle."""
    result = np.full(shape, fill, array.dtype)
    first = shape // 2 - centre
    result[tuple(slice(start, start + size) for start, size in zip(first, array.shape, strict=True))] = array
    return result


def against_training(hu: np.ndarray, masks: np.ndarray, covered: np.ndarray, train: int | None):
    """Dice of each test case with the mean CT at BONE_HU, and with each share of the training cases: (n,), (n, shares).

    hu, masks, covered: (cases, z, y, x); means are taken over the cases that cover a voxel.
    """
    everyone = np.arange(len(masks))
    tests = everyone if train is None else everyone[train:]
    found, shares = [], []
    for test in tests:
        known = everyone[everyone != test] if train is None else everyone[:train]
        count = np.maximum(covered[known].sum(axis=0), 1)
        mean = (hu[known] * covered[known]).sum(axis=0, dtype=np.float32) / count
        share = masks[known].sum(axis=0) / count
        found.append(dice(mean > BONE_HU, masks[test], covered[test]))
        shares.append([dice(share > cut - 1e-6, masks[test], covered[test]) for cut in SHARES])
    return np.array(found), np.array(shares)


def dice(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    """Dice of two masks in the voxels `where` both are known."""
    a, b = a & where, b & where
    return 2 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", nargs="*", default=list(REGIONS), choices=list(REGIONS))
    parser.add_argument("--cases", type=int, default=18)
    parser.add_argument("--train", type=int, default=10, help="how many of the phantoms the mean is taken of")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--patients", default=os.environ.get(REAL_DATA_VARIABLE), help="folder with sts/STS_0NN/")
    return parser.parse_args()


if __name__ == "__main__":
    main()

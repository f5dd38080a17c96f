"""Draw docs/figures/phantom.png: MR, CT and true labels of one thorax and one pelvis of the phantom study.

Run it in the project's environment: python docs/figures/make_phantom.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from afpbench.phantom.generate import generate
from afpbench.phantom.labels import AIRWAY_CLASSES, LABELS
from afpbench.volumes.io import Volume

CASES = (("thorax", 2, 0.0), ("pelvis", 0, -14.0))  # region, index, and the y (LPS, mm) of the coronal slice
SEED = 2026  # of config/config.yaml
VESSELS = ("pulmonary_vessel", "aorta", "superior_vena_cava", "inferior_vena_cava", "iliac_artery_", "iliac_vena_")
GROUPS = {  # name: (colour, beginnings of label names)
    "bones": ("#f2e6b8", ("rib_", "vertebrae_", "sternum", "scapula_", "clavicula_", "hip_", "sacrum", "femur_")),
    "cartilage, discs": ("#bfa66a", ("costal_cartilages", "intervertebral_disc")),
    "airways": ("#2fb3e0", (*AIRWAY_CLASSES, "trachea")),
    "lung lobes": ("#2b4a6f", ("lung_",)),
    "vessels": ("#d1495b", VESSELS),
    "heart, liver, other organs": ("#8e5ea2", ("heart", "liver", "spleen", "stomach", "esophagus", "spinal_cord")),
    "bladder, prostate, bowel": ("#3f9b6f", ("urinary_bladder", "prostate", "rectum", "colon", "small_bowel")),
    "muscles": ("#b5533c", ("gluteus_", "iliopsoas_", "autochthon_", "other_muscle")),
    "fat, skin": ("#6b6459", ("subcutaneous_fat", "inner_fat", "skin")),
}


def colours() -> np.ndarray:
    """A colour for each label value, (256, 3)."""
    table = np.zeros((256, 3))
    for colour, beginnings in GROUPS.values():
        for name, value in LABELS.items():
            if name.startswith(tuple(beginnings)):
                table[value] = to_rgb(colour)
    return table


def coronal(volume: Volume, y_mm: float) -> tuple[np.ndarray, list[float]]:
    """The slice nearest to y, and its borders in mm: left, right, bottom, top (x, x, z, z)."""
    geometry = volume.geometry
    z, y, x = geometry.spacing_mm
    row = round((y_mm - geometry.origin_mm[1]) / y)
    plane = volume.array[:, int(np.clip(row, 0, geometry.shape[1] - 1))]
    left, bottom = geometry.origin_mm[0] - x / 2, geometry.origin_mm[2] - z / 2
    return plane, [left, left + x * geometry.shape[2], bottom, bottom + z * geometry.shape[0]]


def draw(target: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(2, 3, figsize=(10.2, 6.6), facecolor="black")
    for row, (region, index, y_mm) in zip(axes, CASES, strict=True):
        case = generate(region, index, SEED)
        (mr, mr_box), (ct, box) = coronal(case.mr, y_mm), coronal(case.ct, y_mm)
        labels, _ = coronal(case.ct_labels, y_mm)
        window = dict(vmin=-1000, vmax=500) if region == "thorax" else dict(vmin=-200, vmax=400)
        row[0].imshow(mr, cmap="gray", origin="lower", extent=mr_box, vmin=0, vmax=np.percentile(mr, 99.5))
        row[1].imshow(ct, cmap="gray", origin="lower", extent=box, interpolation="nearest", **window)
        row[2].imshow(colours()[labels], origin="lower", extent=box, interpolation="nearest")
        for axis, title in zip(row, ("MR", "CT", "labels of the CT"), strict=True):
            axis.set(xlim=box[:2], ylim=box[2:], xticks=[], yticks=[], facecolor="black")
            axis.set_title(f"{region}: {title}", color="white", fontsize=10)
    handles = [Patch(color=colour, label=name) for name, (colour, _) in GROUPS.items()]
    figure.legend(handles=handles, ncols=5, loc="lower center", frameon=False, labelcolor="white", fontsize=8.5)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.95, bottom=0.1, wspace=0.03, hspace=0.1)
    figure.savefig(target, dpi=110, facecolor="black", metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(__file__).with_name("phantom.png"))

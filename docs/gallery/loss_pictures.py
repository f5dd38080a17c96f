"""Pictures of the losses: what each punishes, and which way it pulls each voxel.

Three faulty synthetic CTs are made from the phantom's real CT: blurred, 100 HU too bright, and with soft tissue in the
place of bone. The maps show the step that a training would take; the bars, each loss's value for the three faults.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from phantom_slice import AIRWAYS, HU, SPACING_MM, TOTALSEGMENTATOR, case, coronal, show
from scipy.ndimage import gaussian_filter

from afpbench.losses import LossContext, build_loss
from afpbench.study.kinds.registry import LOSSES

MEAN_HU, STD_HU = -400.0, 450.0  # about those of a thorax
FAULTS = {  # name -> real CT in HU to a faulty one
    "blurred": lambda ct: gaussian_filter(ct, 1.2),
    "100 HU too bright": lambda ct: ct + 100,
    "without bone": lambda ct: np.where(ct > 180, 40, ct),
}
NETWORKS = {  # of a loss that takes networks, one picture for each; others take the first
    "afp": ("TotalSegmentator's role", "NaviAirway's role"),
    "perceptual": ("random MedicalNet",),
}


def draw_faults(target: Path) -> None:
    """The real CT and the three faulty ones."""
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.1))
    images = {"real CT": real_ct()} | {name: fault(real_ct()) for name, fault in FAULTS.items()}
    for axis, (name, image) in zip(axes, images.items(), strict=True):
        show(axis, coronal(image), name, **HU)
    save(figure, target)


def draw(name: str, networks: dict[str, dict], target: Path) -> None:
    """The picture of a loss; networks: specifications by name, for `features.load`."""
    takes = "networks" in LOSSES[name].properties
    chosen = NETWORKS.get(name, (next(iter(networks)),)) if takes else (None,)
    widths = {"width_ratios": (1, 1, 1, 0.62)}
    figure, grid = plt.subplots(len(chosen), 4, figsize=(9.6, 2.05 * len(chosen)), squeeze=False, gridspec_kw=widths)
    for row, network in zip(grid, chosen, strict=True):
        entry = {"term": name, **({"networks": [network]} if network else {})}
        values = {fault: gradient(entry, networks, make(real_ct())) for fault, make in FAULTS.items()}
        for axis, (fault, (_, plane)) in zip(row, values.items(), strict=False):
            limit = np.percentile(np.abs(plane), 99.5) or 1
            show(axis, plane, fault, cmap="RdBu_r", vmin=-limit, vmax=limit)
        row[0].set_ylabel(network or "", fontsize=8)
        bars(row[3], {fault: value for fault, (value, _) in values.items()})
    save(figure, target)


def gradient(entry: dict, networks: dict[str, dict], synthetic_hu: np.ndarray) -> tuple[float, np.ndarray]:
    """A term's value for a faulty CT, and the coronal slice of the step that lowers it: above 0 is brighter."""
    statistics = {"mean_hu": MEAN_HU, "std_hu": STD_HU}
    loss = build_loss([entry], LossContext(statistics, SPACING_MM, networks))
    synthetic = tensor(synthetic_hu).requires_grad_()
    total, _ = loss(synthetic, tensor(real_ct()))
    total.backward()
    return total.item(), -coronal(synthetic.grad[0, 0].numpy())


def bars(axis, values: dict[str, float]) -> None:
    """The values beside one another, as shares of their sum."""
    total = sum(values.values()) or 1
    shares = [value / total for value in values.values()]
    places = range(len(values), 0, -1)
    axis.barh(places, shares, height=0.35, color="#4c6fa5")
    axis.set(xlim=(0, 1.25), ylim=(0.6, len(values) + 0.75), xticks=[], yticks=[])
    for place, name, share in zip(places, values, shares, strict=True):
        axis.text(0, place + 0.27, name, fontsize=8)
        axis.text(share + 0.03, place, f"{share:.0%}", va="center", fontsize=8)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def real_ct() -> np.ndarray:
    """The phantom's CT in HU, float32."""
    return case().ct.array.astype(np.float32)


def tensor(hu: np.ndarray) -> torch.Tensor:
    """CT in HU as a normalised batch of one."""
    return torch.from_numpy(((hu - MEAN_HU) / STD_HU).astype(np.float32))[None, None]


def specifications(medicalnet: Path) -> dict[str, dict]:
    """The networks of the pictures. medicalnet: a checkpoint in MedicalNet's format."""
    (totalsegmentator,) = TOTALSEGMENTATOR.glob("Dataset*/*")
    return {
        "TotalSegmentator's role": {"kind": "nnunet", "folder": str(totalsegmentator)},
        "NaviAirway's role": {"kind": "nnunet", "folder": str(AIRWAYS)},
        "random MedicalNet": {"kind": "medicalnet", "weights": str(medicalnet)},
    }


def save(figure, target: Path) -> None:
    """Write a small PNG without anything that changes from run to run."""
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.05, hspace=0.16)
    options = {"bbox_inches": "tight", "pad_inches": 0.05, "metadata": {"Software": None}}
    figure.savefig(target, dpi=90, pil_kwargs={"optimize": True}, **options)
    plt.close(figure)

"""Pictures of feature networks and segmenters on the phantom's CT."""

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from loss_pictures import real_ct, save, specifications
from phantom_slice import AIRWAYS, HU, LESIONS, SPACING_MM, TOTALSEGMENTATOR, case, coronal, show

from afpbench.features import FeatureNetwork, load
from afpbench.features.medicalnet import ResNet
from afpbench.features.naviairway import SegAirwayModel
from afpbench.phantom.labels import AIRWAY_CLASSES, LABELS
from afpbench.segmenters.naviairway import post_process
from afpbench.segmenters.prediction import open_nnunet, open_totalsegmentator
from afpbench.study.kinds.segmenters.totalsegmentator import totalsegmentator_classes


def random_weights(folder: Path) -> tuple[Path, Path, Path]:
    """Checkpoints with random weights in the formats of MedicalNet and NaviAirway, and a TorchScript of averages."""
    torch.manual_seed(0)
    medicalnet = {f"module.{key}": value for key, value in ResNet(10, True).state_dict().items()}
    torch.save({"state_dict": medicalnet}, folder / "medicalnet.pth")
    torch.save({"model_state_dict": SegAirwayModel().state_dict()}, folder / "naviairway.pkl")
    averages = torch.nn.Sequential(torch.nn.AvgPool3d(2), torch.nn.AvgPool3d(2))
    torch.jit.save(torch.jit.trace(averages, torch.zeros(1, 1, 8, 8, 8)), folder / "averages.pt")
    return folder / "medicalnet.pth", folder / "naviairway.pkl", folder / "averages.pt"


def network_specifications(folder: Path) -> dict[str, dict]:
    """One network of each kind, for `features.load`."""
    medicalnet, naviairway, averages = random_weights(folder)
    return {
        "nnunet": specifications(medicalnet)["TotalSegmentator's role"],
        "medicalnet": {"kind": "medicalnet", "weights": str(medicalnet)},
        "naviairway": {"kind": "naviairway", "weights": [str(naviairway)]},
        "torchscript": {"kind": "torchscript", "path": str(averages), "std_hu": 500.0, "divisor": [4, 4, 4]},
    }


def draw_network(specification: dict, target: Path) -> None:
    """The CT, and of each layer the feature map that varies most in the slice."""
    network = load(specification, SPACING_MM)
    with torch.no_grad():
        features = network(torch.from_numpy(real_ct())[None, None])
    maps = [strongest(turned_back(network, feature[0])) for feature in features][:8]
    titles = [f"{name} ({len(f[0])})" for name, f in zip(network.layer_names, features, strict=True)]
    columns = min(len(maps) + 1, 5)
    rows = -(-(len(maps) + 1) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(9.6, 1.75 * rows), squeeze=False)
    axes = list(grid.flat)
    show(axes[0], coronal(real_ct()), "CT", **HU)
    for axis, plane, title in zip(axes[1:], maps, titles, strict=False):
        show(axis, plane, title, cmap="viridis")
    for axis in axes[len(maps) + 1 :]:
        axis.axis("off")
    save(figure, target)


def turned_back(network: FeatureNetwork, features: torch.Tensor) -> torch.Tensor:
    """Features (C, z, y, x) from the network's axes to the CT's."""
    mapping = network.mapping
    features = features.permute(0, *(1 + mapping.transpose.index(axis) for axis in range(3)))
    return features.flip([axis + 1 for axis in mapping.flip])


def strongest(features: torch.Tensor) -> np.ndarray:
    """The coronal slice of the feature map that varies most in it."""
    planes = np.stack([coronal(feature) for feature in features.numpy()])
    return planes[planes.std((1, 2)).argmax()]


def label_maps() -> dict[str, Callable[[], np.ndarray]]:
    """What a segmenter of each kind finds, or is made of: kind -> how its label map comes."""
    ct, true = case().ct, case().ct_labels.array
    airway_values = [LABELS[name] for name in (*AIRWAY_CLASSES, "trachea")]
    (model,) = TOTALSEGMENTATOR.glob("Dataset*/*")
    return {
        "totalsegmentator": lambda: open_totalsegmentator(TOTALSEGMENTATOR, "fast", "cpu", 1)(ct),
        "nnunet": lambda: open_nnunet(AIRWAYS, None, "cpu", 1)(ct),
        "trained": lambda: open_nnunet(LESIONS, None, "cpu", 1)(ct),
        "distilled": lambda: joined(open_nnunet(model, None, "cpu", 1)(ct)),
        "naviairway": lambda: mended(np.isin(true, airway_values)),
        "files": lambda: true,
    }


def joined(labels: np.ndarray) -> np.ndarray:
    """A teacher's classes joined into bones (1), lungs (2) and the rest of what it knows (3)."""
    names = totalsegmentator_classes()
    bones = ("rib_", "vertebrae_", "sternum", "scapula_", "clavicula_")
    group = {
        value: 1 if name.startswith(bones) else 2 if name.startswith("lung_") else 3 for value, name in names.items()
    }
    return np.vectorize(lambda value: group.get(value, 0))(labels).astype(np.uint8)


def mended(airways: np.ndarray) -> np.ndarray:
    """Airways with a slab cut away, after NaviAirway's post-processing: lost (1), kept (2), found again (3)."""
    low, high = airways.shape[0] * 2 // 5, airways.shape[0] * 2 // 5 + 2
    cut = airways.copy()
    cut[low:high] = False
    found = post_process(cut, np.where(airways, 0.6, 0.0).astype(np.float32))
    return np.where(found & cut, 2, np.where(found, 3, np.where(airways, 1, 0))).astype(np.uint8)


def draw_segmenter(kind: str, target: Path) -> None:
    """The CT, the labels on it, and all labels seen from the front."""
    labels = label_maps()[kind]()
    colours = np.vstack([[0, 0, 0, 0], plt.get_cmap("tab20")(np.arange(255) % 20)])
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.4))
    show(axes[0], coronal(real_ct()), "CT", **HU)
    show(axes[1], coronal(real_ct()), "labels in the slice", **HU)
    show(axes[1], colours[coronal(labels)], "labels in the slice")
    first = (labels > 0).argmax(1)
    front = np.take_along_axis(labels, first[:, None], 1)[:, 0]
    show(axes[2], np.where(front[..., None] > 0, colours[front], 1.0), "all labels, from the front")
    save(figure, target)

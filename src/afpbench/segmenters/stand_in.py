"""Stand-in weights in TotalSegmentator's own format, for machines where its real weights cannot be had.

The workflow trains a small nnU-Net on the classes that occur, then widens its output layers to all of
TotalSegmentator's classes: an absent class gets zero weights and a bias that never wins. The folder has the
names, the dataset.json and the checkpoint of the real model, so the real package runs it unchanged. Real
weights replace it through one config key (`weights`).
"""

import json
import shutil
from pathlib import Path

import torch

from ..base.atomic import write_json
from ..base.errors import ModelError
from ..study.kinds.segmenters.totalsegmentator import model_folder
from ..training import checkpoints

NEVER = -100.0  # a logit that no trained one falls below; nnU-Net sums weighted logits in float16, so no lower


def write_weights(trained: Path, class_ids: dict[str, int], all_classes: dict[int, str], task: str, out: Path) -> None:
    """Turn a trained model folder into a TotalSegmentator weights folder.

    trained: a model folder whose classes are 1..n. class_ids: its class names, in that order, with TotalSegmentator's
    ids. all_classes: TotalSegmentator's id -> name. out: what TOTALSEG_WEIGHTS_PATH shall name.
    """
    folder = model_folder(out, task)
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    labels = {"background": 0, **{name: value for value, name in sorted(all_classes.items())}}
    dataset = json.loads((trained / "dataset.json").read_text())
    trained_names = [name for name in dataset["labels"] if name != "background"]
    if trained_names != list(class_ids):
        raise ModelError(f"{trained}: unexpected classes", found=trained_names, expected=list(class_ids))
    write_json(folder / "dataset.json", {**dataset, "labels": labels})
    shutil.copyfile(trained / "plans.json", folder / "plans.json")
    content = checkpoints.load(trained / "fold_0" / "checkpoint_final.pth")
    rows = [0, *class_ids.values()]
    content["network_weights"] = widen(content["network_weights"], rows, len(labels))
    content["init_args"]["dataset_json"] = {**dataset, "labels": labels}
    torch.save(checkpoints.for_inference(content), folder / "fold_0" / "checkpoint_final.pth")
    for name in ("cost.json", "curves.csv"):
        shutil.copyfile(trained / name, out / name)


def widen(weights: dict[str, torch.Tensor], rows: list[int], n_classes: int) -> dict[str, torch.Tensor]:
    """Put output channel i of every segmentation layer at rows[i] of n_classes; the others never win."""
    result = {}
    for key, value in weights.items():
        if ".seg_layers." not in key:
            result[key] = value
            continue
        wide = torch.zeros(n_classes, *value.shape[1:], dtype=value.dtype)
        if key.endswith("bias"):
            wide.fill_(NEVER)
        wide[rows] = value
        result[key] = wide
    return result

import json

import pytest
import torch
from nnunet_folder import make_folder

from afpbench.base.errors import ModelError
from afpbench.segmenters.stand_in import NEVER, widen, write_weights
from afpbench.study.kinds.segmenters.totalsegmentator import model_folder
from afpbench.training import checkpoints


def test_widen_by_hand():
    weights = {
        "encoder.stages.0.weight": torch.ones(2, 2),
        "decoder.seg_layers.0.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "decoder.seg_layers.0.bias": torch.tensor([0.5, -0.5, 0.25]),
    }
    # Background stays 0; the two classes become 3 and 1 of 5.
    wide = widen(weights, [0, 3, 1], 5)
    assert wide["encoder.stages.0.weight"] is weights["encoder.stages.0.weight"]
    assert wide["decoder.seg_layers.0.weight"].tolist() == [[1, 2], [5, 6], [0, 0], [3, 4], [0, 0]]
    assert wide["decoder.seg_layers.0.bias"].tolist() == [0.5, 0.25, NEVER, -0.5, NEVER]


def test_widening_renames_the_classes_and_changes_nothing_else():
    torch.manual_seed(0)
    narrow = {"d.seg_layers.0.weight": torch.randn(3, 4), "d.seg_layers.0.bias": torch.randn(3)}
    wide = widen(narrow, [0, 7, 2], 9)
    x = torch.randn(1000, 4) * 5
    found = (x @ narrow["d.seg_layers.0.weight"].T + narrow["d.seg_layers.0.bias"]).argmax(1)
    widened = (x @ wide["d.seg_layers.0.weight"].T + wide["d.seg_layers.0.bias"]).argmax(1)
    assert torch.equal(torch.tensor([0, 7, 2])[found], widened)
    assert set(found.tolist()) == {0, 1, 2}


def test_the_bias_survives_sums_in_float16():
    """nnU-Net adds up to a few thousand weighted logits of a voxel in float16."""
    assert torch.isfinite(torch.tensor(NEVER * 600, dtype=torch.float16))


@pytest.fixture
def trained(tmp_path):
    folder = make_folder(tmp_path / "trained", classes=3)
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)  # written two lines above; ours hold plain types only
    for key in ("logging", "_best_ema"):
        content[key] = None
    torch.save(content, path)
    for name in ("cost.json", "curves.csv"):
        (folder / name).write_text("{}")
    return folder


def test_the_folder_is_laid_out_as_totalsegmentators(trained, tmp_path):
    ids, names = {"structure_1": 4, "structure_2": 2}, {k: f"class_{k}" for k in range(1, 6)}
    write_weights(trained, ids, names, "fastest", tmp_path / "out")
    folder = model_folder(tmp_path / "out", "fastest")
    assert folder.parent.name == "Dataset298_TotalSegmentator_total_6mm_1559subj"
    assert json.loads((folder / "dataset.json").read_text())["labels"] == {
        "background": 0, **{f"class_{k}": k for k in range(1, 6)},
    }  # fmt: skip
    assert (folder / "plans.json").read_text() == (trained / "plans.json").read_text()
    content = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert content["trainer_name"] == "nnUNetTrainer"
    assert content["optimizer_state"] is None
    before = checkpoints.load(trained / "fold_0" / "checkpoint_final.pth")["network_weights"]
    keys = [key for key in before if ".seg_layers." in key and key.endswith("bias")]
    assert keys
    for key in keys:
        expected = torch.full((6,), NEVER)
        expected[[0, 4, 2]] = before[key]
        assert torch.equal(content["network_weights"][key], expected)


def test_classes_that_do_not_fit(trained, tmp_path):
    with pytest.raises(ModelError, match="unexpected classes") as error:
        write_weights(trained, {"heart": 51}, {51: "heart"}, "fast", tmp_path / "out")
    assert "found: ['structure_1', 'structure_2']" in str(error.value) and "expected: ['heart']" in str(error.value)

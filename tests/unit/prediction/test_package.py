import zipfile

import numpy as np
import pytest
import torch
from trained_model import train_model

from afpbench.base.atomic import read_json
from afpbench.base.errors import DataError, ModelError
from afpbench.commands.main import main
from afpbench.features.checkpoints import load_checkpoint
from afpbench.prediction import models, package
from afpbench.prediction.predict import Predictor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(training_set, prepared_cases, tmp_path_factory):
    return train_model(training_set, prepared_cases, tmp_path_factory.mktemp("l1"))


@pytest.fixture(scope="module")
def packed(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "model.zip"
    assert main(["package", str(model), "--out", str(path)]) == 0
    return path


def test_a_package_makes_what_its_folder_makes(model, packed, prepared_cases):
    made = []
    for path in (model, packed):
        with models.opened([path]) as found:
            made.append(Predictor(found, "cpu")([prepared_cases["p4"] / "mr.nii.gz"], "p").ct)
    assert np.array_equal(made[0].array, made[1].array) and made[0].geometry == made[1].geometry


def test_what_only_a_training_needs_stays_behind(model, packed, tmp_path):
    (folder,) = package.unpack(packed, tmp_path)
    content = load_checkpoint(folder / "fold_0" / "checkpoint_final.pth")
    whole = load_checkpoint(model / "fold_0" / "checkpoint_final.pth")
    assert "optimizer_state" in whole and "optimizer_state" not in content and "afpbench" not in content
    assert content["network_weights"].keys() == whole["network_weights"].keys()
    assert all(torch.equal(value, whole["network_weights"][key]) for key, value in content["network_weights"].items())
    assert packed.stat().st_size < (model / "fold_0" / "checkpoint_final.pth").stat().st_size
    card, before = (read_json(path / "model_card.json") for path in (folder, model))
    assert {**card, "sha256": None} == {**before, "sha256": None} and card["sha256"] != before["sha256"]


def test_the_same_folders_give_the_same_bytes_and_their_order_is_kept(model, packed, tmp_path):
    package.pack([model], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    package.pack([model, model], tmp_path / "two.zip")
    with models.opened([tmp_path / "two.zip"]) as found:
        assert [one.folder.name for one in found] == ["0", "1"]


def altered(packed, path, names=(), without=()):
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.infolist():
            if member.filename not in without:
                target.writestr(member.filename, source.read(member))
        for name, content in names:
            target.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["networks/0/run.py", "networks/0/fold_0/../plans.json", "networks/100/plans.json", "x"]
)
def test_a_member_that_no_package_has(packed, tmp_path, name):
    path = altered(packed, tmp_path / "model.zip", [(name, "x")])
    with pytest.raises(DataError, match="no package of afpbench|not safe to unpack"):
        package.unpack(path, tmp_path / "out")
    assert not (tmp_path / "out" / "run.py").exists()


def test_a_package_that_lacks_a_file_or_is_cut_off(packed, tmp_path):
    path = altered(packed, tmp_path / "model.zip", without=["networks/0/plans.json"])
    with pytest.raises(ModelError, match="plans.json is missing"), models.opened([path]):
        pass
    path.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot unpack .*model.zip"), models.opened([path]):
        pass
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(DataError, match="an empty archive"), models.opened([tmp_path / "empty.zip"]):
        pass


def test_weights_that_are_not_those_of_the_card(packed, tmp_path):
    name = "networks/0/fold_0/checkpoint_final.pth"
    path = altered(packed, tmp_path / "model.zip", [(name, b"other weights")], without=[name])
    with pytest.raises(ModelError, match="not the file that the model card tells of"), models.opened([path]):
        pass


def test_another_ending_and_what_is_no_model(model, tmp_path):
    with pytest.raises(ModelError, match=r"--out: .*model.tar\n  found: the ending .tar\n  expected: .zip"):
        package.pack([model], tmp_path / "model.tar")
    with pytest.raises(ModelError, match="no model that can be applied"):
        package.pack([tmp_path], tmp_path / "model.zip")
    assert not list(tmp_path.iterdir())

import logging
import shutil

import numpy as np
import pydicom
import pytest
from conftest import write_prepared
from dicom_series import FRAME_UID, SECRETS, write_series
from trained_model import train_model

from afpbench.base.atomic import read_json, write_json
from afpbench.base.errors import ConfigError, DataError, ModelError
from afpbench.base.hardware import Runtime
from afpbench.commands.main import main
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.export import on_grid
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.prediction import models
from afpbench.prediction.card import read_card
from afpbench.prediction.predict import Predictor
from afpbench.volumes import io
from afpbench.volumes.io import Geometry
from afpbench.volumes.preprocessing import resample_case

pytestmark = pytest.mark.slow
LINE = {"slope": 1.25, "offset_hu": -30.0, "method": "affine"}


@pytest.fixture(scope="module")
def model(training_set, prepared_cases, tmp_path_factory):
    return train_model(training_set, prepared_cases, tmp_path_factory.mktemp("l1"))


@pytest.fixture(scope="module")
def other(training_set, prepared_cases, tmp_path_factory):
    """Another seed of the row, with a calibration."""
    return train_model(training_set, prepared_cases, tmp_path_factory.mktemp("l1"), seed=2, calibration=LINE)


@pytest.fixture
def mr_file(tmp_path):
    """An MR in other axes and voxels than the network's."""
    turned = Geometry((24, 28, 30), (5.0, 5.2, 5.4), (80.0, 72.0, 10.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    write_prepared(tmp_path / "p9", 9, turned)
    return tmp_path / "p9" / "mr.nii.gz"


def made_by_the_workflow(model, mr_file, folder, calibration=None):
    """The steps that the workflow's rules take, and `afpbench export`, on an MR already in canonical axes."""
    resample_case(mr_file.parent, folder / "prepared", (6.0, 6.0, 6.0))
    generator = Generator(model, {"overlap": 0.5, "fusion": "median"}, Runtime("cpu", "float32", 1))
    synthesize_case(Ensemble([(generator, calibration)]), folder / "prepared", folder / "made" / "ct.nii.gz", "p")
    return on_grid(io.read(folder / "made" / "ct.nii.gz"), io.read(mr_file).geometry)


def predicted(folders, mr_file, **options):
    with models.opened(folders) as found:
        return Predictor(found, "cpu", **options)([mr_file], "p").ct


def test_it_is_what_the_workflow_makes_to_the_last_hu(model, other, prepared_cases, tmp_path):
    mr_file = prepared_cases["p4"] / "mr.nii.gz"
    for folder, line in ((model, None), (other, LINE)):
        expected = made_by_the_workflow(folder, mr_file, tmp_path / folder.parent.name, line)
        ct = predicted([folder], mr_file)
        assert ct.array.dtype == np.int16 and np.array_equal(ct.array, expected.array)
        assert ct.geometry == io.read(mr_file).geometry


def test_an_mr_of_other_axes_and_voxels_gets_its_own_grid_back(model, mr_file):
    ct, mr = predicted([model], mr_file), io.read(mr_file)
    assert ct.geometry == mr.geometry and len(np.unique(ct.array)) > 50
    assert (ct.array[:, :3, :3] == -1024).all()  # beside the body


def test_networks_are_averaged_each_with_its_own_calibration(model, other, mr_file):
    one, two = (predicted([folder], mr_file).array.astype(float) for folder in (model, other))
    both = predicted([model, other], mr_file).array
    assert not np.array_equal(one, two) and np.abs(both - (one + two) / 2).mean() < 2


def test_an_uncertainty_map_of_two_networks_on_the_mrs_grid(model, other, prepared_cases):
    """On the network's own grid it is |a - b| / sqrt(2), to the rounding of both to whole HU."""
    mr_file = prepared_cases["p4"] / "mr.nii.gz"
    one, two = (predicted([folder], mr_file).array.astype(float) for folder in (model, other))
    with models.opened([model, other]) as found:
        made = Predictor(found, "cpu", uncertainty=True)([mr_file], "p")
    assert made.sd.geometry == io.read(mr_file).geometry and made.sd.array.dtype == np.float32
    inside = (abs(one) < 1000) & (abs(two) < 1000)  # what fits a CT's range
    np.testing.assert_allclose(made.sd.array[inside], abs(one - two)[inside] / np.sqrt(2), atol=0.75)


def test_one_look_has_no_uncertainty(model, mr_file):
    with models.opened([model]) as found:
        with pytest.raises(ConfigError, match="a single look at each MR has no spread") as error:
            Predictor(found, "cpu", uncertainty=True)
        assert "one network, " in str(error.value) and "--mirror x" in str(error.value)
        assert Predictor(found, "cpu", mirror=["x"], uncertainty=True)([mr_file], "p").sd.array.max() > 0


def test_mirroring_changes_the_answer(model, mr_file):
    assert not np.array_equal(predicted([model], mr_file).array, predicted([model], mr_file, mirror=["x"]).array)


def test_an_mr_unlike_the_training_is_told(model, mr_file, caplog):
    logging.getLogger("afpbench").setLevel(logging.INFO)
    predicted([model], mr_file)
    assert "outside what the network" not in caplog.text
    slab = io.read(mr_file)
    half = io.Volume(slab.array[:10], Geometry.of((10, 28, 30), slab.spacing_mm, direction=slab.geometry.direction))
    io.write(half, mr_file.with_name("slab.nii.gz"))
    predicted([model], mr_file.with_name("slab.nii.gz"))
    assert (
        "case p: outside what the network was trained on: its size along z: 50 mm; the training saw 120" in caplog.text
    )


def test_several_cases_by_the_command(model, prepared_cases, tmp_path, capsys):
    folder = tmp_path / "mr"
    for case in ("p1", "p2"):
        io.write(io.read(prepared_cases[case] / "mr.nii.gz"), folder / f"{case}.mha")
    (folder / "broken.mha").write_bytes(b"nothing")
    arguments = [
        "predict",
        "--model",
        str(model),
        "--mr",
        str(folder),
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    assert main([*arguments, "--threads", "1"]) == 1
    printed = capsys.readouterr()
    assert "2 synthetic CTs" in printed.out and "predict, case 3/3" in printed.err
    assert "predict: 1 of 3 cases failed\n  broken: case broken: MR: cannot read" in printed.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p1.nii.gz", "p2.nii.gz"]
    assert io.read(tmp_path / "out" / "p1.nii.gz").array.dtype == np.int16


def test_dicom_in_and_out_by_the_command(model, prepared_cases, tmp_path):
    mr = io.read(prepared_cases["p1"] / "mr.nii.gz")
    series = write_series(
        tmp_path / "p1", np.rint(mr.array).astype(np.uint16), modality="MR", slope=None, spacing_mm=(6.0, 6.0),
        step_mm=(0, 0, 6.0), origin_mm=mr.geometry.origin_mm,
    )  # fmt: skip
    arguments = ["predict", "--model", str(model), "--mr", str(series), "--dicom", "--device", "cpu", "--threads", "1"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert main([*arguments, "--out", str(tmp_path / "kept"), "--keep-identity"]) == 0
    files = sorted((tmp_path / "out" / "p1").iterdir())
    images = [pydicom.dcmread(path) for path in files]
    assert len(images) == len(mr.array) and {image.FrameOfReferenceUID for image in images} == {FRAME_UID}
    made = np.stack([image.pixel_array.astype(int) - 1024 for image in images])
    assert np.array_equal(made, predicted([model], series).array)
    assert not any(secret.encode() in files[0].read_bytes() for secret in SECRETS[:3])
    assert images[0].StudyInstanceUID != SECRETS[3]  # the frame of reference begins with it
    assert pydicom.dcmread(tmp_path / "kept" / "p1" / "CT_0001.dcm").PatientName == SECRETS[0]


def test_the_mr_is_never_written_over(model, mr_file):
    before = mr_file.read_bytes()
    arguments = ["predict", "--model", str(model), "--mr", str(mr_file)]
    assert main([*arguments, "--out", str(mr_file.parent)]) == 1 and mr_file.read_bytes() == before
    assert main([*arguments, "--out", str(mr_file)]) == 1 and mr_file.read_bytes() == before


def test_wrong_units_name_the_case(model, tmp_path, prepared_cases):
    mr = io.read(prepared_cases["p1"] / "mr.nii.gz")
    io.write(io.Volume(mr.array, Geometry(mr.array.shape, (0.6, 0.6, 0.6))), tmp_path / "cm.nii.gz")
    with pytest.raises(DataError, match="case p: MR: its voxel sizes cannot be in mm"):
        predicted([model], tmp_path / "cm.nii.gz")


# --- what is not a model


def copy(model, folder):
    return shutil.copytree(model, folder)


def test_a_folder_without_a_card_or_with_a_changed_file(model, tmp_path):
    with pytest.raises(ModelError, match="no model that can be applied: .*\n  found: no such folder"):
        read_card(tmp_path / "none")
    changed = copy(model, tmp_path / "changed")
    plans = read_json(changed / "plans.json")
    write_json(changed / "plans.json", {**plans, "dataset_name": "other"})
    with pytest.raises(ModelError, match="plans.json: not the file that the model card tells of"):
        read_card(changed)
    (changed / "plans.json").unlink()
    with pytest.raises(ModelError, match="plans.json is missing"):
        read_card(changed)
    write_json(changed / "model_card.json", {**read_json(model / "model_card.json"), "spacing_mm": [6, 6]})
    with pytest.raises(ModelError, match="not a model card of format 1\n  found: spacing_mm: "):
        read_card(changed)


def test_plans_that_would_run_other_code(model, tmp_path):
    from afpbench.prediction.card import save_card

    for change in ({"network_class_name": "os.system"}, {"arch_kwargs": {"conv_op": "os.system"}}):
        bad = copy(model, tmp_path / str(len(list(tmp_path.iterdir()))))
        plans, card = read_json(bad / "plans.json"), read_json(bad / "model_card.json")
        plans["configurations"]["3d_fullres"]["architecture"].update(change)
        write_json(bad / "plans.json", plans)
        save_card(bad, card)
        with (
            pytest.raises(ModelError, match="is none of afpbench or nnU-Net\n  found: os.system"),
            models.opened([bad]),
        ):
            pass


def test_networks_of_different_spacings(model, tmp_path):
    coarse = copy(model, tmp_path / "coarse")
    write_json(coarse / "model_card.json", {**read_json(coarse / "model_card.json"), "spacing_mm": [9, 9, 9]})
    with pytest.raises(ConfigError, match=r"MRs of different kinds \(spacing_mm\)"), models.opened([model, coarse]):
        pass


def test_folds_are_chosen_by_number(model, other):
    with models.opened([model, other], [1]) as found:
        assert [one.folder for one in found] == [other]
    message = "--folds: no such network\n  found: 2\n  expected: 0 to 1"
    with pytest.raises(ConfigError, match=message), models.opened([model, other], [2]):
        pass

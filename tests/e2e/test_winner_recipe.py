"""The recipe of SynthRAD2025's winner on four phantoms, from volumes to tables: every option that it needs, at once.

The MR has two channels.
"""

import numpy as np
import pytest
import yaml
from conftest import PROJECT, copy_project, snakemake

from afpbench.base.atomic import read_json
from afpbench.features.checkpoints import load_checkpoint
from afpbench.metrics.longtable import read_long
from afpbench.study.load import merge
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
RECIPE = """
data: {contrasts: [ute, t2]}
normalization: {ct_scheme: clipped_zscore, ct_clip_hu: [-1024, 3000]}
generators:
  nnunet:
    planner: {encoder: residual, residual_blocks: [1, 2], decoder_blocks: [2]}
    decoder: trilinear
    head: residual
inference: {mirror: [x]}
variants:
  afp:
    label: MSE + MAP
    training: {augmentation: none, outside_hu: -1000}
    loss:
      - {term: mse, weight: 0.5, region: inside}
      - {term: afp, weight: 0.5, networks: [navi], layers: 2, scale: unit_norm, layer_reduction: sum}
      - {term: afp, weight: 0.1, networks: [navi], layers: [decoder.0], scale: instance, region: inside}
tables:
  cost: {kind: cost}
"""


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("winner") / "project")
    study = yaml.safe_load((PROJECT / "tests/e2e/smallest.yaml").read_text())
    study["tasks"]["thorax"] = merge(study["tasks"]["thorax"], yaml.safe_load(RECIPE))
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    result = snakemake(folder, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-6000:]
    return folder / "results" / "thorax"


def test_the_networks_are_those_of_the_recipe(task):
    plans = read_json(task / "models/variants/afp/plans.json")
    inner = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]["architecture"]
    assert inner["network_class_name"] == "afpbench.generators.trilinear.TrilinearResidualUNet"
    assert inner["arch_kwargs"]["n_blocks_per_stage"][:2] == [1, 2]
    assert set(inner["arch_kwargs"]["n_conv_per_stage_decoder"]) == {2}
    statistics = plans["afpbench"]["ct_statistics"]
    assert (statistics["scheme"], statistics["lower_hu"], statistics["upper_hu"]) == ("clipped_zscore", -1024, 3000)
    segmenter = read_json(task / "models/segmenters/navi/plans.json")  # of the same plan
    architecture = segmenter["configurations"]["3d_fullres"]["architecture"]
    assert architecture["network_class_name"].endswith("ResidualEncoderUNet")
    assert architecture["arch_kwargs"]["strides"] == inner["arch_kwargs"]["strides"]


def test_both_contrasts_go_from_the_import_into_the_network(task):
    assert read_json(task / "models/variants/afp/model_card.json")["mr_channels"] == ["ute", "t2"]
    assert read_json(task / "models/variants/afp/dataset.json")["channel_names"] == {"0": "MR ute", "1": "MR t2"}
    assert len(read_json(task / "normalization/mr_range.json")["other_channels"]) == 1
    weights = load_checkpoint(task / "models/variants/afp/fold_0/checkpoint_final.pth")["network_weights"]
    assert weights["slope"].shape == (1, 2, 1, 1, 1) and (weights["slope"] != 0).all()  # the residual head's, of each
    (case,) = read_json(task / "splits/splits.json")["test"]
    first, second = (io.read(task / f"cases/{case}/prepared/{name}.nii.gz") for name in ("mr", "mr_0001"))
    assert first.geometry == second.geometry and not np.array_equal(first.array, second.array)
    assert "<td>ute, t2; the CT is registered to ute" in (task.parent / "report.html").read_text()


def test_every_term_was_trained(task):
    header, first, *_ = (task / "models/variants/afp/curves.csv").read_text().splitlines()
    values = dict(zip(header.split(","), map(float, first.split(",")), strict=True))
    assert all(values[name] > 0 for name in ("train_mse", "train_afp", "train_afp_2"))
    total = 0.5 * values["train_mse"] + 0.5 * values["train_afp"] + 0.1 * values["train_afp_2"]
    assert values["train_loss"] == pytest.approx(total, rel=1e-3)


def test_the_tables_are_made_and_tell_of_the_mirror(task):
    long = read_long(task / "metrics" / "metrics.csv")
    assert np.isfinite(long.loc[long["metric"] == "mae", "value"]).all()
    assert "Inference on mirror images too (x): each case is predicted 2 times" in (task / "tables/cost.md").read_text()
    (record,) = (task / "synthetic/afp/records").glob("*.json")
    (entry,) = read_json(record)["cases"]
    assert entry["mirror"] == ["x"] and entry["patches"] % 2 == 0


def test_air_lies_beyond_the_body(task):
    (path,) = (task / "synthetic/afp").glob("*.nii.gz")
    assert (io.read(path).array == -1024).any()

"""Each mistake in a study file gives its own line, word for word."""

import copy
import json

import pytest
import yaml

from afpbench.base.errors import ConfigError
from afpbench.study.kinds.registry import LOSSES
from afpbench.study.label_names import label_values, used_names
from afpbench.study.load import StudyError, load_study, read_study
from afpbench.study.task import Task

STUDY = yaml.safe_load("""
tasks:
  lung:
    data: {source: phantom, region: thorax, cases: 20}
    spacing_mm: [3.0, 3.0, 3.0]
    splits: {train: 8, validation: 2, test: 8}
    segmenters:
      navi: {kind: trained, classes: {airway: [airway_lumen, airway_wall]}}
      total: {kind: totalsegmentator, task: fast, weights: stand_in}
    structures:
      airways: {segmenter: navi, classes: [airway]}
      bones: {segmenter: total, classes: [sternum]}
    variants:
      l1: {generator: nnunet, loss: [{term: l1}]}
      afp: {generator: nnunet, loss: [{term: afp, networks: [navi]}]}
    reference: l1
    tables:
      table1: {columns: [{metric: mae}, {metric: dice, structure: airways}]}
""")
STS = yaml.safe_load("""
data:
  source: sts
  labels: {kind: hu_ranges, structures: {bone: {hu: [200, 3071]}, fat: {hu: [-150, -30]}}}
segmenters: {navi: {kind: trained, classes: {airway: [bone]}}}
structures: {airways: {segmenter: navi, classes: [airway]}}
""")
TASK_KEYS = (
    "title, data, spacing_mm, bias_correction, registration, body_mask, normalization, splits, segmenters, "
    "feature_networks, tolerance_mm, definition, structures, generators, training, inference, variants, controls, "
    "reference, statistics, tables, figures"
)
TRAINING_KEYS = (
    "iterations, iterations_per_epoch, batch_size, gpus, learning_rate, optimizer, momentum, adam_betas, "
    "weight_decay, gradient_clip, "
    "augmentation, "
    "foreground_oversampling, patch_sampling, outside_hu, validation_iterations, validate_cases_every_epochs, "
    "validate_structures, checkpoint, checkpoint_every_epochs, precision"
)
SOURCES = "phantom, sts, table, folder, bids, synthrad2023, synthrad2025"
GROUP = "allowed: a group of keys"


def put(study: dict, path: str, value) -> dict:
    """Set the value at a dotted path."""
    *parents, last = path.split(".")
    for key in parents:
        study = study.setdefault(key, {}) if isinstance(study, dict) else study[int(key)]
    study[int(last) if isinstance(study, list) else last] = value


def lines_of(study: dict, root) -> list[str]:
    with pytest.raises(StudyError) as error:
        load_study(study, root)
    return error.value.problems


def changed(changes: dict) -> dict:
    study = copy.deepcopy(STUDY)
    for path, value in changes.items():
        put(study, path.replace("LUNG", "tasks.lung"), value)
    return study


def test_the_study_without_mistakes_is_valid(tmp_path):
    assert set(load_study(STUDY, tmp_path)["tasks"]) == {"lung"}


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("sed", 1, "sed: unknown key; allowed: seed, seeds, results, failed_cases, report, preset, presets, runtime, "
         "extensions, tasks; did you mean 'seed'?"),
        ("LUNG.registration", {"method": "impact", "impact": {"model": "no.pt"}},
         "tasks.lung.registration.impact.model: no such file; found: 'no.pt'; hint: IMPACT's authors publish theirs on "
         "Hugging Face as VBoussot/impact-torchscript-models"),
        ("LUNG.registration", {"parameter_files": ["no.txt"]},
         "tasks.lung.registration.parameter_files[0]: no such file; found: 'no.txt'; hint: name an elastix "
         "parameter file"),
        ("LUNG.registration", {"method": "external"},
         "tasks.lung.registration.external: needs `transforms` or `ct`; found: neither; allowed: one of the two"),
        ("LUNG.registration", {"method": "synthrad2025", "iterations": 9},
         "tasks.lung.registration.iterations: has no effect with method 'synthrad2025'; hint: remove it, or set method "
         "to 'elastix'"),
        ("LUNG.registration", {"train": {"method": "none"}},
         "tasks.lung.registration.evaluate: missing; allowed: a group of keys"),
        ("LUNG.registration", {"train": {"method": "none"}, "evaluate": {"edge_weight": 1, "stages": ["rigid"]}},
         "tasks.lung.registration.evaluate.edge_weight: has no effect without the stage bspline; hint: set it to 0, or "
         "add the stage"),
        ("LUNG.registration", {"train": {"method": "nonne"}, "evaluate": {}},
         "tasks.lung.registration.train.method: not allowed; found: 'nonne'; allowed: elastix, synthrad2025, impact, "
         "external, truth, none; did you mean 'none'?"),
        ("LUNG.registration", {"edge_weight": 1, "stages": ["rigid"]},
         "tasks.lung.registration.edge_weight: has no effect without the stage bspline; hint: set it to 0, or add the "
         "stage"),
        ("seed", -1, "seed: not allowed; found: -1; allowed: a whole number at least 0, at most 4294967295"),
        ("seed", True, "seed: wrong type; found: true; allowed: a whole number at least 0, at most 4294967295"),
        ("failed_cases", "skip", "failed_cases: not allowed; found: 'skip'; allowed: stop, exclude"),
        ("runtime.device", "cude", "runtime.device: not allowed; found: 'cude'; allowed: auto, cpu, cuda; "
         "did you mean 'cuda'?"),
        ("results", "", "results: not allowed; found: ''; allowed: text not empty"),
        ("tasks", {}, "tasks: not allowed; found: an empty group; allowed: a group of keys not empty"),
        ("tasks", [1], "tasks: wrong type; found: [1]; allowed: a group of keys not empty"),
        ("tasks.my task", STUDY["tasks"]["lung"], "tasks: not a usable name; found: 'my task'; "
         "allowed: a name of letters, digits, '_' and '-' other than 'ct'"),
        ("LUNG", None, f"tasks.lung: wrong type; found: nothing (null); {GROUP}"),
        ("LUNG.spacing", [1, 1, 1], f"tasks.lung.spacing: unknown key; allowed: {TASK_KEYS}; "
         "did you mean 'spacing_mm'?"),
        ("LUNG.definition", "synthrad2025", "tasks.lung.definition: not allowed; found: 'synthrad2025'; "
         "allowed: afpbench, synthrad2023, synthrad2025_metrics, synthrad2025_evaluation; "
         "did you mean 'synthrad2023'?"),
        ("LUNG.spacing_mm", [1, 1], "tasks.lung.spacing_mm: not allowed; found: [1, 1]; "
         "allowed: three numbers above 0 in mm, in the order z, y, x"),
        ("LUNG.spacing_mm", [1, 0, 1], "tasks.lung.spacing_mm[1]: not allowed; found: 0; allowed: a number above 0"),
        ("LUNG.training.iteratons", 1, f"tasks.lung.training.iteratons: unknown key; allowed: {TRAINING_KEYS}; "
         "did you mean 'iterations'?"),
        ("LUNG.training.iterations", "many", "tasks.lung.training.iterations: wrong type; found: 'many'; "
         "allowed: a whole number at least 1"),
        ("LUNG.training.iterations", "1e4", "tasks.lung.training.iterations: wrong type; found: '1e4'; "
         "allowed: a whole number at least 1; hint: YAML reads this as text; write 10000"),
        ("LUNG.training.learning_rate", "1e-4", "tasks.lung.training.learning_rate: wrong type; found: '1e-4'; "
         "allowed: a number above 0; hint: YAML reads this as text; write 1.0e-4"),
        ("LUNG.training.learning_rate", "0.01", "tasks.lung.training.learning_rate: wrong type; found: '0.01'; "
         "allowed: a number above 0; hint: YAML reads this as text; write it without quotes"),
        ("LUNG.training.momentum", 1, "tasks.lung.training.momentum: not allowed; found: 1; "
         "allowed: a number at least 0, below 1"),
        ("LUNG.variants.l1.training", {"iteration": 1}, "tasks.lung.variants.l1.training.iteration: unknown key; "
         f"allowed: {TRAINING_KEYS}; did you mean 'iterations'?"),
        ("LUNG.data.source", "phantoms", "tasks.lung.data.source: not allowed; found: 'phantoms'; "
         f"allowed: {SOURCES}; did you mean 'phantom'?"),
        ("LUNG.data", {"region": "thorax"}, f"tasks.lung.data.source: missing; allowed: {SOURCES}"),
        ("LUNG.data.region", "head", "tasks.lung.data.region: not allowed; found: 'head'; allowed: thorax, pelvis"),
        ("LUNG.data.case", 3, "tasks.lung.data.case: unknown key; allowed: source, region, cases, spacing_mm, "
         "contrasts; did you mean 'cases'?"),
        ("LUNG.data", {"source": "phantom", "region": "thorax"},
         "tasks.lung.data.cases: missing; allowed: a whole number at least 1, at most 1000"),
        ("LUNG.segmenters.navi.kind", "train", "tasks.lung.segmenters.navi.kind: not allowed; found: 'train'; "
         "allowed: totalsegmentator, nnunet, trained, distilled, naviairway, files; did you mean 'trained'?"),
        ("LUNG.segmenters.navi", {"kind": "trained"},
         "tasks.lung.segmenters.navi.classes: missing; allowed: a group of keys not empty"),
        ("LUNG.segmenters.navi.classes.airway", "airway_lumen", "tasks.lung.segmenters.navi.classes.airway: "
         "wrong type; found: 'airway_lumen'; allowed: a list of label names"),
        ("LUNG.segmenters.navi.classes.a/b", ["mucus"], "tasks.lung.segmenters.navi.classes: not a usable name; "
         "found: 'a/b'; allowed: a name of letters, digits, '_' and '-' other than 'ct'"),
        ("LUNG.segmenters.total", {"kind": "totalsegmentator"},
         "tasks.lung.segmenters.total.weights: missing; "
         "allowed: 'stand_in', the path of a folder or 'pretrained:NAME'"),
        ("LUNG.segmenters.navi.patch_size", "big", "tasks.lung.segmenters.navi.patch_size: not allowed; found: 'big'; "
         "allowed: 'auto' or three whole numbers of at least 8 in the order z, y, x"),
        ("LUNG.segmenters.navi.patch_size", [8, 8, 4], "tasks.lung.segmenters.navi.patch_size[2]: not allowed; "
         "found: 4; allowed: a whole number at least 8"),
        ("LUNG.variants.CT", STUDY["tasks"]["lung"]["variants"]["l1"], "tasks.lung.variants: not a usable name; "
         "found: 'CT'; allowed: a name of letters, digits, '_' and '-' other than 'ct'"),
        ("LUNG.variants.l1.loss", [], "tasks.lung.variants.l1.loss: not allowed; found: []; "
         "allowed: a list of loss terms"),
        ("LUNG.variants.l1.loss", {"term": "l1"}, "tasks.lung.variants.l1.loss: wrong type; found: a group of keys; "
         "allowed: a list of loss terms"),
        ("LUNG.variants.l1.loss.0.term", "l11", "tasks.lung.variants.l1.loss[0].term: not allowed; found: 'l11'; "
         f"allowed: {', '.join(LOSSES)}; did you mean 'l1'?"),
        ("LUNG.variants.l1.loss.0.wight", 2, "tasks.lung.variants.l1.loss[0].wight: unknown key; "
         f"allowed: {', '.join(LOSSES['l1'].schema()['properties'])}; did you mean 'weight'?"),
        ("LUNG.variants.afp.loss.0.networks", "navi", "tasks.lung.variants.afp.loss[0].networks: wrong type; "
         "found: 'navi'; allowed: a list not empty"),
        ("LUNG.variants.afp.loss.0.networks", [3], "tasks.lung.variants.afp.loss[0].networks[0]: wrong type; "
         "found: 3; allowed: text or a group of keys"),
        ("LUNG.variants.afp.loss.0.networks", [{"name": "navi", "wait": 2}],
         "tasks.lung.variants.afp.loss[0].networks[0].wait: unknown key; allowed: name, weight; "
         "did you mean 'weight'?"),
        ("LUNG.variants.afp.loss", [{"term": "afp"}],
         "tasks.lung.variants.afp.loss[0].networks: missing; allowed: a list not empty"),
        ("LUNG.generators.big.decoder", "linear", "tasks.lung.generators.big.decoder: not allowed; "
         "found: 'linear'; allowed: transposed, trilinear; did you mean 'trilinear'?"),
        ("LUNG.generators.big.decodr", "trilinear", "tasks.lung.generators.big.decodr: unknown key; "
         "allowed: kind, planner, patch_size, decoder, head; did you mean 'decoder'?"),
        ("LUNG.generators.big.kind", "unet", "tasks.lung.generators.big.kind: not allowed; "
         "found: 'unet'; allowed: nnunet, pix2pixhd, spade; did you mean 'nnunet'?"),
        ("LUNG.registration.stages", ["rigid", "bspine"], "tasks.lung.registration.stages[1]: not allowed; "
         "found: 'bspine'; allowed: translation, rigid, affine, bspline; did you mean 'bspline'?"),
        ("LUNG.registration.stages", ["rigid", "rigid"],
         "tasks.lung.registration.stages: given twice: 'rigid'; hint: remove one of the two"),
        ("LUNG.inference", {"uncertainty": True}, "tasks.lung.inference.uncertainty: one network looks at each MR "
         "once, so nothing spreads; allowed: true beside an ensemble of folds (splits.folds and splits.test) or "
         "mirror images (inference.mirror); hint: mirror: [x]"),
        ("LUNG.inference.fusion", "meen", "tasks.lung.inference.fusion: not allowed; found: 'meen'; "
         "allowed: median, mean, gaussian; did you mean 'mean'?"),
        ("LUNG.splits.test", 0, "tasks.lung.splits.test: not allowed; found: 0; "
         "allowed: a whole number at least 1, a list of cases, or column=value"),
        ("LUNG.tables.table1.columns.0.metric", "mea", "tasks.lung.tables.table1.columns[0].metric: not allowed; "
         "found: 'mea'; allowed: mae, me, rmse, psnr, ssim, ms_ssim, checkerboard, mr_edges, mae_uncalibrated, "
         "me_uncalibrated, uncertainty_spearman, uncertainty_ause, dice, nsd, "
         "hd95, assd, asd_real_to_synthetic, asd_synthetic_to_real, volume_error, tree_length, branches, branch_count, "
         "leakage; did you mean 'me'?"),
    ],
)  # fmt: skip
def test_what_the_schema_sees(path, value, line, tmp_path):
    assert lines_of(changed({path: value}), tmp_path) == [line]


def test_missing_keys_are_named_one_by_one(tmp_path):
    study = copy.deepcopy(STUDY)
    del study["tasks"]["lung"]["reference"], study["tasks"]["lung"]["tables"]
    assert lines_of(study, tmp_path) == [
        "tasks.lung.reference: missing; allowed: text",
        "tasks.lung.tables: missing; allowed: a group of keys not empty",
    ]
    assert lines_of({}, tmp_path) == ["tasks: missing; allowed: a group of keys not empty"]


@pytest.mark.parametrize(
    ("content", "found"), [(None, "nothing (null)"), ([1], "[1]"), ("tasks", "'tasks'")]
)  # fmt: skip
def test_a_study_that_is_no_mapping(content, found, tmp_path):
    line = f"the study file: wrong type; found: {found}; allowed: a group of keys with `tasks`"
    assert lines_of(content, tmp_path) == [line]


def test_keys_that_yaml_does_not_read_as_text(tmp_path):
    study = copy.deepcopy(STUDY)
    study["tasks"]["lung"]["segmenters"]["navi"]["classes"] = {True: ["mucus"]}
    study["tasks"][1] = {}
    assert lines_of(study, tmp_path) == [
        "tasks.lung.segmenters.navi.classes: a key must be text; found: true; hint: write it in quotes",
        "tasks: a key must be text; found: 1; hint: write it in quotes",
    ]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("LUNG.reference", "L2", "tasks.lung.reference: no such variant; found: 'L2'; allowed: l1, afp"),
        ("LUNG.reference", "real_ct", "tasks.lung.reference: no such variant; found: 'real_ct'; allowed: l1, afp"),
        ("LUNG.structures.airways.segmenter", "nav", "tasks.lung.structures.airways.segmenter: no such segmenter; "
         "found: 'nav'; allowed: navi, total; did you mean 'navi'?"),
        ("LUNG.structures.airways.classes", ["airways"], "tasks.lung.structures.airways.classes: the segmenter 'navi' "
         "has no such class; found: 'airways'; allowed: airway; did you mean 'airway'?"),
        ("LUNG.structures.body", {"segmenter": "navi", "classes": ["airway"]}, "tasks.lung.structures.body: "
         "a reserved name; hint: it stands for a region of the image metrics"),
        ("LUNG.segmenters.navi.classes.background", ["mucus"], "tasks.lung.segmenters.navi.classes.background: "
         "a reserved name; hint: everything else is background by itself"),
        ("LUNG.segmenters.navi.classes.wall", ["airway_wall"], "tasks.lung.segmenters.navi.classes.wall: the label "
         "'airway_wall' is already in the class 'airway'; hint: a voxel can belong to one class only"),
        ("LUNG.segmenters.total.task", "total", "tasks.lung.segmenters.total.task: a stand-in is one network; "
         "found: 'total'; allowed: fast, fastest"),
        ("LUNG.segmenters.total.weights", "no/folder", "tasks.lung.segmenters.total.weights: no such folder; "
         "found: 'no/folder'; hint: relative paths start from ROOT"),
        ("LUNG.segmenters.hal", {"kind": "nnunet", "folder": "no/model"}, "tasks.lung.segmenters.hal.folder: "
         "no such folder; found: 'no/model'; hint: relative paths start from ROOT"),
        ("LUNG.variants.l1.generator", "nnUnet", "tasks.lung.variants.l1.generator: no such generator; "
         "found: 'nnUnet'; allowed: nnunet; did you mean 'nnunet'?"),
        ("LUNG.variants.mean_ct", {"generator": "nnunet", "loss": [{"term": "l1"}]},
         "tasks.lung.variants.mean_ct: a reserved name; hint: it is the name of a control row"),
        ("LUNG.variants.afp.loss.0.networks", ["navy"], "tasks.lung.variants.afp.loss[0].networks: no such segmenter; "
         "found: 'navy'; allowed: navi, total; did you mean 'navi'?"),
        ("LUNG.variants.afp.loss.0.networks", [{"name": "total"}, {"name": "hal", "weight": 2}],
         "tasks.lung.variants.afp.loss[0].networks: no such segmenter; found: 'hal'; allowed: navi, total"),
        ("LUNG.variants.afp.init_from", "L1", "tasks.lung.variants.afp.init_from: no such other variant; found: 'L1'; "
         "allowed: l1"),
        ("LUNG.variants.afp.init_from", "afp", "tasks.lung.variants.afp.init_from: no such other variant; "
         "found: 'afp'; allowed: l1"),
        ("LUNG.tables.table1.rows", ["l1", "afpp"], "tasks.lung.tables.table1.rows: no such variant or control; "
         "found: 'afpp'; allowed: l1, afp, real_ct, real_ct_clipped, mr_linear, mean_ct; did you mean 'afp'?"),
        ("LUNG.tables.table1.columns.1", {"metric": "dice"}, "tasks.lung.tables.table1.columns[1].structure: missing, "
         "'dice' is computed per structure; allowed: airways, bones"),
        ("LUNG.tables.table1.columns.1.structure", "airway", "tasks.lung.tables.table1.columns[1].structure: "
         "no such structure; found: 'airway'; allowed: airways, bones; did you mean 'airways'?"),
        ("LUNG.tables.table1.columns.0.structure", "bones", "tasks.lung.tables.table1.columns[0].structure: "
         "has no effect, since 'mae' is computed of the image; hint: remove it"),
        ("LUNG.tables.table1.columns.0", {"metric": "uncertainty_ause"},
         "tasks.lung.tables.table1.columns[0].metric: 'uncertainty_ause' needs uncertainty maps; "
         "hint: inference: {uncertainty: true}"),
        ("LUNG.tables.table1.columns.0", {"metric": "mae_uncalibrated", "region": "volume"},
         "tasks.lung.tables.table1.columns[0].region: 'mae_uncalibrated' is taken inside the body only; "
         "hint: remove it"),
        ("LUNG.variants.l1.hu_calibration", "linear", "tasks.lung.variants.l1.hu_calibration: not allowed; "
         "found: 'linear'; allowed: none, affine"),
        ("LUNG.tables.table1.columns.1.metric", "leakage", "tasks.lung.tables.table1.columns[1].structure: 'leakage' "
         "is computed of trees only; found: 'airways'; allowed: none; hint: structures.airways.tree: true"),
        ("LUNG.tables.table1", {"kind": "cost", "rows": ["l1", "real_ct"]}, "tasks.lung.tables.table1.rows: no such "
         "variant; found: 'real_ct'; allowed: l1, afp"),
        ("LUNG.tables.table1", {"kind": "cost", "columns": []}, "tasks.lung.tables.table1.columns: unknown key; "
         "allowed: kind, title, caption, rows, epochs, published"),
        ("LUNG.tables.table1.columns.1.region", "volume", "tasks.lung.tables.table1.columns[1].region: "
         "has no effect beside a structure; hint: remove it"),
        ("LUNG.normalization.ct_clip_percentiles", [99.5, 0.5], "tasks.lung.normalization.ct_clip_percentiles: "
         "the lower limit must come first; found: [99.5, 0.5]; allowed: two numbers in rising order"),
        ("LUNG.splits.train", 18, "tasks.lung.splits: task lung: splits ask for more cases than there are; "
         "found: 20 cases; expected: 28 (18 train + 2 validation + 8 test); "
         "hint: lower the numbers under the task's `splits` to 20 in sum, or add cases"),
        ("LUNG.splits.test", ["thorax_001"], "tasks.lung.splits: task lung: splits mixes numbers and lists; "
         "found: {'train': 8, 'validation': 2, 'test': 'a list'}; "
         "expected: a number for each of train, validation, test, or a list of ids for each; "
         "hint: write all three in the same way"),
    ],
)  # fmt: skip
def test_what_a_schema_cannot_see(path, value, line, tmp_path):
    found = lines_of(changed({path: value}), tmp_path)
    assert found == [line.replace("ROOT", str(tmp_path.resolve()))]


def test_names_of_patches_and_regions(tmp_path):
    known = "allowed: airways"
    loss = [{"term": "afp", "networks": ["navi"], "region": "inside", "region_of": ["airways", "lung"]}]
    lines = lines_of(changed({"LUNG.variants.l1.training": {"patch_sampling": ["airway_wal"]}}), tmp_path)
    assert len(lines) == 1 and lines[0].startswith(
        "tasks.lung.variants.l1.training.patch_sampling: no such structure or label in the data's label maps; "
        "found: 'airway_wal'; allowed: "
    )
    assert lines[0].endswith("did you mean 'airway_wall'?") and "airways" in lines[0] and known not in lines[0]
    (line,) = lines_of(changed({"LUNG.variants.l1.loss": loss}), tmp_path)
    assert line.startswith("tasks.lung.variants.l1.loss[0].region_of: no such structure") and "found: 'lung'" in line
    loss = [{"term": "afp", "networks": ["navi"], "region_of": ["airways"]}]
    assert lines_of(changed({"LUNG.variants.l1.loss": loss}), tmp_path) == [
        "tasks.lung.variants.l1.loss[0].region_of: has no effect, since `region` is all; "
        "hint: set region to inside or outside"
    ]
    by = {"term": "afp", "networks": ["navi"], "region": "outside", "region_by": "navi", "region_of": ["airway"]}
    load_study(changed({"LUNG.variants.l1.loss": [by]}), tmp_path)
    for change, line in (
        ({"region_of": ["airways"]}, "region_of: the segmenter 'navi' has no such class; found: 'airways'; "
         "allowed: airway; did you mean 'airway'?"),
        ({"region_by": "nav"}, "region_by: no such segmenter; found: 'nav'; allowed: navi, total; "
         "did you mean 'navi'?"),
        ({"region": "all"}, "region_by: has no effect without `region_of` and `region`; hint: name classes of navi"),
    ):  # fmt: skip
        lines = lines_of(changed({"LUNG.variants.l1.loss": [{**by, **change}]}), tmp_path)
        assert lines == [f"tasks.lung.variants.l1.loss[0].{line}"]
    loss = [{"term": "afp", "networks": ["navi"], "weighting": "uncertainty", "layer_weights": [1, 2]}]
    assert lines_of(changed({"LUNG.variants.l1.loss": loss}), tmp_path) == [
        "tasks.lung.variants.l1.loss[0].layer_weights: not beside weighting: uncertainty; hint: remove one of the two"
    ]
    assert lines_of(changed({"LUNG.segmenters.navi.training": {"patch_sampling": ["airways"]}}), tmp_path) == [
        "tasks.lung.segmenters.navi.training.patch_sampling: a segmenter's foreground is its classes; "
        "allowed: foreground, uniform; hint: remove the list"
    ]


def test_structures_of_the_validation(tmp_path):
    place = "tasks.lung.variants.l1.training.validate_structures"
    wrong = {"validate_structures": ["airway"], "validate_cases_every_epochs": 1}
    assert lines_of(changed({"LUNG.variants.l1.training": wrong}), tmp_path) == [
        f"{place}: no such structure; found: 'airway'; allowed: airways, bones; did you mean 'airways'?"
    ]
    assert lines_of(changed({"LUNG.variants.l1.training": {"validate_structures": True}}), tmp_path) == [
        f"{place}: structures are looked for in whole validation cases, and none is validated; "
        "found: validate_cases_every_epochs 0; hint: set it to 1 or more"
    ]
    assert lines_of(changed({"LUNG.segmenters.navi.training": {"validate_structures": True}}), tmp_path) == [
        "tasks.lung.segmenters.navi.training.validate_structures: of generators only; hint: remove it"
    ]
    study = load_study(
        changed({"LUNG.training": {"validate_structures": True, "validate_cases_every_epochs": 1}}), tmp_path
    )
    task = study["tasks"]["lung"]
    assert task["variants"]["l1"]["training"]["validate_structures"] is True
    assert task["segmenters"]["navi"]["training"]["validate_structures"] is False


def test_names_stand_for_label_values(tmp_path):
    study = load_study(changed({"LUNG.training": {"patch_sampling": ["airways", "heart"]}}), tmp_path)
    task = study["tasks"]["lung"]
    task["variants"]["l1"]["loss"] = [
        {"term": "afp", "networks": ["navi"], "region": "outside", "region_of": ["heart", "liver"]}
    ]
    assert used_names(task["variants"]["l1"]) == ["airways", "heart", "liver"]
    values = label_values(Task("lung", task, tmp_path))
    assert (values["heart"], values["liver"]) == ([51], [5])
    members = task["segmenters"]["navi"]["classes"]["airway"]
    assert values["airways"] == sorted(values[name][0] for name in members)
    assert task["segmenters"]["navi"]["training"]["patch_sampling"] == "foreground"


def test_labels_that_the_phantom_region_does_not_have(tmp_path):
    (line,) = lines_of(changed({"LUNG.segmenters.navi.classes.airway": ["airway_lumens"]}), tmp_path)
    start = "tasks.lung.segmenters.navi.classes.airway: the data has no such label; found: 'airway_lumens'; allowed: "
    assert line.startswith(start)
    assert line.endswith("; did you mean 'airway_lumen'?")


def test_classes_that_the_stand_in_cannot_learn(tmp_path):
    """TotalSegmentator knows the prostate, but a phantom of the thorax has none to learn it from."""
    (line,) = lines_of(changed({"LUNG.structures.bones.classes": ["prostate"]}), tmp_path)
    start = "tasks.lung.structures.bones.classes: the segmenter 'total' has no such class; found: 'prostate'; allowed: "
    assert line.startswith(start)
    assert ", sternum, " in line
    assert "airway_lumen" not in line


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path):
    study = changed({"seed": "x", "LUNG.reference": "no", "LUNG.variants.afp.generator": "gan"})
    study["tasks"]["second"] = copy.deepcopy(STUDY["tasks"]["lung"]) | {"spacing_mm": 3, "titel": "Second"}
    assert lines_of(study, tmp_path) == [
        f"tasks.second.titel: unknown key; allowed: {TASK_KEYS}; did you mean 'title'?",
        "tasks.second.spacing_mm: wrong type; found: 3; allowed: three numbers above 0 in mm, in the order z, y, x",
        "seed: wrong type; found: 'x'; allowed: a whole number at least 0, at most 4294967295",
        "tasks.lung.variants.afp.generator: no such generator; found: 'gan'; allowed: nnunet",
        "tasks.lung.reference: no such variant; found: 'no'; allowed: l1, afp",
    ]
    with pytest.raises(StudyError, match=r"^the study file has 5 problems:\n  tasks\.second\.titel: unknown key"):
        load_study(study, tmp_path)


def test_a_distilled_segmenter_has_a_teacher_that_knows_its_classes(tmp_path):
    fused = {"kind": "distilled", "teacher": "total", "classes": {"bones": ["sternum", "costal_cartilages"]}}
    study = changed(
        {"LUNG.segmenters.fused": fused, "LUNG.structures.bones": {"segmenter": "fused", "classes": ["bones"]}}
    )
    task = load_study(study, tmp_path)["tasks"]["lung"]
    assert task["segmenters"]["fused"]["patch_size"] == "auto"
    assert task["segmenters"]["fused"]["training"]["iterations"] == task["training"]["iterations"]
    place = "tasks.lung.segmenters.fused"
    fused["classes"] = {"bones": ["sternum"], "all": ["sternum"]}
    assert lines_of(study, tmp_path) == [
        f"{place}.classes.all: the label 'sternum' is already in the class 'bones'; "
        "hint: a voxel can belong to one class only"
    ]
    fused["classes"] = {"bones": ["sternums"]}
    (line,) = lines_of(study, tmp_path)
    assert line.startswith(
        f"{place}.classes.bones: the teacher 'total' has no such class; found: 'sternums'; allowed: "
    )
    assert line.endswith("; did you mean 'sternum'?")
    for teacher in ("fused", "totals"):
        fused["teacher"] = teacher
        (line,) = lines_of(study, tmp_path)
        assert line.startswith(
            f"{place}.teacher: no such segmenter that is not distilled itself; found: '{teacher}'; allowed: navi, total"
        )


def test_circles_of_init_from(tmp_path):
    study = changed({"LUNG.variants.l1.init_from": "afp", "LUNG.variants.afp.init_from": "l1"})
    hint = "hint: one of them must start from random weights"
    assert lines_of(study, tmp_path) == [
        f"tasks.lung.variants.l1.init_from: a circle: l1 -> afp -> l1; {hint}",
        f"tasks.lung.variants.afp.init_from: a circle: afp -> l1 -> afp; {hint}",
    ]
    study["tasks"]["lung"]["variants"]["third"] = {"generator": "nnunet", "loss": [{"term": "l1"}], "init_from": "l1"}
    assert len(lines_of(study, tmp_path)) == 2


def test_init_from_another_generator(tmp_path):
    study = changed({"LUNG.variants.afp.init_from": "l1", "LUNG.variants.afp.generator": "big"})
    study["tasks"]["lung"]["generators"] = {"big": {}}
    assert lines_of(study, tmp_path) == [
        "tasks.lung.variants.afp.init_from: 'l1' has another generator; found: nnunet; allowed: big"
    ]


def test_model_folders_without_what_loading_needs(tmp_path):
    study = changed({"LUNG.segmenters.hal": {"kind": "nnunet", "folder": "model", "folds": [0, 1]}})
    study["tasks"]["lung"]["structures"]["airways"] = {"segmenter": "hal", "classes": ["lumen"]}
    (tmp_path / "model" / "fold_0").mkdir(parents=True)
    (tmp_path / "model" / "fold_0" / "checkpoint_final.pth").touch()
    (tmp_path / "model" / "plans.json").write_text("{}")
    (tmp_path / "model" / "dataset.json").write_text("{}")
    assert lines_of(study, tmp_path) == [
        "tasks.lung.segmenters.hal.folder: model has no fold_1/checkpoint_final.pth; "
        "hint: give the folder that holds plans.json and fold_0",
        "tasks.lung.segmenters.hal.folder: model/dataset.json has no readable `labels`",
    ]
    study["tasks"]["lung"]["segmenters"]["hal"]["folds"] = [0]
    (tmp_path / "model" / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "wall": 1}}))
    assert lines_of(study, tmp_path) == [
        "tasks.lung.structures.airways.classes: the segmenter 'hal' has no such class; found: 'lumen'; allowed: wall"
    ]
    study["tasks"]["lung"]["structures"]["airways"]["classes"] = ["wall"]
    assert load_study(study, tmp_path)["tasks"]["lung"]["segmenters"]["hal"]["label"] == "hal"


def test_totalsegmentator_weights(tmp_path, monkeypatch):
    real = {"kind": "totalsegmentator", "task": "fast", "weights": "weights", "training": {"iterations": 5}}
    study = changed({"LUNG.segmenters.total": real, "LUNG.structures.bones.classes": ["prostate"]})
    (tmp_path / "weights").mkdir()
    assert lines_of(study, tmp_path) == [
        "tasks.lung.segmenters.total.training: has no effect, since weights are given; "
        "hint: remove it, or set weights to 'stand_in'",
        "tasks.lung.segmenters.total.weights: weights has no folder Dataset297_*, which the task 'fast' needs; "
        "hint: TotalSegmentator keeps them in ~/.totalsegmentator/nnunet/results",
    ]
    del real["training"]
    (tmp_path / "weights" / "Dataset297_TotalSegmentator_total_3mm_1559subj").mkdir()
    assert "training" not in load_study(study, tmp_path)["tasks"]["lung"]["segmenters"]["total"]
    monkeypatch.setenv("HOME", str(tmp_path))
    real["weights"] = "~/weights"
    segmenters = load_study(study, tmp_path / "elsewhere")["tasks"]["lung"]["segmenters"]
    assert segmenters["total"]["weights"] == str(tmp_path / "weights")


def test_problems_of_patients(tmp_path):
    study = copy.deepcopy(STUDY)
    task = study["tasks"]["lung"] = {**study["tasks"]["lung"], **copy.deepcopy(STS)}
    assert load_study(study, tmp_path)["tasks"]["lung"]["data"]["download_dir"] == "resources/sts"
    task["data"]["exclude"] = ["STS_999"]
    task["data"]["labels"]["structures"]["fat"]["hu"] = [-30, -150]
    task["segmenters"]["total"] = {"kind": "totalsegmentator", "weights": "stand_in"}
    task["segmenters"]["navi"]["classes"]["airway"] = ["bones"]
    pairs, cases, label, weights = lines_of(study, tmp_path)
    assert pairs == (
        "tasks.lung.data.labels.structures.fat.hu: the lower limit must come first; found: [-30, -150]; "
        "allowed: two numbers in rising order"
    )
    assert cases.startswith("tasks.lung.data: data.exclude: not a case of this source; found: STS_999; expected: STS_")
    assert label == (
        "tasks.lung.segmenters.navi.classes.airway: the data has no such label; found: 'bones'; allowed: bone, fat; "
        "did you mean 'bone'?"
    )
    assert weights == (
        "tasks.lung.segmenters.total.weights: a stand-in needs true labels; found: data.source 'sts'; "
        "allowed: the path of real weights; hint: 'stand_in' works with the phantom only"
    )


def test_problems_of_own_data(tmp_path):
    study = copy.deepcopy(STUDY)
    task = study["tasks"]["lung"] = {**study["tasks"]["lung"], **copy.deepcopy(STS)}
    task["segmenters"]["total"] = {"kind": "trained", "classes": {"bones": ["bone"]}}
    labels = {"kind": "files", "classes": {"bone": 300}}
    task["data"] = {"source": "folder", "root": "in", "mr": "mr.nii", "ct": "{case}/ct.nii", "labels": labels}
    assert lines_of(study, tmp_path) == [
        "tasks.lung.data.mr: not allowed; found: 'mr.nii'; allowed: a path with {case} in it, such as "
        "'{case}/mr.nii.gz', or null",
        "tasks.lung.data.labels.classes.bone: not allowed; found: 300; allowed: a whole number at least 1, at most 255",
    ]
    labels["classes"]["bone"], task["data"]["mr"] = 3, "{case}/mr.nii"
    label_map, folder = lines_of(study, tmp_path)
    assert label_map == (
        "tasks.lung.data.label_map: missing; allowed: a path with {case} in it; hint: data.labels.kind is 'files'"
    )
    assert folder.startswith("tasks.lung.data: data.root: no such folder: ")
    task["data"] = {"source": "bids", "root": "in", "labels": labels}
    assert lines_of(study, tmp_path)[0] == (
        "tasks.lung.data.labels.kind: 'files' needs a source that names label maps; found: data.source 'bids'; "
        "allowed: table, folder"
    )
    task["data"] = {"source": "table", "table": "cases.tsv"}
    assert lines_of(study, tmp_path)[0].startswith("tasks.lung.data: cannot read the table of cases ")
    no_label = "tasks.lung.segmenters.navi.classes.airway: the data has no such label; found: 'bone'; allowed: none"
    assert no_label in lines_of(study, tmp_path)


SPADE = {"generator": "spade", "loss": [{"term": "l1"}]}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"LUNG.generators.spade.spade_feature": 4}, "tasks.lung.generators.spade.spade_feature: unknown key; allowed: "
         "kind, planner, patch_size, base_features, max_features, downsamplings, blocks, spade_features, "
         "discriminator, adversarial_weight, feature_matching_weight; did you mean 'spade_features'?"),
        ({"LUNG.generators.spade.patch_size": [16, 16, 16]}, "tasks.lung.generators.spade.downsamplings: generator: "
         "too many downsamplings for the patch; found: 4 downsamplings of 16 x 16 x 16 voxels leave one voxel; "
         "expected: at least two voxels, since features are normalised over them; "
         "hint: lower the generator's `downsamplings`, or enlarge its `patch_size`"),
        ({"LUNG.variants.spade.training": {"optimizer": "sgd"}}, "tasks.lung.variants.spade.training.optimizer: the "
         "generator 'spade' is of kind spade; found: 'sgd'; allowed: adam"),
        ({"LUNG.variants.l1.training": {"optimizer": "adam"}}, "tasks.lung.variants.l1.training.optimizer: the "
         "generator 'nnunet' is of kind nnunet; found: 'adam'; allowed: sgd, adamw; did you mean 'adamw'?"),
        ({"LUNG.segmenters.navi.training": {"optimizer": "adam"}}, "tasks.lung.segmenters.navi.training.optimizer: "
         "segmenters are trained by nnU-Net; found: 'adam'; allowed: sgd, adamw; did you mean 'adamw'?"),
        ({"LUNG.variants.l1.training": {"gpus": 4}}, "tasks.lung.variants.l1.training.gpus: a batch of 2 patches "
         "cannot be shared equally; found: 4; hint: set batch_size to a multiple of it"),
        ({"LUNG.variants.spade.training": {"momentum": 0.9}}, "tasks.lung.variants.spade.training.momentum: has no "
         "effect, since a GAN is trained by adam; hint: remove it, or set adam_betas"),
        ({"LUNG.generators.nnunet": {"kind": "spade"}},
         "tasks.lung.generators.nnunet.kind: found: spade; allowed: nnunet; hint: give it another name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_generators_and_what_does_not_fit_them(changes, line, tmp_path):
    study = changed(
        {"LUNG.generators.spade": {"kind": "spade"}, "LUNG.variants.spade": copy.deepcopy(SPADE), **changes}
    )
    assert line in lines_of(study, tmp_path)


def test_problems_of_presets(tmp_path):
    study = changed({"preset": "quik", "presets": {"quick": {"training": {"iteratons": 5}}}})
    assert lines_of(study, tmp_path) == [
        f"presets.quick.training.iteratons: unknown key; allowed: {TRAINING_KEYS}; did you mean 'iterations'?",
        "preset: no such entry in `presets`; found: 'quik'; allowed: quick; did you mean 'quick'?",
    ]
    study = changed({"preset": "quick", "presets": {"quick": {"runtime": {"threads": 0, "gpu": 1}}}})
    assert lines_of(study, tmp_path) == [
        "presets.quick.runtime.gpu: unknown key; allowed: device, precision, threads",
        "presets.quick.runtime.threads: not allowed; found: 0; allowed: a whole number at least 1",
    ]
    study = changed({"presets": {"quick": 3, "a b": {}}})
    assert lines_of(study, tmp_path) == [
        "presets: not a usable name; found: 'a b'; allowed: a name of letters, digits, '_' and '-' other than 'ct'",
        "presets.quick: wrong type; found: 3; allowed: a group of keys",
    ]
    study = changed({"preset": "quick", "presets": {"quick": {"segmenters": {"navi": {"folderr": "x"}}}}})
    (line,) = lines_of(study, tmp_path)
    assert line.startswith("presets.quick.segmenters.navi.folderr: unknown key; allowed: kind, label, task, weights")
    assert line.endswith("; did you mean 'folder'?")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(number):
    study = copy.deepcopy(STUDY)
    study["tasks"]["lung"]["tolerance_mm"] = number
    with pytest.raises(StudyError) as error:
        load_study(study, ".")
    assert f"tasks.lung.tolerance_mm: not a finite number; found: {number}" in error.value.problems


def test_a_word_in_braces_in_a_path():
    study = copy.deepcopy(STUDY)
    study["tasks"]["lung"]["segmenters"]["total"]["weights"] = "weights/{r}"
    with pytest.raises(StudyError) as error:
        load_study(study, ".")
    (line,) = [line for line in error.value.problems if "braces" in line]
    assert line.startswith("tasks.lung.segmenters.total.weights: a word in braces; found: 'weights/{r}'")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tasks: &a [*a]", "too large"),
        ("tasks: 2026-13-45", "is not valid YAML\n  found: month must be in 1..12"),
        ("tasks: " + "[" * 2000, "is not valid YAML"),
        ("tasks: " + "9" * 5000, "is not valid YAML"),
        ("tasks: !!python/object:os.system x", "is not valid YAML"),
        ("a: {b: 1, b: 2}", "the key 'b' is given twice"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_files_that_yaml_cannot_make_a_study_of(tmp_path, text, found):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_study(path)
    assert found in str(error.value) and str(path) in str(error.value)


def test_anchors_that_multiply(tmp_path):
    """Nine levels of ten: a thousand million values from a few lines."""
    lines = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "study.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="study.yaml is too large"):
        read_study(tmp_path / "study.yaml")

"""Reading, merging and completing study files; the shipped ones, and the schema itself."""

import ast
import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import study_inputs
from fresh_process import printed

from afpbench.base.errors import ConfigError
from afpbench.study import docs as config_docs
from afpbench.study import schema as config_schema
from afpbench.study.checks import task as config_checks
from afpbench.study.kinds.segmenters.totalsegmentator import totalsegmentator_classes
from afpbench.study.load import load_study, merge, read_study
from afpbench.study.rows import CONTROLS

ROOT = Path(__file__).resolve().parents[3]
STUDIES = sorted((ROOT / "config").glob("*.yaml"))


@pytest.fixture
def phantom_study() -> dict:
    return {
        "tasks": {
            "lung": {
                "data": {"source": "phantom", "region": "thorax", "cases": 20},
                "spacing_mm": [4.0, 2.0, 3.0],
                "splits": {"train": 8, "validation": 2, "test": 8},
                "segmenters": {
                    "navi": {"kind": "trained", "classes": {"airway": ["airway_lumen"]}},
                    "total": {"kind": "totalsegmentator", "task": "fast", "weights": "stand_in"},
                },
                "structures": {"airways": {"segmenter": "navi", "classes": ["airway"]}},
                "variants": {"l1": {"generator": "nnunet", "loss": [{"term": "l1"}]}},
                "reference": "l1",
                "tables": {"t": {"columns": [{"metric": "mae"}, {"metric": "nsd", "structure": "airways"}]}},
            }
        }
    }


def every_key(schema: dict, value, missing: list, path: str = "") -> list:
    """Keys of the schema that a completed value lacks."""
    schema = config_schema.alternative(schema, value)
    if isinstance(value, dict):
        for key in schema.get("properties", {}):
            if key not in value:
                missing.append(f"{path}.{key}")
        for key, item in value.items():
            sub = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(sub, dict):  # a part of the schema, not `false`
                every_key(sub, item, missing, f"{path}.{key}")
        branch = config_schema.branches(schema).get(value.get(config_schema.tag_of(schema)))
        if branch:
            every_key(branch, value, missing, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            every_key(schema["items"], item, missing, f"{path}[{index}]")
    return missing


def walk(schema, path=""):
    """Every part of a schema with its path."""
    if isinstance(schema, dict):
        yield path, schema
        for key, sub in schema.items():
            if key not in ("if", "default", "enum", "const"):
                yield from walk(sub, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, sub in enumerate(schema):
            yield from walk(sub, f"{path}/{index}")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_shipped_studies_are_valid_and_complete(path, tmp_path):
    study = load_study(read_study(path), study_inputs(tmp_path))
    only_trained = {  # what could be trained and is only loaded has no training
        f".tasks.{task}.{part}.{name}.{key}"
        for task, spec in study["tasks"].items()
        for part, kind, keys in (
            ("segmenters", "totalsegmentator", ("training", "planner", "patch_size")),
            ("feature_networks", "medicalnet", ("training", "patch_size")),
        )
        for name, network in spec[part].items()
        if network["kind"] == kind and network["weights"] != "stand_in"
        for key in keys
    }
    assert set(every_key(config_schema.study_schema(), study, [])) == only_trained
    json.dumps(study)


def test_every_shipped_study_has_a_results_folder_of_its_own():
    """Else a second study writes its report over the first one's."""
    folders = [read_study(path).get("results", "results") for path in STUDIES]
    assert len(set(folders)) == len(STUDIES)


def test_defaults_are_filled_in(phantom_study):
    before = copy.deepcopy(phantom_study)
    study = load_study(phantom_study, ROOT)
    task = study["tasks"]["lung"]
    assert phantom_study == before
    assert study["runtime"] == {"device": "auto", "precision": "auto", "threads": 1}
    assert every_key(config_schema.study_schema(), study, []) == []
    assert task["title"] == "lung"
    assert task["data"]["spacing_mm"] == [3.0, 3.0, 3.0]
    assert task["tolerance_mm"] == task["structures"]["airways"]["tolerance_mm"] == 4.0  # twice the smallest, 2 mm
    assert task["inference"] == {
        "overlap": 0.5, "fusion": "median", "mirror": [], "combine": "mean", "uncertainty": False, "cases_per_job": 8,
    }  # fmt: skip
    assert task["generators"]["nnunet"]["planner"] == {
        "encoder": "plain", "memory_gb": 8, "base_features": 32, "max_features": 320, "blocks_per_stage": 2,
        "residual_blocks": [1, 3, 4, 6], "decoder_blocks": [1], "batch_size": 2,
    }  # fmt: skip
    assert task["controls"] == ["real_ct", "real_ct_clipped", "mr_linear", "mean_ct"]
    assert task["tables"]["t"]["rows"] == ["l1", "real_ct", "real_ct_clipped", "mr_linear", "mean_ct"]
    assert task["tables"]["t"]["columns"] == [
        {"metric": "mae", "structure": None, "region": "body"},
        {"metric": "nsd", "structure": "airways", "region": "body"},
    ]
    assert task["training"]["momentum"] == 0.99
    assert task["variants"]["l1"]["training"] == task["training"]
    assert task["variants"]["l1"]["loss"][0]["weight"] == 1


def test_inheritance_works_key_by_key(phantom_study):
    task = phantom_study["tasks"]["lung"]
    phantom_study["runtime"] = {"precision": "float32"}
    task["training"] = {"iterations": 100, "batch_size": 3}
    task["generators"] = {"nnunet": {"planner": {"base_features": 8}, "patch_size": [32, 32, 32]}}
    task["segmenters"]["navi"] |= {"training": {"batch_size": 4}, "planner": {"max_features": 64}}
    task["variants"]["l1"]["training"] = {"learning_rate": 0.003, "precision": "bfloat16"}
    task = load_study(phantom_study, ROOT)["tasks"]["lung"]
    variant, navi, total = task["variants"]["l1"], task["segmenters"]["navi"], task["segmenters"]["total"]
    assert task["training"]["precision"] == "float32"
    assert variant["training"] == {**task["training"], "learning_rate": 0.003, "precision": "bfloat16"}
    assert navi["training"] == {**task["training"], "batch_size": 4}
    assert navi["planner"] == {
        **task["generators"]["nnunet"]["planner"], "base_features": 8, "max_features": 64, "batch_size": 4,
    }  # fmt: skip
    assert navi["patch_size"] == total["patch_size"] == [32, 32, 32]
    assert total["training"] == task["training"]
    assert total["planner"]["batch_size"] == task["generators"]["nnunet"]["planner"]["batch_size"] == 3


def test_a_preset_lies_between_defaults_and_the_task(phantom_study):
    task = phantom_study["tasks"]["lung"]
    task["training"] = {"iterations": 100}
    phantom_study |= {
        "preset": "small",
        "presets": {
            "small": {
                "training": {"iterations": 5, "batch_size": 1},
                "segmenters": {"navi": {"training": {"iterations": 7}}, "elsewhere": {"training": {"iterations": 9}}},
                "generators": {"wide": {"planner": {"base_features": 64}}},
            },
            "unused": {"training": {"iterations": 6}},
        },
    }
    study = load_study(phantom_study, ROOT)
    task = study["tasks"]["lung"]
    assert task["training"]["iterations"] == 100
    assert task["training"]["batch_size"] == 1
    assert task["training"]["iterations_per_epoch"] == 50
    assert task["segmenters"]["navi"]["training"]["iterations"] == 7
    assert list(task["segmenters"]) == ["navi", "total"]
    assert task["generators"]["wide"]["planner"]["base_features"] == 64
    assert study["preset"] == "small"


def test_a_preset_gives_required_keys(phantom_study):
    spacing = phantom_study["tasks"]["lung"].pop("spacing_mm")
    phantom_study |= {"preset": "fine", "presets": {"fine": {"spacing_mm": spacing}}}
    assert load_study(phantom_study, ROOT)["tasks"]["lung"]["spacing_mm"] == spacing


def test_a_preset_may_say_what_hardware_it_is_for(phantom_study):
    phantom_study |= {"preset": "gpu", "presets": {"gpu": {"runtime": {"threads": 8, "device": "cuda"}}}}
    phantom_study["runtime"] = {"device": "cpu"}
    study = load_study(phantom_study, ROOT)
    assert study["runtime"] == {"device": "cpu", "precision": "auto", "threads": 8}
    assert "runtime" not in study["tasks"]["lung"]


def test_merge_joins_groups_and_replaces_lists():
    assert merge({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": {"e": 2}}) == {
        "a": {"b": 1, "c": [3]},
        "d": {"e": 2},
    }


def test_a_preset_does_not_change_the_order_of_rows():
    merged = merge({"afp": 1, "l1": {"b": 1, "a": 1}, "new": 1}, {"l1": {"a": 2}, "afp": 2})
    assert list(merged) == ["l1", "afp", "new"] and list(merged["l1"]) == ["a", "b"]


@pytest.mark.parametrize(("count", "smallest"), [("5 test cases", "0.0625"), ("1 test case", "1")])
def test_too_few_test_cases_are_a_warning(phantom_study, caplog, count, smallest):
    phantom_study["tasks"]["lung"]["splits"]["test"] = int(count.split()[0])
    study = load_study(phantom_study, ROOT)
    line = (
        f"tasks.lung.splits.test: with {count} the smallest p of a two-sided Wilcoxon test is {smallest}, "
        "so nothing can reach p < 0.05"
    )
    assert config_checks.warnings(study) == [line]
    assert caplog.messages == [line]


@pytest.mark.parametrize(
    ("variants", "count", "told"),
    [
        (8, 8, "7 rows beside the reference the smallest p after Holm's correction is 0.0547"),  # 7 * 2 / 2**8
        (8, 9, ""),  # 7 * 2 / 2**9 = 0.0273
        (7, 8, ""),  # 6 * 2 / 2**8 = 0.0469
        (3, 6, "2 rows beside the reference the smallest p after Holm's correction is 0.0625"),  # 2 * 2 / 2**6
    ],
)
def test_too_few_test_cases_for_the_corrected_tests_are_a_warning(variants, count, told):
    training = {"checkpoint": "last", "iterations": 20, "iterations_per_epoch": 20}
    task = {
        "splits": {"test": count},
        "statistics": {"alpha": 0.05},
        "variants": {f"v{index}": {"training": training} for index in range(variants)},
    }
    needed = {8: 9, 3: 7}.get(variants)
    line = (
        f"tasks.lung.splits.test: with {count} test cases and {told}, so nothing can reach p_holm < 0.05; "
        f"hint: {needed} test cases or more"
    )
    assert config_checks.warnings({"tasks": {"lung": task}}) == ([line] if told else [])


@pytest.mark.parametrize(
    ("training", "line"),
    [
        (
            {"checkpoint": "best"},
            "the best epoch is chosen by the loss on a few patches; "
            "hint: set validate_cases_every_epochs to choose by whole validation cases",
        ),
        (
            # 100 iterations of 40: three epochs
            {"checkpoint": "best", "validate_cases_every_epochs": 3, "iterations": 100, "iterations_per_epoch": 40},
            "whole cases are validated in the last of 3 epochs only, which is the best one then; "
            "found: validate_cases_every_epochs 3; hint: set it lower",
        ),
        ({"checkpoint": "best", "validate_cases_every_epochs": 2, "iterations": 100, "iterations_per_epoch": 40}, ""),
        ({"validate_cases_every_epochs": 0}, ""),
    ],
)
def test_a_choice_of_the_best_epoch_that_cannot_choose_is_a_warning(phantom_study, training, line):
    phantom_study["tasks"]["lung"]["training"] = training
    lines = [f"tasks.lung.variants.l1.training.checkpoint: {line}"] if line else []
    found = config_checks.warnings(load_study(phantom_study, ROOT))
    assert [line for line in found if "checkpoint" in line] == lines


def test_iterations_that_are_no_whole_epochs_are_told(phantom_study):
    """45 iterations in epochs of 20 are three epochs; 15 are one epoch of 15."""
    task = phantom_study["tasks"]["lung"]
    task["training"] = {"iterations": 45, "iterations_per_epoch": 20}
    for segmenter in task["segmenters"].values():
        segmenter["training"] = {"iterations": 15}
    row = next(iter(task["variants"]))
    for name, variant in task["variants"].items():
        variant["training"] = {"iterations": 45 if name == row else 40}
    lines = config_checks.warnings(load_study(phantom_study, ROOT))
    told = [line for line in lines if "iterations" in line]
    assert told == [
        f"tasks.lung.variants.{row}.training.iterations: 45 are run as 60, whole epochs of 20; hint: a multiple of "
        "20, or another iterations_per_epoch"
    ]


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_shipped_phantom_studies_can_reach_significance(name):
    study = load_study(read_study(ROOT / "config" / name), ROOT)
    assert config_checks.warnings(study) == []
    if name == "config.yaml":
        assert all(task["splits"]["test"] >= 10 for task in study["tasks"].values())


def test_six_test_cases_are_enough(phantom_study):
    cases = [f"thorax_{number:03d}" for number in range(8)]
    phantom_study["tasks"]["lung"]["splits"] = {"train": cases[:1], "validation": cases[1:2], "test": cases[2:]}
    assert config_checks.warnings(load_study(phantom_study, ROOT)) == []


def test_totalsegmentator_classes_are_those_of_the_package():
    """Compared without importing the package, which takes seconds."""
    import importlib.util

    package = importlib.util.find_spec("totalsegmentator")
    source = Path(package.submodule_search_locations[0], "map_to_binary.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "class_map":
            assert totalsegmentator_classes() == ast.literal_eval(node.value)["total"]
            return
    pytest.fail("the package has no class_map")


def test_the_schema_is_a_valid_and_closed_one():
    schema = config_schema.study_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for path, part in walk(schema):
        if part.get("type") == "object" and "properties" in part and "allOf" not in part:
            assert part.get("additionalProperties") is False, path
        if part.get("type") == "object" and "properties" not in part and not config_schema.forms(part):
            free = isinstance(part.get("additionalProperties"), dict)
            assert free or path == "/properties/presets/additionalProperties", path


def test_every_key_is_described_and_required_or_has_a_value():
    for path, part in walk(config_schema.study_schema()):
        for key, sub in part.get("properties", {}).items() if part.get("type") == "object" else ():
            place = f"{path}/{key}"
            assert sub.get("description") or "const" in sub, place
            known = key in part.get("required", []) or "default" in sub or "x-inherits" in sub or "const" in sub
            assert known, place


def test_schema_and_rows_name_the_same_controls():
    controls = config_schema.task_schema()["properties"]["controls"]
    assert controls["items"]["enum"] == list(CONTROLS)


def test_schema_and_registry_name_the_same_metrics():
    from afpbench.study.metrics import score_metrics

    tables = config_schema.branches(config_schema.task_schema()["properties"]["tables"]["additionalProperties"])
    columns = tables["scores"]["properties"]["columns"]
    assert columns["items"]["properties"]["metric"]["enum"] == score_metrics()


def test_readme_matches_the_schema(tmp_path, capsys):
    assert config_docs.main(["--check"]) == 0, "run python -m afpbench.study.docs"
    other = tmp_path / "README.md"
    assert config_docs.main(["--check", "--output", str(other)]) == 1
    assert capsys.readouterr().err == f"{other} differs from the schema: run python -m afpbench.study.docs\n"
    assert config_docs.main(["--output", str(other)]) == 0
    assert config_docs.main(["--check", "--output", str(other)]) == 0


def test_readme_has_every_key():
    text = config_docs.render()
    for path, part in walk(config_schema.study_schema()):
        for key, sub in part.get("properties", {}).items() if part.get("type") == "object" else ():
            assert "const" in sub or f"| `{key}` |" in text, f"{path}/{key}"


def test_read_study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("a: &a {b: 1}\nc: {<<: *a, b: 2}\n", encoding="utf-8")
    assert read_study(path) == {"a": {"b": 1}, "c": {"b": 2}}


def test_read_study_leaves_keys_that_are_no_words_to_the_loader(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("? [a, b]\n: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="found unhashable key"):
        read_study(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb:\n  c: 1\n  c: 2\n", "the study file PATH, line 4, column 3 is not valid YAML\n"
         "  found: the key 'c' is given twice, first in line 3\n  hint: indent with spaces, one `key: value` a line"),
        (b"a:\n\t- 1\n", "the study file PATH, line 2, column 1 is not valid YAML\n"
         "  found: found character '\\t' that cannot start any token\n"
         "  hint: indent with spaces, one `key: value` a line"),
        (b"\xff", "the study file PATH is not valid YAML\n"
         "  found: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte\n"
         "  hint: indent with spaces, one `key: value` a line"),
    ],
)  # fmt: skip
def test_files_that_are_no_yaml(content, message, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_study(path)
    assert str(error.value) == message.replace("PATH", str(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError) as error:
        read_study(tmp_path / "no.yaml")
    assert str(error.value) == (
        f"cannot read the study file {tmp_path / 'no.yaml'}\n"
        "  found: No such file or directory\n  hint: give the path of a YAML file"
    )


def test_a_copy_without_its_schema_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)schema is missing: .*hint: run afpbench from a whole copy"):
        config_schema._read_yaml(tmp_path / "config.schema.yaml")


def test_loading_is_light():
    """Nothing heavier than PyYAML and jsonschema is imported: a host that only plans has no more."""
    code = (
        "import sys, pathlib\n"
        "from afpbench.study.load import load_study, read_study\n"
        f"root = pathlib.Path({str(ROOT)!r})\n"
        "load_study(read_study(root / 'config/config.yaml'), root)\n"
        "print(sorted({'numpy', 'torch', 'pandas', 'SimpleITK', 'scipy', 'snakemake'} & set(sys.modules)))\n"
    )
    assert printed(code) == "[]\n"


def test_studies_read_the_same_with_snakemakes_reader():
    """Snakemake reads YAML 1.1 as PyYAML does; the loader that refuses double keys must not change a value."""
    for path in STUDIES:
        assert read_study(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_a_gan_has_the_patches_of_the_nnunet_and_its_own_training(phantom_study):
    task = phantom_study["tasks"]["lung"]
    task["training"] = {"iterations": 40, "learning_rate": 0.01, "optimizer": "adamw"}
    task["generators"] = {
        "nnunet": {"planner": {"memory_gb": 0.5}, "patch_size": [32, 40, 56]},
        "spade": {"kind": "spade", "base_features": 8},
        "own": {"kind": "pix2pixhd", "patch_size": [32, 32, 32]},
    }
    loss = [{"term": "l1"}]
    task["variants"]["spade_l1"] = {"generator": "spade", "loss": loss}
    own = {"learning_rate": 0.001, "gradient_clip": 5}
    task["variants"]["own_l1"] = {"generator": "own", "loss": loss, "training": own}
    done = load_study(phantom_study, ROOT)["tasks"]["lung"]
    assert [done["generators"][name]["patch_size"] for name in ("spade", "own")] == [[32, 40, 56], [32, 32, 32]]
    assert done["generators"]["spade"]["planner"] == done["generators"]["nnunet"]["planner"]
    assert done["generators"]["spade"]["discriminator"] == {"scales": 2, "layers": 4, "base_features": 64}
    keys = ("iterations", "learning_rate", "optimizer", "weight_decay", "adam_betas", "gradient_clip")
    rows = {name: [variant["training"][key] for key in keys] for name, variant in done["variants"].items()}
    assert rows == {
        "l1": [40, 0.01, "adamw", 0.0001, [0.5, 0.999], 12],
        "spade_l1": [40, 0.0002, "adam", 0.0, [0.5, 0.999], None],
        "own_l1": [40, 0.001, "adam", 0.0, [0.5, 0.999], 5],
    }

"""What Snakemake would run, and what a bad study file says, without running anything."""

import re
import resource
import shutil

import pytest
import yaml
from conftest import PROJECT, TINY_STUDY, copy_project, planned_jobs, snakemake, study_inputs, write_files

from afpbench.study.kinds.sources import open_source
from afpbench.study.kinds.sources.sts import ROLES, sts_files
from afpbench.study.kinds.sources.synthrad2023 import synthrad2023_pelvis
from afpbench.study.load import load_study, merge
from afpbench.study.splits import PARTS, make_splits

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("plan") / "project")


def expected_jobs(study, root):
    """The jobs of a study on a machine where nothing is done yet, counted from its configuration."""
    jobs = dict.fromkeys(("all",), 1)

    def add(rule, count):
        if count:
            jobs[rule] = jobs.get(rule, 0) + count

    for task in study["tasks"].values():
        cases, segmenters = splits_total(task), task["segmenters"]  # unused cases are left alone
        made = [
            s for s in segmenters.values() if s["kind"] in ("trained", "distilled") or s.get("weights") == "stand_in"
        ]
        test, size = task["splits"]["test"], task["inference"]["cases_per_job"]
        chunks = -(-(test if isinstance(test, int) else len(test)) // size)
        variants, controls = len(task["variants"]), len(task["controls"])
        used = {structure["segmenter"] for structure in task["structures"].values()}
        for rule in ("import_case", "resample_case", "register_case", "prepare_case"):
            add(rule, cases if rule in ("import_case", "resample_case", "register_case") else splits_total(task))
        add("check_data", task["data"]["source"] != "phantom")
        for rule in ("registration_table", "splits", "normalization", "mr_range", "metrics", "statistics"):
            add(rule, 1)
        add("training_set", len({variant["generator"] for variant in task["variants"].values()}))
        add("train_segmenter", len(made))
        taught = splits_total(task) - (test if isinstance(test, int) else len(test))
        add("teacher_labels", sum(s["kind"] == "distilled" for s in segmenters.values()) * -(-taught // size))
        add("train_medicalnet", len(used_stand_ins(task)))
        add("stand_in_weights", sum(s.get("weights") == "stand_in" for s in made))
        add("train_variant", variants)
        add("model_card", variants)
        add("calibrate_variant", sum(v["hu_calibration"] != "none" for v in task["variants"].values()))
        add("synthesize", variants * chunks)
        add("fit_control", len({"mr_linear", "mean_ct"} & {*task["controls"]}))
        add("control", controls * chunks)
        add("segment_real", len(segmenters if task["data"]["source"] == "phantom" else used) * chunks)
        add("segment", len(used) * (variants + controls) * chunks)
        add("segmenter_accuracy", task["data"]["source"] == "phantom")
        add("row_metrics", variants + controls)
        bias = [table for table in task["tables"].values() if table["kind"] == "registration_bias"]
        add("row_metrics_against", sum(len(table["tasks"]) ** 2 * len(table["rows"]) for table in bias))
        add("table", len(task["tables"]))
        add("figure_slices", len(task["figures"]["cases"]))
        add("figure_surfaces", len(task["figures"]["cases"]))
        add("figure_uncertainty", len(task["figures"]["cases"]) if task["inference"]["uncertainty"] else 0)
        add("figure_distributions", 1)
        add("figure_curves", 1)
    add("report", study["report"])
    return jobs


def used_stand_ins(task):
    """MedicalNet's stand-ins that some loss names."""
    terms = [term for variant in task["variants"].values() for term in variant["loss"]]
    names = {n["name"] if isinstance(n, dict) else n for term in terms for n in term.get("networks") or []}
    return [n for n, network in task["feature_networks"].items() if network.get("weights") == "stand_in" and n in names]


def splits_total(task):
    return sum(part if isinstance(part, int) else len(part) for part in (task["splits"][name] for name in PARTS))


def plan(tree, *arguments, **environment):
    result = snakemake(tree, "--cores", "2", "-n", *arguments, **environment)
    assert result.returncode == 0, result.stdout[-3000:]
    assert not (tree / "results").exists()
    return planned_jobs(result.stdout)


@pytest.fixture(scope="module")
def default_jobs(tree):
    """The jobs of the study without a study file."""
    return plan(tree)


@pytest.fixture(scope="module")
def tiny_jobs(tree):
    """The jobs of the tiny study."""
    return plan(tree, "--configfile", str(TINY_STUDY))


def test_the_default_is_the_phantom_study(tree, default_jobs):
    study = load_study(yaml.safe_load((tree / "config" / "config.yaml").read_text()), tree)
    assert set(study["tasks"]) == {"thorax", "pelvis"}
    assert default_jobs == expected_jobs(study, tree)


def test_all_that_the_first_row_waits_for_comes_soon():
    rules = "".join(path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk"))
    soon = {block.split(":")[0] for block in rules.split("\nrule ")[1:] if "priority: soon(" in block}
    cases = {"import_case", "resample_case", "register_case", "prepare_case"}
    assert soon == cases | {"splits", "normalization", "training_set", "train_variant"}


def test_the_guides_spade_rows_on_the_tiny_study(tree):
    page = (PROJECT / "docs" / "how-to" / "add-a-generator.md").read_text()
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    study = yaml.safe_load(TINY_STUDY.read_text())
    study["tasks"]["thorax"] = merge(study["tasks"]["thorax"], example)
    (tree / "spade.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    jobs = plan(tree, "--configfile", "spade.yaml")
    assert jobs == expected_jobs(load_study(study, tree), tree) and jobs["training_set"] == 2


def write_patients(folder, cases):
    """Small files where a source `sts` looks for those of its patients."""
    for case in cases:
        (folder / case).mkdir(parents=True)
        for name in ROLES.values():
            (folder / case / name).write_bytes(b"small")


def test_the_real_study_with_its_patients_on_disk(tree, tmp_path):
    write_patients(tmp_path / "real" / "sts", {file.case for file in sts_files()})
    study = load_study(yaml.safe_load((tree / "config" / "sts.yaml").read_text()), tree)
    jobs = plan(tree, "--configfile", "config/sts.yaml", AFPBENCH_REAL_DATA=str(tmp_path / "real"))
    assert jobs == expected_jobs(study, tree)


def test_the_real_study_downloads_what_is_not_there(tree, tmp_path):
    cases = sorted({file.case for file in sts_files()})
    write_patients(tmp_path / "real" / "sts", cases[:3])
    study = load_study(yaml.safe_load((tree / "config" / "sts.yaml").read_text()), tree)
    used = open_source(study["tasks"]["sts"]["data"], tree).cases()
    jobs = plan(tree, "--configfile", "config/sts.yaml", AFPBENCH_REAL_DATA=str(tmp_path / "real"))
    assert jobs.pop("download_sts") == len(set(used) - set(cases[:3]))
    assert jobs == expected_jobs(study, tree)


@pytest.fixture(scope="module")
def tree_with_inputs(tmp_path_factory):
    """A copy of the project with small files where the shipped studies of other people's data look for them."""
    return study_inputs(copy_project(tmp_path_factory.mktemp("inputs") / "project"))


@pytest.mark.parametrize("preset", ["full", "quick"])
def test_the_winners_recipe(tree_with_inputs, preset):
    tree = tree_with_inputs
    study = yaml.safe_load((tree / "config/synthrad2025_winner.yaml").read_text())
    study = load_study({**study, "preset": preset}, tree)
    jobs = plan(tree, "--configfile", "config/synthrad2025_winner.yaml", "--config", f"preset={preset}")
    assert jobs == expected_jobs(study, tree)
    rows = study["tasks"]["thorax"]["variants"]
    newest = {tuple(term.get("networks", ())): term["weight"] for term in rows["authors_newest"]["loss"]}
    assert newest == {("navi",): 3, ("hal",): 1, ("same_plan",): 0.5, (): 0.5}
    assert [term["weight"] for term in rows["winner"]["loss"]] == [0.5, 0.5]


@pytest.mark.parametrize("name", ["own_data", "thorax_synthrad2025", "lung", "registration_bias"])
def test_studies_of_other_data(tree_with_inputs, name):
    tree = tree_with_inputs
    study = load_study(yaml.safe_load((tree / f"config/{name}.yaml").read_text()), tree)
    assert plan(tree, "--configfile", f"config/{name}.yaml") == expected_jobs(study, tree)


def test_synthrad2023_is_downloaded_once_and_unpacked_case_by_case(tree_with_inputs):
    tree = tree_with_inputs
    study = load_study(yaml.safe_load((tree / "config/pelvis_synthrad2023.yaml").read_text()), tree)
    assert study["tasks"]["pelvis"]["registration"]["method"] == "none"
    jobs = plan(tree, "--configfile", "config/pelvis_synthrad2023.yaml")
    assert (jobs.pop("download_synthrad2023"), jobs.pop("unpack_synthrad2023")) == (1, 180)
    assert jobs == expected_jobs(study, tree)


def test_synthrad2023_that_was_unpacked_by_hand_needs_no_archive(tree_with_inputs):
    tree = tree_with_inputs
    write_files(tree / "unpacked/Task1/pelvis", list(synthrad2023_pelvis()), ".nii.gz")
    text = (tree / "config/pelvis_synthrad2023.yaml").read_text()
    (tree / "here.yaml").write_text(text.replace("root: null", "root: unpacked"))
    (tree / "cache.yaml").write_text(text.replace("root: null", "download_dir: unpacked"))
    study = load_study(yaml.safe_load((tree / "here.yaml").read_text()), tree)
    for name in ("here", "cache"):
        assert plan(tree, "--configfile", f"{name}.yaml") == expected_jobs(study, tree)


def test_seeds_multiply_what_follows_a_training(tree, default_jobs, tiny_jobs):
    one, three = (plan(tree, "--configfile", str(TINY_STUDY), "--config", f"seeds={n}") for n in ("1", "[7,8,20]"))
    assert one == tiny_jobs
    more = {rule: three[rule] - count for rule, count in one.items() if three[rule] != count}
    each = {"train_variant": 4, "model_card": 4, "synthesize": 4, "row_metrics": 4}  # two rows
    assert more == {**each, "segment": 8}  # two segmenters
    presets = plan(tree, "--config", "preset=three_seeds")
    assert presets["train_variant"] == 3 * default_jobs["train_variant"]


def test_chunks_of_cases(tree, tmp_path):
    study = yaml.safe_load(TINY_STUDY.read_text())
    study["tasks"]["thorax"]["inference"] = {"cases_per_job": 1}
    (tree / "chunks.yaml").write_text(yaml.safe_dump(study))
    jobs = plan(tree, "--configfile", "chunks.yaml")
    assert (jobs["synthesize"], jobs["control"], jobs["segment_real"], jobs["segment"]) == (4, 6, 4, 20)
    assert jobs == expected_jobs(load_study(study, tree), tree)


def test_no_test_case_reaches_normalisation_or_training(tree):
    """In the graph of jobs, what fits something starts from prepared training (and validation) cases alone."""
    shutil.copyfile(TINY_STUDY, tree / "study.yaml")
    study = load_study(yaml.safe_load(TINY_STUDY.read_text()), tree)
    task = study["tasks"]["thorax"]
    parts = make_splits(open_source(task["data"], tree).cases(), task["splits"], study["seed"], "thorax")
    text = snakemake(tree, "--cores", "2", "--dag", "dot", "--configfile", "study.yaml").stdout
    names = dict(re.findall(r'^\s*(\d+)\[label = "(.*?)", color', text, re.MULTILINE))
    parents = {}
    for start, end in re.findall(r"^\s*(\d+) -> (\d+)", text, re.MULTILINE):
        parents.setdefault(end, []).append(start)

    def case_of(job):
        found = re.search(r"case: (\w+)", names[job])
        return found[1] if found else case_of(parents[job][0])

    allowed = {"normalization": {"train"}, "mr_range": {"train"}, "training_set": {"train", "validation"}}
    allowed |= dict.fromkeys(("train_variant", "train_segmenter"), {"train", "validation"})
    seen = set()
    for job, name in names.items():
        rule = name.split("\\n")[0]
        if rule in allowed:
            cases = {case_of(parent) for parent in parents[job] if names[parent].startswith("prepare_case")}
            assert cases <= {case for part in allowed[rule] for case in parts[part]}, name
            seen.add((rule, bool(cases)))
    assert {("normalization", True), ("training_set", True), ("train_segmenter", True)} <= seen


def test_a_table_of_ten_thousand_cases_plans_in_seconds(tree_with_inputs):
    """Files of the cases that no part of the splits uses need not be there."""
    tree = tree_with_inputs
    text = (tree / "config/own_data.yaml").read_text().replace("data/cases.tsv", "many.tsv")
    (tree / "many.yaml").write_text(text)
    lines = "".join(f"q{number:05d}\tmr/{number}.nii\tct/{number}.nii\n" for number in range(10_000))
    (tree / "many.tsv").write_text("case\tmr\tct\n" + lines)
    study = yaml.safe_load(text)
    ((name, task),) = study["tasks"].items()
    cases = [f"q{number:05d}" for number in range(10_000)]
    parts = make_splits(cases, {"stratify": None, **task["splits"]}, study["seed"], name)
    for number in (int(case[1:]) for part in PARTS for case in parts[part]):
        for role in ("mr", "ct"):
            (tree / role).mkdir(exist_ok=True)
            (tree / role / f"{number}.nii").write_bytes(b"small")
    begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    jobs = plan(tree, "--configfile", "many.yaml")
    assert jobs["import_case"] == 32
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin < 15  # some 3 s of processor time


def test_another_results_folder_and_a_preset(tree):
    jobs = plan(tree, "--configfile", "config/sts.yaml", "--config", "preset=gpu", "results=elsewhere")
    assert jobs["train_variant"] == len(
        yaml.safe_load((tree / "config" / "sts.yaml").read_text())["tasks"]["sts"]["variants"]
    )


def test_relative_paths_start_from_the_working_directory(tree, tmp_path):
    study = yaml.safe_load((tree / "config" / "sts.yaml").read_text())
    task = study["tasks"]["sts"]
    cases = task["data"]["cases"] = ["STS_001", "STS_002", "STS_003"]
    task["data"]["root"] = "patients"
    del task["data"]["exclude"]
    task["splits"] = {"train": 1, "validation": 1, "test": 1}
    write_patients(tmp_path / "patients", cases)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    jobs = plan(tree, "--configfile", str(tmp_path / "study.yaml"), "--directory", str(tmp_path))
    assert jobs["import_case"] == 3 and "download_sts" not in jobs


def test_one_target_alone(tree):
    shutil.copyfile(TINY_STUDY, tree / "study.yaml")
    jobs = plan(tree, "results/thorax/registration/registration.csv", "--configfile", "study.yaml")
    assert jobs == {"import_case": 6, "resample_case": 6, "register_case": 6, "registration_table": 1}


def test_a_bad_study_shows_all_problems_and_runs_nothing(tree):
    study = yaml.safe_load(TINY_STUDY.read_text())
    task = study["tasks"]["thorax"]
    study["sead"] = study.pop("seed")
    task["registration"]["method"] = "evolution"
    task["training"]["iterations"] = 0
    task["data"]["cases"] = "six"
    (tree / "bad.yaml").write_text(yaml.safe_dump(study))
    result = snakemake(tree, "--cores", "2", "--configfile", "bad.yaml")
    assert result.returncode != 0
    for part in ("4 problems", "sead", "seed", "registration.method", "elastix", "training.iterations", "data.cases"):
        assert part in result.stdout, part
    assert "Traceback" not in result.stdout
    assert not (tree / "results").exists()


def test_problems_that_a_schema_cannot_see(tree):
    study = yaml.safe_load(TINY_STUDY.read_text())
    task = study["tasks"]["thorax"]
    task["splits"]["train"] = 30
    task["structures"]["airways"]["classes"] = ["airways"]
    task["variants"]["nnunet_afp"]["loss"][1]["networks"] = ["nabi"]
    task["reference"] = "nnunet_l2"
    (tree / "bad.yaml").write_text(yaml.safe_dump(study))
    result = snakemake(tree, "--cores", "2", "--configfile", "bad.yaml")
    assert result.returncode != 0 and "4 problems" in result.stdout
    for part in ("expected: 33 (30 train", "airways", "nabi", "navi", "nnunet_l2", "nnunet_l1"):
        assert part in result.stdout, part
    assert not (tree / "results").exists()


def test_an_unreadable_study_file(tree):
    (tree / "bad.yaml").write_text("tasks: [unclosed\n")
    result = snakemake(tree, "--cores", "2", "--configfile", "bad.yaml")
    assert result.returncode != 0 and "not valid JSON or YAML" in result.stdout
    assert not (tree / "results").exists()


def test_feature_networks_are_downloaded_trained_or_taken_as_they_are(tree, tmp_path, tiny_jobs):
    """Weights from an address are one local job; a stand-in is one training; what no loss names is not made."""
    study = yaml.safe_load(TINY_STUDY.read_text())
    task = study["tasks"]["thorax"]
    (tmp_path / "module.pt").touch()
    weights = {"url": "https://example.org/resnet_50.pth", "sha256": "0" * 64}
    task["feature_networks"] |= {
        "real": {"kind": "medicalnet", "weights": weights},
        "unused": {"kind": "medicalnet", "weights": "stand_in"},
        "module": {"kind": "torchscript", "path": str(tmp_path / "module.pt")},
    }
    task["variants"]["nnunet_l1"]["loss"].append({"term": "perceptual", "networks": ["real", "module"]})
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    assert tiny_jobs["train_medicalnet"] == 1
    assert plan(tree, "--configfile", str(tmp_path / "study.yaml")) == tiny_jobs | {"download_weights": 1}


def test_a_distilled_segmenter_waits_for_its_teacher(tree, tmp_path, tiny_jobs):
    """The teacher labels the training and validation cases in chunks; then one more segmenter is trained."""
    study = yaml.safe_load(TINY_STUDY.read_text())
    task = study["tasks"]["thorax"]
    task["segmenters"]["fused"] = {"kind": "distilled", "teacher": "navi", "classes": {"tree": ["airway", "trachea"]}}
    task["structures"]["tree"] = {"segmenter": "fused", "classes": ["tree"]}
    task["inference"] = {"cases_per_job": 3}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    jobs = plan(tree, "--configfile", str(tmp_path / "study.yaml"))
    assert jobs["teacher_labels"] == 2  # 3 + 1 cases, 3 a job
    assert jobs["train_segmenter"] == tiny_jobs["train_segmenter"] + 1


def test_a_study_in_a_folder_of_its_own(tree, tmp_path):
    """As the how-to page says: the clone's profile unless the folder has one, one table alone, nothing in the clone."""
    shutil.copyfile(TINY_STUDY.with_name("smallest.yaml"), tmp_path / "study.yaml")
    before = sorted(tree.rglob("*"))
    command = ("-s", str(tree / "Snakefile"), "--configfile", "study.yaml", "--cores", "1", "-n")
    table = "results/thorax/tables/quality.md"
    run = snakemake(tmp_path, *command, "--", table)
    assert f"Using workflow specific profile {tree / 'profiles' / 'default'} " in run.stdout
    jobs = planned_jobs(run.stdout)
    assert sum(jobs.values()) == 31 and not [rule for rule in jobs if "figure" in rule or rule == "report"]
    assert (tmp_path / ".snakemake").is_dir() and sorted(tree.rglob("*")) == before
    shutil.copytree(tree / "profiles" / "default", tmp_path / "profiles" / "default")
    assert "Using workflow specific profile profiles/default " in snakemake(tmp_path, *command, "--", table).stdout

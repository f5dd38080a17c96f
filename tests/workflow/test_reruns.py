"""What a change reruns, on the finished tiny study."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from conftest import planned_jobs, snakemake

from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
COMMAND = ("--cores", "2", "--configfile", "study.yaml")


@pytest.fixture(scope="module")
def tree(finished_study, tmp_path_factory):
    """A copy of the finished study, shared by the tests here; `restored` puts its files back."""
    return finished_study.copy(tmp_path_factory.mktemp("reruns") / "project")


@pytest.fixture
def edit(tree):
    """edit(path, old, new) changes a file of the tree until the end of the test."""
    originals = {}

    def change(name, old, new):
        path = tree / name
        text = path.read_text()
        originals.setdefault(path, text)
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        path.write_text(text.replace(old, new))

    yield change
    for path, text in originals.items():
        path.write_text(text)


def planned(tree):
    result = snakemake(tree, *COMMAND, "-n")
    assert result.returncode == 0, result.stdout[-3000:]
    return planned_jobs(result.stdout), result.stdout


def test_nothing_is_left_to_do(tree):
    begin = time.monotonic()
    result = snakemake(tree, *COMMAND)
    assert result.returncode == 0 and "Nothing to be done" in result.stdout
    assert time.monotonic() - begin < 60  # some seconds on a quiet machine


def test_a_second_look_does_not_depend_on_times_of_unrelated_files(tree):
    (tree / "src" / "afpbench" / "training" / "base.py").touch()
    (tree / "study.yaml").touch()
    assert planned(tree)[0] == {}


def test_dates_of_code_and_scripts_count_for_nothing(tree):
    """As in a fresh clone into which finished results are copied."""
    for folder in ("scripts", "src", "workflow", "config", "envs"):
        for path in (tree / folder).rglob("*"):
            os.utime(path)
    assert planned(tree)[0] == {}


def test_a_newer_input_of_the_same_content_reruns_nothing(tree):
    """A checkpoint and a table that were copied without their dates."""
    task = tree / "results/thorax"
    for name in ("models/segmenters/navi/fold_0/checkpoint_final.pth", "metrics/metrics.csv"):
        os.utime(task / name)
    assert planned(tree)[0] == {}


def test_a_changed_script_reruns_its_rule(tree, edit):
    edit("scripts/compare_rows.py", "params.seed,", "params.seed + 0,")
    jobs, output = planned(tree)
    assert jobs["statistics"] == 1 and "row_metrics" not in jobs
    assert "Params have changed since last execution" in output


# --- kinds that come along: built in, or of a user's own file

KINDS = {
    "losses": """
        from afpbench.study.kinds import Loss


        class Gradient(Loss):
            \"\"\"Mean absolute difference of neighbouring voxels' differences.\"\"\"

            name = "gradient"

            def value(self, synthetic, real, region=None):
                return (synthetic.diff(dim=2) - real.diff(dim=2)).abs().mean()
        """,
    "segmenters": """
        from afpbench.study.kinds import Segmenter


        class Threshold(Segmenter):
            \"\"\"Everything above 200 HU.\"\"\"

            name = "threshold"

            def class_values(self):
                return {"bone": 1}

            def model_folder(self, fold_folder):
                return ""

            def inputs(self, fold_folder):
                return []

            def open(self, folder, device, threads):
                return lambda ct: (ct.array > 200).astype("uint8")
        """,
    "metrics": """
        from afpbench.study.kinds import Metric


        class Bias(Metric):
            \"\"\"The median error.\"\"\"

            name, of, better, unit = "median_error", "image", "zero", "HU"

            @classmethod
            def of_image(cls, real_hu, synthetic_hu, mask, spacing_mm):
                return float(sorted((synthetic_hu - real_hu)[mask])[int(mask.sum()) // 2])
        """,
}
NAMES = {"losses": "gradient:Gradient", "segmenters": "threshold:Threshold", "metrics": "median_error:Bias"}


@pytest.fixture
def new_kinds(tree, edit):
    """A new loss, segmenter and metric, each one file of the project and a line of the registry."""
    made = []
    for group, text in KINDS.items():
        module, _, cls = NAMES[group].partition(":")
        path = tree / "src/afpbench/study/kinds" / group / f"{module}.py"
        path.write_text(textwrap.dedent(text))
        made.append(path)
    registry = "src/afpbench/study/kinds/registry.py"
    edit(registry, '        "mse": ', '        "gradient": ".losses.gradient:Gradient",\n        "mse": ')
    edit(
        registry,
        '        "distilled": ',
        '        "threshold": ".segmenters.threshold:Threshold",\n        "distilled": ',
    )
    edit(registry, '        "mae": ', '        "median_error": ".metrics.median_error:Bias",\n        "mae": ')
    yield
    for path in made:
        path.unlink()


NEW_VARIANT = """      nnunet_gradient: {label: Gradient, generator: nnunet, loss: [{term: l1}, {term: gradient}]}
    controls: [real_ct"""


def test_new_kinds_rerun_nothing(tree, new_kinds):
    assert planned(tree)[0] == {}


def test_new_kinds_in_use_rerun_nothing_that_was_there_before_them(tree, new_kinds, edit):
    edit("study.yaml", "    controls: [real_ct", NEW_VARIANT)
    edit("study.yaml", "      navi:\n", "      bone: {kind: threshold}\n      navi:\n")
    edit("study.yaml", "    structures:\n", "    structures:\n      bone: {segmenter: bone, classes: [bone]}\n")
    edit(
        "study.yaml", "          - {metric: ssim}\n", "          - {metric: ssim}\n          - {metric: median_error}\n"
    )
    jobs, output = planned(tree)
    assert jobs["train_variant"] == 1 and "thorax: training nnunet_gradient" in output
    assert jobs["synthesize"] == 1
    assert jobs["segment_real"] == 1  # bone
    assert jobs["segment"] == 6 + 2  # bone on six rows, the two other segmenters on the new one
    assert not {"train_segmenter", "train_medicalnet", "training_set", "control", "prepare_case"} & set(jobs)


def test_a_users_own_file_reruns_what_uses_it_when_it_changes(tree, edit):
    mine = tree / "mine.py"
    mine.write_text("".join(textwrap.dedent(text) for text in KINDS.values()))
    try:
        edit("study.yaml", "seed: 7\n", "seed: 7\nextensions: [mine.py]\n")
        jobs, _ = planned(tree)
        assert set(jobs) <= {"all", "report"}  # the page says what the study says
        edit("study.yaml", "    controls: [real_ct", NEW_VARIANT)
        target = "results/thorax/models/variants/nnunet_gradient/fold_0/checkpoint_final.pth"
        result = snakemake(tree, target, *COMMAND)
        assert result.returncode == 0, result.stdout[-3000:]
        assert "train_variant" not in planned(tree)[0]
        text = mine.read_text()
        mine.write_text(text.replace("Everything above", "All above"))
        assert "train_variant" not in planned(tree)[0]
        mine.write_text(text.replace("dim=2", "dim=3"))
        jobs, output = planned(tree)
        assert jobs["train_variant"] == 1 and "thorax: training nnunet_gradient" in output
    finally:
        mine.unlink()
        shutil.rmtree(tree / "results/thorax/models/variants/nnunet_gradient", ignore_errors=True)


def test_comments_and_docstrings_rerun_nothing(tree, edit):
    for name, old in (
        ("training/base.py", "import os\n"),
        ("training/trainers/nnUNetTrainerTranslation.py", "import numpy as np\n"),
        ("study/kinds/losses/l1.py", "class "),
        ("features/nnunet.py", "import warnings\n"),
        ("volumes/preprocessing.py", "def resample_case"),
        ("inference/fusion.py", "def patch_starts"),
        ("volumes/io.py", "def save_hu"),
    ):
        edit(f"src/afpbench/{name}", old, f"# A comment that says more.\n{old}")
    edit("src/afpbench/training/run.py", '"""Run one of our nnU-Net trainers', '"""Runs one of our own trainers')
    assert planned(tree)[0] == {}


def test_a_changed_trainer_retrains_and_leaves_the_data_alone(tree, edit):
    edit("src/afpbench/training/base.py", "round(float(value), 5)", "round(float(value), 6)")
    jobs, output = planned(tree)
    assert (jobs["train_variant"], jobs["train_segmenter"]) == (2, 2)
    assert not {"import_case", "resample_case", "register_case", "prepare_case", "training_set", "control"} & set(jobs)
    assert "Params have changed since last execution" in output


def test_a_changed_loss_retrains_the_variants_and_no_segmenter(tree, edit):
    edit("src/afpbench/study/kinds/losses/l1.py", "class ", "EXTRA = 1\n\n\nclass ")
    jobs, _ = planned(tree)
    assert jobs["train_variant"] == 2 and jobs["synthesize"] == 2
    assert not {"train_segmenter", "segment_real", "training_set", "control", "prepare_case"} & set(jobs)


def test_a_loss_that_is_not_used_retrains_nothing(tree, edit):
    edit("src/afpbench/study/kinds/losses/mse.py", "class ", "EXTRA = 1\n\n\nclass ")
    assert "train_variant" not in planned(tree)[0]


def test_a_changed_fusion_synthesizes_again_without_training(tree, edit):
    edit("src/afpbench/inference/fusion.py", "np.float32(0.5)", "np.float32(0.25)")
    jobs, _ = planned(tree)
    assert jobs["synthesize"] == 2
    assert not {"train_variant", "train_segmenter", "control", "segment_real", "prepare_case"} & set(jobs)


def test_a_changed_table_makes_tables_only(tree, edit):
    edit("study.yaml", "          - {metric: ssim}\n", "          - {metric: ssim}\n          - {metric: rmse}\n")
    assert planned(tree)[0] == {"all": 1, "table": 1, "figure_distributions": 1, "report": 1}


def test_a_figures_setting_draws_figures_and_the_report_only(tree, edit):
    edit("study.yaml", "    tables:\n", "    figures: {error_hu: 200}\n    tables:\n")
    assert planned(tree)[0] == {"all": 1, "figure_slices": 1, "report": 1}


def test_a_changed_caption_makes_its_table_anew(finished_study, tmp_path):
    tree = finished_study.copy(tmp_path / "project")
    text, caption = (tree / "study.yaml").read_text(), "caption: Image quality and segmentation."
    assert text.count(caption) == 1
    (tree / "study.yaml").write_text(text.replace(caption, "caption: Another caption."))
    result = snakemake(tree, *COMMAND)
    assert result.returncode == 0
    text = (tree / "results" / "thorax" / "tables" / "quality.md").read_text()
    assert "Another caption." in text and "Another caption." in result.stdout


def test_a_changed_training_option_of_one_variant_retrains_that_one(tree, edit):
    edit("study.yaml", "nnunet_l1: {label: L1,", "nnunet_l1: {training: {iterations: 12}, label: L1,")
    jobs, output = planned(tree)
    assert jobs["train_variant"] == 1 and "thorax: training nnunet_l1" in output
    assert not {"train_segmenter", "training_set", "control"} & set(jobs)


def test_a_calibration_and_a_label_train_nothing(tree, edit):
    edit("study.yaml", "nnunet_l1: {label: L1,", "nnunet_l1: {hu_calibration: affine, label: Another,")
    jobs, _ = planned(tree)
    assert jobs["calibrate_variant"] == 1 and jobs["synthesize"] == 1
    assert not {"train_variant", "train_segmenter", "training_set", "control"} & set(jobs)


def test_a_new_variant_trains_that_one_alone(tree, edit):
    edit(
        "study.yaml",
        "    controls: [real_ct",
        "      nnunet_mse: {label: MSE, generator: nnunet, loss: [{term: mse}]}\n    controls: [real_ct",
    )
    jobs, output = planned(tree)
    assert jobs["train_variant"] == 1 and "thorax: training nnunet_mse" in output
    assert (jobs["synthesize"], jobs["row_metrics"], jobs["segment"]) == (1, 1, 2)
    assert not {"train_segmenter", "training_set", "control", "segment_real"} & set(jobs)


def test_a_removed_control_leaves_the_rest(tree, edit):
    edit("study.yaml", "controls: [real_ct, mr_linear, mean_ct]", "controls: [real_ct, mr_linear]")
    jobs, _ = planned(tree)
    figures = {"figure_slices", "figure_surfaces", "figure_distributions"}
    assert set(jobs) == {"all", "metrics", "statistics", "table", "report"} | figures


# --- a training job that is killed


def training_processes(tree, since):
    """Process ids of this tree's training jobs."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            here = (entry / "cwd").resolve() == tree.resolve()
        except OSError:
            continue
        if here and re.search(r"tmp\w+\.train_variant\.py", command):
            found.append(int(entry.name))
    return found


def epochs(log):
    return re.findall(r"epoch (\d+)/\d+", log.read_text()) if log.exists() else []


def test_a_killed_training_job_goes_on_from_its_checkpoint(finished_study, tmp_path, edit):
    tree = finished_study.copy(tmp_path / "project")
    study = yaml.safe_load((tree / "study.yaml").read_text())
    options = {"iterations": 400, "iterations_per_epoch": 20, "augmentation": "none"}
    study["tasks"]["thorax"]["variants"]["nnunet_l1"]["training"] = options
    (tree / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    target = "results/thorax/models/variants/nnunet_l1/fold_0/checkpoint_final.pth"
    log = tree / "results" / "thorax" / "logs" / "train" / "nnunet_l1.log"
    log.unlink()
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "snakemake"), target, *COMMAND],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    limit = time.monotonic() + 300
    while "3" not in epochs(log):
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.2)
    for pid in training_processes(tree, process.pid):
        os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0 and "20" not in epochs(log)
    assert "afpbench: the run did not finish" in output and "logs/train/nnunet_l1.log" in output
    assert not (tree / target).exists()
    assert (tree / "results" / "thorax" / "models" / "variants" / "nnunet_afp" / "cost.json").exists()
    assert list((tree / "results" / "thorax" / "unfinished").rglob("checkpoint_latest.pth"))
    result = snakemake(tree, target, *COMMAND)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "going on from" in log.read_text()
    assert epochs(log)[0] != "1" and epochs(log)[-1] == "20"
    lines = (tree / target).parents[1].joinpath("curves.csv").read_text().splitlines()
    assert len(lines) == 21


# --- one test per row of the table in docs/reliability.md

DATA = {"import_case", "resample_case", "register_case", "prepare_case"}
TRAININGS = {"train_segmenter", "train_variant"}
FIGURES = {"figure_slices", "figure_surfaces", "figure_distributions", "figure_curves"}
LOOKS = {"all", "table", "report"} | FIGURES


def test_a_changed_seed_makes_everything_anew(tree, edit):
    edit("study.yaml", "seed: 7\n", "seed: 8\n")
    jobs, _ = planned(tree)
    assert set(jobs) >= DATA | TRAININGS and jobs["import_case"] == 6


def test_a_changed_spacing_leaves_the_imported_cases(tree, edit):
    text = (tree / "study.yaml").read_text()
    assert text.count("\n    spacing_mm: [6.0, 6.0, 6.0]\n") == 1
    edit("study.yaml", "\n    spacing_mm: [6.0, 6.0, 6.0]\n", "\n    spacing_mm: [6.5, 6.5, 6.5]\n")
    jobs, _ = planned(tree)
    assert "import_case" not in jobs
    assert jobs["resample_case"] == 6 and set(jobs) >= TRAININGS


def test_changed_options_of_registration_leave_what_lies_before_it(tree, edit):
    edit("study.yaml", "iterations: 20, samples: 500", "iterations: 21, samples: 500")
    jobs, _ = planned(tree)
    assert not {"import_case", "resample_case"} & set(jobs)
    assert jobs["register_case"] == 6 and jobs["prepare_case"] == 6 and set(jobs) >= TRAININGS


def test_another_split_trains_anew_on_the_same_cases(tree, edit):
    edit("study.yaml", "splits: {train: 3, validation: 1, test: 2}", "splits: {train: 2, validation: 1, test: 2}")
    jobs, _ = planned(tree)
    assert not DATA & set(jobs)
    assert {"splits", "normalization", "training_set"} <= set(jobs) and jobs["train_variant"] == 2


def test_what_a_test_case_holds_does_not_reach_the_normalisation(finished_study, tmp_path):
    """Fitted again over another test case it is the same to the last byte; over another training case it is not."""
    tree = finished_study.copy(tmp_path / "project")
    edited = (
        (tree / "study.yaml")
        .read_text()
        .replace("    splits:", "    normalization: {mr_scheme: landmarks}\n    splits:")
    )
    (tree / "study.yaml").write_text(edited)
    fitted = tree / "results/thorax/normalization/normalization.json"
    splits = json.loads((tree / "results/thorax/splits/splits.json").read_text())

    def fit_with(changed):
        folder = tree / "results/thorax/cases" / changed / "prepared"
        for name in ("mr", "ct"):
            image = io.read(folder / f"{name}.nii.gz")
            io.write(image.with_array((image.array * 0.5).astype(image.array.dtype)), folder / f"{name}.nii.gz")
        result = snakemake(
            tree,
            *COMMAND,
            "--rerun-triggers",
            "mtime",
            "--forcerun",
            "normalization",
            "--",
            str(fitted.relative_to(tree)),
        )
        assert result.returncode == 0, result.stdout[-3000:]
        return fitted.read_bytes()

    before = fitted.read_bytes()
    first = fit_with(splits["test"][0])
    assert json.loads(first)["ct"] == json.loads(before)["ct"] and len(json.loads(first)["mr"]["landmarks"]) == 11
    assert fit_with(splits["test"][1]) == first
    assert fit_with(splits["train"][0]) != first


def test_changed_weights_of_a_segmenter_rerun_what_looks_through_it(tree):
    """The airway segmenter is in one loss of two; both rows are scored by it."""
    checkpoint = tree / "results/thorax/models/segmenters/navi/fold_0/checkpoint_final.pth"
    before = checkpoint.stat()
    content = checkpoint.read_bytes()
    try:
        checkpoint.write_bytes(content + b"\0")
        jobs, output = planned(tree)
    finally:
        checkpoint.write_bytes(content)
        os.utime(checkpoint, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert jobs["train_variant"] == 1 and "thorax: training nnunet_afp" in output
    assert jobs["segment_real"] == 1
    assert not (DATA | {"train_segmenter", "training_set"}) & set(jobs)


def test_a_changed_readme_or_page_reruns_nothing(tree):
    for name in ("README.md", "docs/note.md", "config/README.md", "CHANGELOG.md"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("other words\n")
    assert planned(tree)[0] == {}


def test_changed_code_of_figures_or_tables_trains_and_measures_nothing(tree, edit):
    edit("src/afpbench/figures/style.py", "import textwrap\n", "import textwrap\n\nEXTRA = 1\n")
    edit("src/afpbench/tables/captions.py", "import pandas as pd\n", "import pandas as pd\n\nEXTRA = 1\n")
    jobs, _ = planned(tree)
    assert set(jobs) == LOOKS

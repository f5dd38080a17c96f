"""The study that `afpbench evaluate` writes, and what it refuses; tests/e2e/test_evaluate_folders.py runs one."""

import numpy as np
import pytest
import yaml
from conftest import GRID

from afpbench.commands import main as cli
from afpbench.commands.evaluation import GROUPS, PRESETS, pattern_of, structures_of
from afpbench.study.kinds.registry import METRICS
from afpbench.volumes import io
from afpbench.volumes.io import Volume


@pytest.fixture
def folders(tmp_path):
    """Real CTs, two methods and label maps of two cases, as files; small, so that only names are looked at."""
    image = Volume(np.full(GRID.shape, 3, np.uint8), GRID)
    for folder in ("real", "a", "b", "seg/real", "seg/a", "seg/b"):
        for case in ("p1", "p2"):
            io.write(image, tmp_path / folder / f"{case}.nii.gz")
    return tmp_path


def evaluate(folders, *more):
    arguments = ["--real", folders / "real", "--synthetic", f"a={folders}/a", "--synthetic", f"b={folders}/b"]
    arguments += ["--out", folders / "out", "--write-only", *more]
    code = cli.main(["evaluate", *map(str, arguments)])
    path = folders / "out" / "study.yaml"
    return code, yaml.safe_load(path.read_text()) if path.is_file() else None


def test_the_study_of_images_alone(folders):
    code, study = evaluate(folders, "--reference", "b")
    assert code == 0
    assert study == {
        "failed_cases": "stop",
        "tasks": {
            "evaluation": {
                "title": "Evaluation",
                "data": {"source": "folder", "root": str(folders / "real"), "ct": "{case}.nii.gz"},
                "spacing_mm": None,
                "definition": "afpbench",
                "variants": {row: {"synthetic": f"{folders}/{row}/{{case}}.nii.gz"} for row in ("a", "b")},
                "reference": "b",
                "tables": {"images": {"columns": [{"metric": "mae"}, {"metric": "ssim"}]}},
            }
        },
    }


def test_a_challenges_tables_by_name(folders):
    _, study = evaluate(folders, "--tables", "synthrad2025", "--resample", "--failed-cases", "exclude")
    task = study["tasks"]["evaluation"]
    assert study["failed_cases"] == "exclude" and task["definition"] == "synthrad2025_evaluation"
    columns = [column["metric"] for column in task["tables"]["images"]["columns"]]
    assert columns == ["mae", "psnr", "ms_ssim"]
    assert task["variants"]["a"]["resample"] is True and task["reference"] == "a"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_metrics_that_there_are(preset):
    _, images, structures = PRESETS[preset]
    assert all("image" in METRICS[name].of for name in images)
    assert all("structure" in METRICS[name].of for name in structures)


def test_label_maps_in_place_of_a_segmenter(folders):
    given = ["--real-seg", folders / "seg/real", "--synthetic-seg", f"a={folders}/seg/a", "--synthetic-seg",
             f"b={folders}/seg/b"]  # fmt: skip
    _, study = evaluate(folders, *given)
    task = study["tasks"]["evaluation"]
    assert task["segmenters"]["files"]["classes"] == {"label_3": 3}
    assert task["segmenters"]["files"]["synthetic"]["b"] == f"{folders}/seg/b/{{case}}.nii.gz"
    assert task["structures"] == {"label_3": {"segmenter": "files", "classes": ["label_3"]}}
    assert task["tolerance_mm"] == 12.0  # twice the voxel size of 6 mm
    assert list(task["tables"]) == ["images", "dice", "nsd", "hd95"]


def test_a_shipped_segmenter(folders):
    _, study = evaluate(folders, "--segmenter", "nnunet:pretrained:thorax_airways")
    task = study["tasks"]["evaluation"]
    assert task["segmenters"]["nnunet"]["folder"] == "pretrained:thorax_airways"
    assert task["structures"]["airway"] == {"segmenter": "nnunet", "classes": ["airway"]}


def test_structures_of_label_values(folders):
    given = ["--real-seg", folders / "seg/real", "--synthetic-seg", f"a={folders}/seg/a", "--synthetic-seg",
             f"b={folders}/seg/b", "--structure", "bone=3,4", "--tolerance-mm", "2"]  # fmt: skip
    _, study = evaluate(folders, *given)
    task = study["tasks"]["evaluation"]
    assert task["structures"] == {"bone": {"segmenter": "files", "classes": ["label_3", "label_4"]}}
    assert task["tolerance_mm"] == 2.0


def test_the_study_is_kept_where_it_was_extended(folders, capsys):
    assert evaluate(folders)[0] == 0
    assert evaluate(folders)[0] == 0  # the same again
    path = folders / "out" / "study.yaml"
    path.write_text(path.read_text().replace("title: Evaluation", "title: Mine"))
    assert evaluate(folders)[0] == 1
    assert "is there already, and is another study" in capsys.readouterr().err
    assert "title: Mine" in path.read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--synthetic", "a=elsewhere"), "--synthetic a: no such folder"),
        (("--reference", "c"), "reference: no such variant; found: 'c'; allowed: a, b"),
        (("--segmenter", "magic"), "--segmenter: no such segmenter"),
        (("--segmenter", "nnunet:nowhere"), "--segmenter: no such folder; found: "),
        (("--segmenter", "nnunet:."), "the model folder does not say its classes"),
        (("--segmenter", "nnunet:pretrained:thorax"), "--segmenter: no such pre-trained network; found: 'thorax'"),
        (("--structure", "bone=hip_left"), "--structure needs a segmenter"),
        (("--real-seg", "seg"), "label maps take the place of a segmenter, for all images"),
    ],
)
def test_what_is_refused(folders, more, message, capsys):
    assert evaluate(folders, *more) == (1, None)
    assert message in capsys.readouterr().err


def test_a_missing_case_is_named_before_anything_runs(folders, capsys):
    (folders / "b/p2.nii.gz").unlink()
    assert evaluate(folders) == (1, None)
    assert "variants.b.synthetic: case p2: no such file" in capsys.readouterr().err


def test_where_the_cases_of_a_folder_are(folders):
    for case in ("p1", "p2"):
        (folders / "nested" / case).mkdir(parents=True)
        (folders / "real" / f"{case}.nii.gz").rename(folders / "nested" / case / "ct.nii.gz")
    assert pattern_of(folders / "nested", "--real") == f"{folders}/nested/{{case}}/ct.nii.gz"
    assert pattern_of(folders / "a/{case}.nii.gz", "--real") == f"{folders}/a/{{case}}.nii.gz"


def test_totalsegmentators_groups_have_classes():
    groups = structures_of("totalsegmentator", None)
    assert list(groups) == list(GROUPS) and all(groups.values())
    assert len(groups["lungs"]) == 5 and "heart" in groups["heart_and_aorta"]

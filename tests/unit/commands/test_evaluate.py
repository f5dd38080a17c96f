"""The study that `afpbench evaluate` writes, and what it refuses; tests/e2e/test_evaluate_folders.py runs one."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import GRID

from afpbench.commands import main as cli
from afpbench.commands.evaluate import where_it_is
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


IMAGES = ("--real", "{}/real", "--synthetic", "a={}/a", "--synthetic", "b={}/b")
LABEL_MAPS = ("--real-seg", "{}/seg/real", "--synthetic-seg", "a={}/seg/a", "--synthetic-seg", "b={}/seg/b")


def evaluate(folders, *more, given=IMAGES):
    arguments = [text.format(folders) for text in given]
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
    _, study = evaluate(folders, given=(*IMAGES, *LABEL_MAPS))
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
    _, study = evaluate(folders, "--structure", "bone=3,4", "--tolerance-mm", "2", given=(*IMAGES, *LABEL_MAPS))
    task = study["tasks"]["evaluation"]
    assert task["structures"] == {"bone": {"segmenter": "files", "classes": ["label_3", "label_4"]}}
    assert task["tolerance_mm"] == 2.0


def test_label_maps_alone(folders, capsys):
    code, study = evaluate(folders, "--structure", "bone=3,4", given=LABEL_MAPS)
    assert code == 0
    assert capsys.readouterr().out == "label maps alone: no metrics, table or figures of images\n"
    columns = {metric: {"columns": [{"metric": metric, "structure": "bone"}]} for metric in ("dice", "nsd", "hd95")}
    assert study["tasks"]["evaluation"] == {
        "title": "Evaluation",
        "data": {"source": "folder", "root": f"{folders}/seg/real", "ct": None, "label_map": "{case}.nii.gz"},
        "spacing_mm": None,
        "definition": "afpbench",
        "tolerance_mm": 12.0,  # twice the voxel size of 6 mm
        "segmenters": {
            "files": {
                "kind": "files",
                "real": f"{folders}/seg/real/{{case}}.nii.gz",
                "synthetic": {row: f"{folders}/seg/{row}/{{case}}.nii.gz" for row in ("a", "b")},
                "classes": {"label_3": 3, "label_4": 4},
            }
        },
        "structures": {"bone": {"segmenter": "files", "classes": ["label_3", "label_4"]}},
        "variants": {"a": {"synthetic": None}, "b": {"synthetic": None}},
        "reference": "a",
        "tables": columns,
    }


def test_every_label_of_any_case_is_a_structure(folders):
    io.write(Volume(np.full(GRID.shape, 5, np.uint8), GRID), folders / "seg/real/p2.nii.gz")
    _, study = evaluate(folders, given=LABEL_MAPS)
    assert list(study["tasks"]["evaluation"]["structures"]) == ["label_3", "label_5"]


def test_a_case_without_a_real_label_map_is_told_of(folders, capsys):
    (folders / "seg/real/p2.nii.gz").unlink()
    assert evaluate(folders, given=LABEL_MAPS)[0] == 0
    assert "b: not evaluated, as there is no real one: p2" in capsys.readouterr().err


def test_structures_of_a_file(folders):
    io.write(Volume(np.full(GRID.shape, 5, np.uint8), GRID), folders / "seg/real/p2.nii.gz")
    path = folders / "structures.yaml"
    path.write_text("bone: [3, 4]\nrest: {exclude: [3], tolerance_mm: 1.5, tree: true}\n")
    _, study = evaluate(folders, "--structures", path, given=LABEL_MAPS)
    task = study["tasks"]["evaluation"]
    assert task["structures"] == {
        "bone": {"segmenter": "files", "classes": ["label_3", "label_4"]},
        "rest": {"segmenter": "files", "classes": ["label_5"], "tolerance_mm": 1.5, "tree": True},
    }
    assert task["segmenters"]["files"]["classes"] == {"label_3": 3, "label_4": 4, "label_5": 5}


def test_a_label_map_that_cannot_be_read_is_passed_over_where_failed_cases_are(folders, capsys):
    (folders / "seg/real/p2.nii.gz").write_bytes(b"no image")
    assert evaluate(folders, given=LABEL_MAPS) == (1, None)
    assert "case p2: label map" in capsys.readouterr().err
    _, study = evaluate(folders, "--failed-cases", "exclude", given=LABEL_MAPS)
    assert list(study["tasks"]["evaluation"]["structures"]) == ["label_3"]


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (LABEL_MAPS[:2], (), "nothing to compare; found: --real-seg; expected: --real and --synthetic, or"),
        (IMAGES[:2], (), "nothing to compare; found: --real;"),
        (IMAGES[:2] + LABEL_MAPS, (), "found: --real, --real-seg, --synthetic-seg;"),
        ((), (), "nothing to compare; found: no images;"),
        (LABEL_MAPS, ("--mr", "mr", "--resample"), "have no use for it; found: --mr, --resample;"),
        (LABEL_MAPS, ("--segmenter", "totalsegmentator"), "have no use for it; found: --segmenter;"),
        (LABEL_MAPS + LABEL_MAPS[2:4], (), "two rows have one name; found: a, b, a;"),
        (LABEL_MAPS, ("--structure", "x=3", "--structure", "x=4"), "two structures have one name; found: x, x;"),
        (LABEL_MAPS, ("--structure", "x=²"), "no value of a label map; found: ²;"),
        (LABEL_MAPS, ("--tolerance-mm", "0"), "tolerance_mm: not allowed; found: 0.0; allowed: a number above 0"),
        (LABEL_MAPS, ("--weights", "w"), "--weights is TotalSegmentator's folder; found: --weights w;"),
        (
            LABEL_MAPS,
            ("--structure", "bone=3", "--structures", "s.yaml"),
            "--structures is of label maps, and in place",
        ),
        (IMAGES, ("--structures", "s.yaml"), "--structures is of label maps"),
    ],
)
def test_what_label_maps_are_refused(folders, given, more, message, capsys):
    assert evaluate(folders, *more, given=given) == (1, None)
    assert message in "; ".join(line.strip() for line in capsys.readouterr().err.splitlines())


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
        (("--synthetic", "c=elsewhere"), "--synthetic c: no such folder"),
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


def test_the_last_words_are_commands_that_work_from_here():
    place, *said = where_it_is(Path("my results")).splitlines()
    assert place == "tables and figures: my results/results/evaluation; the report: my results/results/report.html"
    view, report = (shlex.split(line, comments=True)[1:] for line in said)
    assert view == ["view", "my results/results"]
    options = cli.build_parser("report").parse_args(report)
    assert (options.study, options.root, options.format) == (Path("my results/study.yaml"), Path("my results"), "latex")

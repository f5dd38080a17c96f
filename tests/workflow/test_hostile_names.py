"""Names that a shell would run: refused as case ids, harmless in paths."""

import shutil

import pytest
import yaml
from conftest import copy_project, snakemake

from afpbench.base.errors import ConfigError
from afpbench.phantom.generate import generate
from afpbench.study.kinds.sources import open_source
from afpbench.volumes import io

pytestmark = pytest.mark.workflow
HOSTILE = """it's "one"; touch hacked; $(touch hacked) `touch hacked` & $HOME"""
IDS = ["p 1", "p;touch hacked", "$(touch hacked)", "`touch hacked`", "it's", 'a"b', "../p1", "p{x}", "p*", "-rf /"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A project with one pair of images in a folder of a hostile name, and a study that reads a table."""
    folder = copy_project(tmp_path_factory.mktemp("hostile") / "project")
    made = generate("thorax", 0, 7, (6.0, 6.0, 6.0))
    (folder / "data" / HOSTILE).mkdir(parents=True)
    io.write(made.mr, folder / "data" / HOSTILE / "mr $(id).nii.gz")
    io.write(made.ct.with_array(io.save_hu(made.ct.array)), folder / "data" / HOSTILE / "ct.nii.gz")
    for name in ("p2", "p3"):
        shutil.copytree(folder / "data" / HOSTILE, folder / "data" / name)
    return folder


def write_table(tree, case):
    """A table whose first case has the given id, and the hostile folder."""
    lines = ["case\tmr\tct"]
    for name, place in ((case, HOSTILE), ("p2", "p2"), ("p3", "p3")):
        quoted = place.replace('"', '""')
        lines.append(f'"{name.replace(chr(34), chr(34) * 2)}"\t"{quoted}/mr $(id).nii.gz"\t"{quoted}/ct.nii.gz"')
    (tree / "data" / "cases.tsv").write_text("\n".join(lines) + "\n")


def plan(tree, case, *arguments):
    """Run Snakemake on a study of that table."""
    write_table(tree, case)
    study = yaml.safe_load((tree / "config" / "own_data.yaml").read_text())
    task = next(iter(study["tasks"].values()))
    task |= {"spacing_mm": [6.0, 6.0, 6.0], "registration": {"method": "none"}}
    task["splits"] = {"train": 1, "validation": 1, "test": 1}
    (tree / "study.yaml").write_text(yaml.safe_dump(study))
    return snakemake(tree, *arguments, "--cores", "1", "--configfile", "study.yaml")


def harmless(tree):
    return [str(path) for path in tree.rglob("*hacked*") if path.name == "hacked"] == []


def test_hostile_paths_are_only_paths(tree):
    target = "results/own_data/own/cases/p1/prepared"
    result = plan(tree, "p1", target)
    assert result.returncode == 0, result.stdout[-3000:]
    assert (tree / target / "mask.nii.gz").is_file()
    assert harmless(tree)


@pytest.mark.parametrize("case", IDS)
def test_hostile_ids_are_refused(tree, case):
    write_table(tree, case)
    with pytest.raises(ConfigError, match="(?s)not a usable case id.*give the case an id such as"):
        open_source({"source": "table", "table": "data/cases.tsv"}, tree).cases()


def test_a_study_with_a_hostile_id_stops_before_anything_runs(tree):
    result = plan(tree, "$(touch hacked);`touch hacked`")
    assert result.returncode != 0 and "not a usable case id" in result.stdout
    assert harmless(tree)

"""`afpbench status` and `afpbench repair` on results that were cut off, edited, exchanged or locked."""

import json
import os
from pathlib import Path

import pytest

from afpbench.base.atomic import write_json
from afpbench.commands import main as cli
from afpbench.commands import repair, status
from afpbench.commands.progress import Output

STUDY = Path(__file__).parents[2] / "e2e" / "smallest.yaml"
TASK = "results/thorax"
SYNTHETIC, REAL = f"{TASK}/synthetic/afp/records/0.json", f"{TASK}/segmentations/navi/ct/records/0.json"
COST = f"{TASK}/models/variants/afp/cost.json"
CHECKPOINT = f"{TASK}/models/variants/afp/fold_0/checkpoint_final.pth"
PREPARED = f"{TASK}/cases/thorax_000/prepared"
OUTPUTS = [
    Output(path, rule, "ok", pending=False)
    for path, rule in [(SYNTHETIC, "synthesize"), (REAL, "segment_real"), (CHECKPOINT, "train_variant"),
                       (COST, "train_variant"), (PREPARED, "prepare_case")]
]  # fmt: skip
GOOD = {"cases": [{"case": "thorax_000", "status": "ok"}]}
FAILURE = {"case": "thorax_000", "stage": "prepare", "error": "no body"}
TEXT = json.dumps(GOOD)
DAMAGES = {
    "cut off": (TEXT[:-9], "it is cut off or damaged"),
    "empty": ("", "it is empty"),
    "binary": ("\0\0\0", "it is cut off or damaged"),
    "not text": (b"\xff\xfe\x00", "it is not text in UTF-8"),
    "another type": ("[1, 2]", "the whole is a list instead of keys"),
    "null": ("null", "the whole is null instead of keys"),
    "nested without end": ("[" * 100_000, "it is cut off or damaged"),
    "without its key": ("{}", "cases is missing"),
    "with a wrong type": ('{"cases": "all"}', "cases is text instead of a list"),
    "an entry of another type": ('{"cases": [[]]}', r"cases[0] is a list instead of keys"),
    "an entry without its status": ('{"cases": [{"case": "thorax_000"}]}', "cases[0].status is missing"),
    "an entry with a number for text": ('{"cases": [{"case": 7, "status": "ok"}]}', "cases[0].case is a whole number"),
    "a calibration without its slope": (
        '{"cases": [{"case": "a", "status": "ok", "calibration": {"offset_hu": 1}}]}',
        "cases[0].calibration.slope is missing",
    ),
    "a calibration that is no number": (
        '{"cases": [{"case": "a", "status": "ok", "calibration": {"slope": NaN, "offset_hu": 1}}]}',
        "cases[0].calibration.slope is nan",
    ),
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A study with two whole records and their images; what Snakemake says of it is given."""
    for record in (SYNTHETIC, REAL):
        write_json(tmp_path / record, GOOD)
        (tmp_path / record).parents[1].joinpath("thorax_000.nii.gz").touch()
    for module in (status, repair):
        monkeypatch.setattr(module, "read_outputs", lambda options: OUTPUTS)
    return tmp_path


@pytest.fixture
def run(results, capsys):
    """Run a command: its exit code and all that it printed."""

    def run(*words):
        code = cli.main([words[0], str(STUDY), "--root", str(results), *words[1:]])
        printed = capsys.readouterr()
        return code, printed.err + printed.out

    return run


def damage(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_nothing_is_damaged(run):
    code, output = run("status")
    assert code == 0 and "damaged" not in output
    code, output = run("repair")
    assert code == 0 and output.splitlines()[-1] == "nothing was deleted, and no record is damaged"


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_record_of_a_chunk_is_named_and_made_again(results, run, name):
    content, cause = DAMAGES[name]
    damage(results / SYNTHETIC, content)
    code, output = run("status")
    assert code == 1 and f"damaged: {results / SYNTHETIC} cannot be used\n  found: {cause}" in output
    assert "run the study again" in output and "afpbench repair" in output
    code, output = run("repair", "-n")
    assert code == 0 and f"to be removed: {SYNTHETIC}, as {cause}" in output and (results / SYNTHETIC).exists()
    code, output = run("repair")
    assert code == 0 and f"removed: {SYNTHETIC}, as {cause}" in output and "now run:    snakemake" in output
    assert not (results / SYNTHETIC).exists() and (results / REAL).exists()
    assert (results / SYNTHETIC).parents[1].joinpath("thorax_000.nii.gz").exists()


def test_a_folder_in_the_place_of_a_record_is_left_alone(results, run):
    (results / SYNTHETIC).unlink()
    (results / SYNTHETIC / "mine").mkdir(parents=True)
    code, output = run("status")
    assert code == 1 and f"damaged: {results / SYNTHETIC} cannot be used\n  found: Is a directory" in output
    code, output = run("repair")
    assert code == 1 and "Is a directory" in output and "left to be done by hand" in output
    assert (results / SYNTHETIC / "mine").is_dir()


def test_a_circle_of_links_is_left_alone(results, run):
    (results / SYNTHETIC).unlink()
    (results / SYNTHETIC).symlink_to(results / SYNTHETIC)
    code, output = run("status")
    assert code == 1 and "Too many levels of symbolic links" in output
    code, output = run("repair")
    assert code == 1 and os.path.islink(results / SYNTHETIC) and "left to be done by hand" in output


def test_a_link_that_leads_nowhere(results, run):
    (results / SYNTHETIC).unlink()
    (results / SYNTHETIC).symlink_to(results / "gone.json")
    for command in ("status", "repair"):
        code, output = run(command)
        assert code == 1 and "No such file or directory" in output, command


def test_a_record_that_may_not_be_read_is_left_alone(results, run, monkeypatch):
    locked(monkeypatch, "read_text", results / SYNTHETIC)
    code, output = run("status")
    assert code == 1 and "found: Permission denied\n  hint: see to it that it can be read" in output
    code, output = run("repair")
    assert code == 1 and "Permission denied" in output and (results / SYNTHETIC).exists()


def locked(monkeypatch, method: str, place: Path) -> None:
    """Refuse one method of `Path` at one place, as the system does: root, who runs tests, has every right."""
    original = getattr(Path, method)

    def refuse(self, *arguments, **options):
        if self == place:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **options)

    monkeypatch.setattr(Path, method, refuse)


def test_images_in_a_folder_that_is_gone(results, run):
    for path in (results / SYNTHETIC).parents[1].glob("*.nii.gz"):
        path.unlink()
    lost = str(results / TASK / "synthetic/afp/thorax_000.nii.gz")
    code, output = run("status")
    assert code == 1 and "lost images, which records tell of: 1" in output and lost in output
    code, output = run("repair")
    assert code == 0 and f"removed: {SYNTHETIC}, for the lost {lost}" in output


def test_an_image_that_is_a_circle_of_links_is_lost(results, run):
    image = results / TASK / "synthetic/afp/thorax_000.nii.gz"
    image.unlink()
    image.symlink_to(image)
    code, output = run("status")
    assert code == 1 and "lost images, which records tell of: 1" in output


def test_repair_goes_on_after_a_record_that_it_cannot_remove(results, run, monkeypatch):
    damage(results / SYNTHETIC, "")
    damage(results / REAL, "{}")
    locked(monkeypatch, "unlink", results / SYNTHETIC)
    code, output = run("repair")
    assert code == 1 and not (results / REAL).exists() and f"removed: {REAL}, as cases is missing" in output
    assert f"could not be removed: {SYNTHETIC}: Permission denied" in output
    assert output.splitlines()[-1] == f"left to be done by hand, as said above: {SYNTHETIC}"
    monkeypatch.undo()


def test_what_was_repaired_is_told_although_snakemake_fails(results, run, monkeypatch):
    def fail(options):
        raise OSError(40, "Too many levels of symbolic links", "results/x")

    monkeypatch.setattr(repair, "read_outputs", fail)
    damage(results / REAL, "{}")
    code, output = run("repair")
    assert code == 1 and f"removed: {REAL}" in output and "results/x: Too many levels of symbolic links" in output


@pytest.mark.parametrize(
    ("path", "content", "cause", "remove"),
    [
        (f"{PREPARED}/failed.json", json.dumps(FAILURE)[:30], "cut off or damaged", PREPARED),
        (f"{PREPARED}/failed.json", '{"case": "thorax_000", "stage": "prepare"}', "error is missing", PREPARED),
        (f"{PREPARED}/case.json", '{"shape": [1, 2, 3]}', "case is missing", PREPARED),
        (COST, '{"iterations": 4}', "seconds is missing", COST),
        (COST, '{"iterations": true}', "iterations is true or false instead of a whole number", COST),
    ],
)
def test_other_damaged_records_are_named_and_kept(results, run, path, content, cause, remove):
    """What it would cost to make them again, a training perhaps, is not for `repair` to decide."""
    damage(results / path, content)
    for command in ("status", "repair"):
        code, output = run(command)
        assert code == 1 and f"damaged: {results / path} cannot be used" in output and cause in output, command
        assert f"or remove {results / remove} and run the study again" in output, command
    assert (results / path).is_file()


def test_a_model_without_its_record_is_for_snakemake_to_tell(results, run, monkeypatch):
    damage(results / CHECKPOINT, "weights")
    pending = [Output(COST, "train_variant", "missing", pending=True), Output(CHECKPOINT, "train_variant", "ok", False)]
    monkeypatch.setattr(status, "read_outputs", lambda options: pending)
    code, output = run("status")
    assert code == 1 and "missing: train_variant, 1 file" in output and (results / CHECKPOINT).exists()


def test_the_status_for_a_script(results, run):
    """An image that was deleted, and a record that is cut off."""
    (results / REAL).parents[1].joinpath("thorax_000.nii.gz").unlink()
    damage(results / SYNTHETIC, "{")
    code, output = run("status", "--json")
    said = json.loads(output[output.index("{") :])
    assert code == 1 and not said["finished"] and set(said["files"]) == {"finished", "missing", "stale", "deleted"}
    assert said["lost_images"] == [str((results / REAL).parents[1] / "thorax_000.nii.gz")]
    assert list(said["damaged"]) == [SYNTHETIC] and "cut off" in said["damaged"][SYNTHETIC]
    code, output = run("status", "--quiet")
    assert code == 1 and "damaged" not in output and "lost" not in output

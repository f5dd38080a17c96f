import argparse
from pathlib import Path

import pytest

from afpbench.base.atomic import write_json
from afpbench.base.errors import ConfigError
from afpbench.base.package import PROJECT
from afpbench.commands.progress import Output, parse, snakemake
from afpbench.commands.status import describe
from afpbench.inference.chunks import lost_images

TABLE = """output_file\tdate\trule\tlog-file(s)\tstatus\tplan
a.csv\tSat\tmetrics\tlogs/a.log\tok\tno update
b.csv\tSat\ttable\t-\tparams changed\tupdate pending
c.csv\tSat\ttable\t-\tok\tupdate pending
d\t-\tprepare_case\t-\tmissing\tno update
e.pth\t-\ttrain_variant\t-\tmissing\tupdate pending
"""


def test_the_states_of_files():
    outputs = parse("Some words before.\n" + TABLE)
    assert [output.state for output in outputs] == ["finished", "stale", "stale", "deleted", "missing"]
    assert [output.why for output in outputs[1:3]] == ["params changed", "what it is made of is made again"]


def test_a_changed_splits_that_nothing_waits_for_is_finished():
    """Snakemake knows of the change, and makes nothing anew."""
    assert Output("splits.json", "splits", "updated input files", pending=False).state == "finished"


@pytest.mark.parametrize("text", ["", "output\tdate\n1\t2\n"])
def test_another_table_is_an_error(text):
    with pytest.raises(ConfigError, match="printed something else"):
        parse(text)


def test_the_status_in_words():
    words = describe(parse(TABLE), {"r/records/0.json": ["r/p1.nii.gz"]})
    assert words.splitlines()[:2] == [
        "     1 finished  there, and made by what the study says now",
        "     1 missing   not there, and to be made by the next run",
    ]
    assert "stale: table, 1 file: params changed" in words and "deleted: prepare_case, 1 file" in words
    assert words.endswith("lost images, which records tell of: 1\n  r/p1.nii.gz")


def run_of(study, preset=None, seeds=None, root=PROJECT):
    return argparse.Namespace(study=study, preset=preset, seeds=seeds, root=root)


def test_the_command_to_go_on_with(tmp_path):
    options = run_of(Path("my study.yaml"), "gpu", [1, 2])
    assert snakemake(options) == "snakemake --cores all --configfile 'my study.yaml' --config preset=gpu 'seeds=[1,2]'"
    assert snakemake(run_of(None), "a/b") == "snakemake --cores all -- a/b"
    elsewhere = snakemake(run_of(Path("study.yaml"), root=tmp_path))
    assert elsewhere == f"snakemake --snakefile {PROJECT}/Snakefile --cores all --configfile study.yaml"


def test_lost_images(tmp_path):
    record = tmp_path / "l1" / "records" / "0.json"
    line = {"slope": 1.0, "offset_hu": 2.0}
    entries = [
        {"case": "p1", "status": "ok"},
        {"case": "p2", "status": "ok", "calibration": line},
        {"case": "p3", "status": "failed: import: broken"},
        {"case": "p4", "status": "ok"},
    ]
    write_json(record, {"cases": entries})
    for name in ("p1.nii.gz", "p2.nii.gz"):
        (tmp_path / "l1" / name).touch()
    assert lost_images(record) == [str(tmp_path / "l1/uncalibrated/p2.nii.gz"), str(tmp_path / "l1/p4.nii.gz")]

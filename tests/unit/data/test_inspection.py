import json

import numpy as np
import pytest
from conftest import PROJECT
from dicom_series import SECRETS, write_rtstruct, write_series

from afpbench.commands import main as cli
from afpbench.data import inspection, inspection_report, pairs
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((10, 60, 60), (5.0, 5.0, 5.0), (-150.0, -150.0, 0.0))
DATA = {"source": "folder", "root": "in", "mr": "{case}/mr.nii.gz", "ct": "{case}/ct.nii.gz", "labels": None}


def pair(seed=0):
    """A body that is not symmetric along any axis, with an organ and a bone, and noise."""
    generator = np.random.default_rng(seed)
    z, y, x = np.indices(GRID.shape)
    body = ((y - 32) / 20) ** 2 + ((x - 29) / 24) ** 2 < 1
    organ = ((y - 24) / 6) ** 2 + ((x - 18) / 7) ** 2 + ((z - 2) / 5) ** 2 < 1
    bone = ((y - 44) / 4) ** 2 + ((x - 36) / 5) ** 2 < 1
    ct = np.select([~body, bone, organ], [-1000.0, 700.0, -120.0], 40.0) + generator.normal(0, 8, GRID.shape)
    mr = np.select([~body, bone, organ], [4.0, 60.0, 420.0], 230.0) + np.abs(generator.normal(0, 4, GRID.shape))
    return {"mr": Volume(mr.astype(np.float32), GRID), "ct": Volume(np.rint(ct).astype(np.int16), GRID)}


def stored(tmp_path, case="p1", seed=0, **changed):
    for role, volume in {**pair(seed), **changed}.items():
        io.write(volume, tmp_path / "in" / case / f"{role}.nii.gz")


def inspect(tmp_path, *cases):
    found = list(inspection.inspect_source(DATA, list(cases or ["p1"]), tmp_path, jobs=2))
    inspection.find_duplicates(found)
    return found


def test_a_good_pair(tmp_path):
    stored(tmp_path)
    (item,) = inspect(tmp_path)
    assert (item.status, item.error, item.findings) == ("ok", "", [])
    assert (item.facts["mr_size"], item.facts["ct_spacing_mm"]) == ("60 x 60 x 10", "5.00 x 5.00 x 5.00")
    assert (item.facts["ct_axes"], item.facts["box_share"]) == ("LPS", 1.0)
    assert item.facts["body_dice"] > 0.97
    assert item.facts["body_share"] == pytest.approx(np.pi * 20 * 24 / 3600, abs=0.02)
    assert -1030 < item.facts["ct_low"] < -1000 and 650 < item.facts["ct_high"] < 750
    assert item.picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("axis", "words"),
    [(2, "left and right seem to be exchanged"), (1, "front and back seem to be"), (0, "head and feet seem to be")],
)
def test_a_flipped_axis(tmp_path, axis, words):
    ct = pair()["ct"]
    stored(tmp_path, ct=ct.with_array(np.flip(ct.array, axis).copy()))
    (item,) = inspect(tmp_path)
    assert item.status == "look"
    assert any(words in finding and "mutual information" in finding for finding in item.findings)


def test_modalities_that_disagree(tmp_path):
    ct = pair()["ct"]
    stored(tmp_path, ct=ct.with_array(np.roll(ct.array, 12, axis=2)))
    (item,) = inspect(tmp_path)
    assert any(finding.startswith("MR and CT disagree: Dice of their bodies 0.") for finding in item.findings)


def test_an_mr_that_is_a_ct_and_a_swap(tmp_path):
    good = pair()
    stored(tmp_path, "p1", mr=pair(1)["ct"])
    stored(tmp_path, "p2", mr=good["ct"], ct=good["mr"])
    first, second = inspect(tmp_path, "p1", "p2")
    assert (first.status, first.error) == ("look", "")
    assert "the MR has values of HU, as a CT has them" in first.findings
    assert second.status == "error" and "case p2: MR and CT are exchanged" in second.error


def test_hu_with_an_offset(tmp_path):
    ct = pair()["ct"]
    stored(tmp_path, ct=ct.with_array((ct.array + 1024).astype(np.uint16)))
    (item,) = inspect(tmp_path)
    assert item.status == "error" and "looks like HU + 1024" in item.error
    assert item.picture


def test_constant_slices_between_others(tmp_path):
    mr = pair()["mr"].array
    mr[3:5] = 0
    mr[-1] = 0  # at the end it is padding
    stored(tmp_path, mr=Volume(mr, GRID))
    (item,) = inspect(tmp_path)
    assert "2 of 10 slices of the MR are constant" in item.findings


def test_duplicates(tmp_path):
    stored(tmp_path, "p1")
    stored(tmp_path, "p2", seed=2, ct=pair()["ct"])
    stored(tmp_path, "p3", seed=3)
    first, second, third = inspect(tmp_path, "p1", "p2", "p3")
    assert (first.findings, third.findings) == ([], [])
    assert "the CT has the voxels of the CT of p1" in second.findings


def test_no_body(tmp_path):
    ct = pair()["ct"].array
    ct[:, 8:] = -1000
    ct[0, 0, 0] = 0
    stored(tmp_path, ct=Volume(ct, GRID))
    (item,) = inspect(tmp_path)
    assert item.status == "error" or any("hardly any body" in finding for finding in item.findings)


def test_a_file_that_is_not_there_does_not_end_the_inspection(tmp_path):
    stored(tmp_path, "p2")
    first, second = inspect(tmp_path, "p1", "p2")
    assert (first.status, second.status) == ("error", "ok")
    assert "case p1: MR: no such file" in first.error and first.facts == {}


def test_an_error_that_nobody_foresaw_does_not_end_the_inspection(tmp_path, monkeypatch):
    for case in ("p1", "p2", "p3"):
        stored(tmp_path, case, seed=int(case[1]))
    whole = inspection.agreement

    def broken(mr, ct):
        if "p2" in ct.source:
            raise ValueError("Planted^Name")
        return whole(mr, ct)

    monkeypatch.setattr(inspection, "agreement", broken)
    found = inspect(tmp_path, "p1", "p2", "p3")
    assert [item.status for item in found] == ["ok", "error", "ok"]
    assert (
        "case p2: it cannot be read or compared" in found[1].error and "ValueError at test_inspection" in found[1].error
    )
    assert "Planted" not in found[1].error


def test_broken_dicom_files_do_not_end_the_inspection(tmp_path):
    good = pair()
    values, place = (good["ct"].array + 1100).astype(np.uint16), {"origin_mm": (-150, -150, 0), "intercept": -1100.0}
    lines = ["case\tmr\tct\tct_contour"]
    square = [[20, 20, 5], [60, 20, 5], [60, 60, 5], [20, 60, 5]]
    for case in ("p1", "p2", "p3", "p4"):
        write_series(tmp_path / case / "ct", values, spacing_mm=(5, 5), step_mm=(0, 0, 5), **place)
        write_rtstruct(tmp_path / case / "rs.dcm", {"GTV": [square, [[x, y, 15] for x, y, _ in square]]})
        io.write(good["mr"], tmp_path / case / "mr.nii.gz")
        lines.append(f"{case}\t{case}/mr.nii.gz\t{case}/ct\t{case}/rs.dcm")
    (tmp_path / "cases.tsv").write_text("\n".join(lines) + "\n")
    cut = tmp_path / "p2" / "rs.dcm"
    cut.write_bytes(cut.read_bytes()[: int(0.7 * cut.stat().st_size)])
    (tmp_path / "p3" / "ct" / "s001").write_bytes(b"")
    data = {"source": "table", "table": "cases.tsv", "labels": None}
    found = list(inspection.inspect_source(data, ["p1", "p2", "p3", "p4"], tmp_path))
    assert [item.status for item in found] == ["look", "error", "error", "look"]
    assert "the file is cut off" in found[1].error and "s001 (empty)" in found[2].error
    (finding,) = found[0].findings
    assert finding.startswith("ct contour: no contour on 1 of 3 slices")


def test_axes_as_stored():
    def of(direction):
        return inspection.axes(Volume(np.zeros((2, 2, 2)), Geometry((2, 2, 2), (1.0,) * 3, (0.0,) * 3, direction)))

    assert of((1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)) == "LPS"
    assert of((-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)) == "RAS"
    assert of((0, 0, 1.0, 1.0, 0, 0, 0, -1.0, 0)) == "PIL"
    assert of((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1.0)) == "LPS~"


def test_the_report_has_every_case_its_findings_and_its_picture(tmp_path):
    stored(tmp_path, "p2")
    found = inspect(tmp_path, "p1", "p2")
    found[1].findings.append("<b>& more")
    inspection_report.write_report("lung", found, tmp_path / "check")
    page = (tmp_path / "check" / "index.html").read_text()
    assert page.count("<tr class=") == 2 and page.count("data:image/png;base64,") == 1
    assert "&lt;b&gt;&amp; more" in page and "2 cases: 0 ok, 1 to look at, 1 with errors" in page
    lines = (tmp_path / "check" / "check.csv").read_text().splitlines()
    assert lines[0].startswith("case,status,mr_size,") and len(lines) == 3
    assert lines[1].startswith("p1,error,,") and "no such file" in lines[1]
    text = inspection_report.to_text("lung", found)
    assert "p1: case p1: MR: no such file" in text


def test_agreement_of_a_pair_with_itself():
    fit = pairs.agreement(pair()["mr"], pair()["ct"])
    assert fit.body_dice > 0.97 and fit.mutual_information > 1.5 * fit.flipped_information


def test_the_command_with_a_planted_name(tmp_path, capsys):
    stored(tmp_path, "good")
    (tmp_path / "in" / "odd").mkdir()
    good = pair()
    write_series(tmp_path / "in/odd/ct.nii.gz", (good["ct"].array + 1100).astype(np.uint16), intercept=-1100.0,
                 origin_mm=(-150, -150, 0), spacing_mm=(5, 5), step_mm=(0, 0, 5), skip=(4,))  # fmt: skip
    io.write(good["mr"], tmp_path / "in/odd/mr.nii.gz")
    write_series(tmp_path / "in/dicom/ct.nii.gz", (good["ct"].array + 1100).astype(np.uint16), intercept=-1100.0,
                 origin_mm=(-150, -150, 0), spacing_mm=(5, 5), step_mm=(0, 0, 5))  # fmt: skip
    io.write(pair(5)["mr"], tmp_path / "in/dicom/mr.nii.gz")
    study = {"tasks": {"own": {
        "data": {**DATA, "labels": {"kind": "hu_ranges", "structures": {"bone": {"hu": [200, 3071]}}}},
        "spacing_mm": [5.0, 5.0, 5.0],
        "splits": {"train": 1, "validation": 1, "test": 1},
        "segmenters": {"s": {"kind": "trained", "classes": {"bone": ["bone"]}}},
        "structures": {"bone": {"segmenter": "s", "classes": ["bone"]}},
        "variants": {"l1": {"generator": "nnunet", "loss": [{"term": "l1"}]}},
        "reference": "l1",
        "tables": {"t": {"columns": [{"metric": "mae"}]}},
    }}}  # fmt: skip
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    arguments = ["check", "--config", str(tmp_path / "study.yaml"), "--root", str(tmp_path)]
    assert cli.main([*arguments]) == 1
    out = capsys.readouterr()
    assert "3 cases: 1 ok, 1 to look at, 1 with errors" in out.out
    assert "odd: case odd: CT: a slice is missing in" in out.out
    assert "the CT has the voxels of" in out.out
    page = (tmp_path / "results/own/check/index.html").read_text()
    texts = [out.out, out.err, page, (tmp_path / "results/own/check/check.csv").read_text()]
    assert not [secret for secret in SECRETS for text in texts if secret in text]
    assert cli.main([*arguments, "--task", "lung"]) == 1
    assert "--task: not allowed; found: 'lung'; allowed: own" in capsys.readouterr().err


def test_the_misaligned_patient_is_found(real_data):
    data = {"source": "sts", "root": str(real_data / "sts"), "labels": None}
    cases = ["STS_002", "STS_019", "STS_025", "STS_032", "STS_044"]
    status = {item.case: item.status for item in inspection.inspect_source(data, cases, real_data)}
    assert status == {case: "look" if case == "STS_019" else "ok" for case in cases}


@pytest.mark.parametrize(
    ("role", "array", "words"),
    [
        ("mask", lambda mask: mask * 0.5 + np.indices(mask.shape)[0] * 0.01, "case p1: mask: not a mask"),
        ("labels", lambda mask: mask * 0.5, "case p1: label map: labels that are not whole numbers"),
        ("labels", lambda mask: mask * 4, "case p1: label map: values that belong to no class"),
    ],
)
def test_what_the_import_would_refuse_of_a_mask_or_a_label_map(tmp_path, role, array, words):
    mask = (pair()["ct"].array > 0).astype(np.float32)
    stored(tmp_path, **{role: Volume(array(mask).astype(np.float32), GRID)})
    data = {**DATA, "mask": "{case}/mask.nii.gz"} if role == "mask" else {**DATA, "label_map": "{case}/labels.nii.gz"}
    data["labels"] = {"kind": "files", "classes": {"tissue": 1}} if role == "labels" else None
    (item,) = inspection.inspect_source(data, ["p1"], tmp_path)
    assert item.status == "error" and words in item.error


def test_cases_that_the_run_will_download_are_no_errors(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AFPBENCH_REAL_DATA", str(tmp_path / "nothing"))
    study = PROJECT / "config" / "sts.yaml"
    assert cli.main(["check", str(study), "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "sts: 29 of 29 cases are not downloaded yet (STS_001, STS_002, STS_003, ...) and are not checked" in out
    assert f"downloads them into {tmp_path / 'resources' / 'sts'}" in out and "check the path" not in out

"""One real patient through import, resampling, registration and preparation: from NIfTI, and from DICOM + RTSTRUCT."""

import numpy as np
import pytest
import yaml
from conftest import copy_project, snakemake

from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
PATIENTS = ("STS_002", "STS_025", "STS_044")
TASK = """
spacing_mm: [3.27, 2.0, 2.0]
registration: {stages: [translation, bspline], resolutions: 2, iterations: 50}
splits: {train: [STS_002], validation: [STS_025], test: [STS_044]}
segmenters: {tissue: {kind: trained, classes: {bone: [bone]}}}
structures: {bone: {segmenter: tissue, classes: [bone]}}
variants: {nnunet_l1: {generator: nnunet, loss: [{term: l1}]}}
reference: nnunet_l1
tables: {quality: {columns: [{metric: mae}]}}
"""
LABELS = {"kind": "hu_ranges", "structures": {"bone": {"hu": [180, 3071], "smooth_mm": 0.8, "fill": True}}}


def table_of(real_data):
    """A table in which STS_044 comes from DICOM and the others from NIfTI."""
    lines = ["case\tmr\tct\tmr_contour\tct_contour"]
    for case in PATIENTS[:2]:
        files = ("MR_T1_image", "CT_image", "MR_T1_mask", "CT_mask")
        lines.append("\t".join([case, *(str(real_data / "sts" / case / f"{name}.nii.gz") for name in files)]))
    dicom = real_data / "sts_dicom" / "STS_044"
    parts = ("MR_T1/image", "CT/image", "MR_T1/mask/RS.dcm", "CT/mask")
    lines.append("\t".join(["STS_044", *(str(dicom / part) for part in parts)]))
    return "\n".join(lines) + "\n"


def test_what_training_reads_is_the_same_to_the_voxel(real_data, tmp_path):
    tree = copy_project(tmp_path / "project")
    (tree / "cases.tsv").write_text(table_of(real_data))
    sources = {
        "nifti": {"source": "sts", "root": str(real_data / "sts"), "cases": list(PATIENTS), "labels": LABELS},
        "dicom": {"source": "table", "table": "cases.tsv", "labels": LABELS},
    }
    tasks = {name: {"data": data, **yaml.safe_load(TASK)} for name, data in sources.items()}
    (tree / "study.yaml").write_text(yaml.safe_dump({"seed": 7, "tasks": tasks}))
    folders = [f"results/{name}/cases/STS_044/prepared" for name in sources]
    result = snakemake(tree, "--cores", "2", "--configfile", "study.yaml", "--", *folders)
    assert result.returncode == 0, result.stdout[-4000:]
    for image in ("mr", "ct", "mask", "covered", "labels"):
        nifti, dicom = (io.read(tree / folder / f"{image}.nii.gz") for folder in folders)
        np.testing.assert_array_equal(dicom.array, nifti.array, err_msg=image)
        assert dicom.geometry.matches(nifti.geometry), image
        assert nifti.array.std() > 0 or image == "covered"

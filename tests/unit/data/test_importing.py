import gzip
import json

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import SECRETS, with_values, write_rtstruct, write_series

from afpbench.base.errors import DataError
from afpbench.data import checks, importing
from afpbench.study.kinds.sources import open_source
from afpbench.volumes import images, io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((12, 40, 40), (3.0, 1.0, 1.0), (10.0, 20.0, 30.0))
MR_GRID = Geometry((10, 30, 30), (3.0, 1.0, 1.0), (15.0, 25.0, 33.0))
LABELS = {"kind": "hu_ranges", "structures": {"bone": {"hu": [200, 3071]}, "muscle": {"hu": [0, 150]}}}
DATA = {"source": "sts", "root": "sts", "labels": LABELS}


def pair():
    hu = np.full(GRID.shape, -1000.0)
    hu[:, 8:32, 8:32] = 50
    hu[:, 16:24, 16:24] = 800
    mr = np.full(MR_GRID.shape, 5.0)
    mr[:, 3:27, 3:27] = 300
    return {
        "CT_image": Volume(hu, GRID),
        "MR_T1_image": Volume(mr, MR_GRID),
        "CT_mask": Volume((hu > 500).astype(np.uint8), GRID),
        "MR_T1_mask": Volume((mr > 100).astype(np.uint8), MR_GRID),
    }


def stored(tmp_path, **changed):
    for name, volume in {**pair(), **changed}.items():
        io.write(volume, tmp_path / "sts" / "STS_002" / f"{name}.nii.gz")
    return tmp_path / "sts" / "STS_002"


def run(tmp_path, data=DATA):
    importing.import_case(data, "STS_002", 1, tmp_path / "out", tmp_path)
    return tmp_path / "out"


def altered(name, change):
    volume = pair()[name]
    array = volume.array.copy()
    change(array)
    return {name: volume.with_array(array)}


def failure(tmp_path, **changed):
    stored(tmp_path, **changed)
    with pytest.raises(DataError) as error:
        run(tmp_path)
    return str(error.value)


def test_a_good_case(tmp_path):
    folder = stored(tmp_path)
    out = run(tmp_path)
    mr, ct, labels = (io.read(out / f"{name}.nii.gz") for name in ("mr", "ct", "labels"))
    assert (mr.array.dtype, ct.array.dtype, labels.array.dtype) == (np.float32, np.int16, np.uint8)
    assert ct.geometry.matches(GRID) and mr.geometry.matches(MR_GRID)
    assert (labels.array[:, 18:22, 18:22] == 1).all() and labels.array[5, 10, 10] == 2
    assert io.read(out / "ct_contour.nii.gz").array.sum() == 12 * 64
    assert io.read(out / "mr_contour.nii.gz").array.sum() == 10 * 24 * 24
    record = json.loads((out / "case.json").read_text())
    assert (record["case"], record["source"], record["classes"]) == ("STS_002", "sts", {"bone": 1, "muscle": 2})
    assert record["ct"]["minimum"] == -1000
    assert record["record"]["files"]["ct"]["sha256"] == importing.sha256_of(folder / "CT_image.nii.gz")
    assert str(tmp_path) not in (out / "case.json").read_text()


def test_a_case_without_labels(tmp_path):
    stored(tmp_path)
    out = run(tmp_path, {"source": "sts", "root": "sts"})
    assert not (out / "labels.nii.gz").exists()


def test_the_axes_become_canonical_and_the_anatomy_stays(tmp_path):
    flipped = pair()
    for name in ("CT_image", "CT_mask"):
        image = sitk.PermuteAxes(io.to_sitk(flipped[name]), (2, 0, 1))
        flipped[name] = io.from_sitk(sitk.Flip(image, (True, False, True), False))
    assert not flipped["CT_image"].geometry.matches(GRID)
    stored(tmp_path, **flipped)
    ct = io.read(run(tmp_path) / "ct.nii.gz")
    assert ct.geometry.matches(GRID)
    np.testing.assert_array_equal(ct.array, pair()["CT_image"].array)


def test_an_oblique_volume_stays_oblique():
    turned = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0, 0, 0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    volume = Volume(np.arange(120.0).reshape(4, 5, 6), turned)
    assert importing.canonical(volume).geometry.matches(turned)


def test_hu_are_held_to_the_range_of_ct(tmp_path):
    stored(tmp_path, **altered("CT_image", lambda array: array.__setitem__((0, 0, slice(0, 2)), (-3024, 9000))))
    ct = io.read(run(tmp_path) / "ct.nii.gz").array
    assert (ct[0, 0, 0], ct[0, 0, 1]) == (-1024, 3071)


def test_a_missing_file(tmp_path):
    (stored(tmp_path) / "MR_T1_image.nii.gz").unlink()
    with pytest.raises(DataError, match="case STS_002: MR: no such file: .*MR_T1_image.nii.gz"):
        run(tmp_path)


def test_a_truncated_file(tmp_path):
    path = stored(tmp_path) / "CT_image.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="case STS_002: CT: cannot read: .*(?s:.)*EOFError(?s:.)*truncated"):
        run(tmp_path)


def test_a_whole_archive_of_half_a_volume(tmp_path):
    path = stored(tmp_path) / "CT_image.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1000]))
    with pytest.raises(DataError, match="found: 152600 bytes of voxels\n  expected: 153600 bytes"):
        run(tmp_path)


def test_a_file_that_is_no_image(tmp_path):
    (stored(tmp_path) / "CT_image.nii.gz").write_bytes(gzip.compress(b"not an image"))
    with pytest.raises(DataError, match="case STS_002: CT: cannot read: (?s:.)*found: a file of 12 bytes"):
        run(tmp_path)
    (tmp_path / "sts" / "STS_002" / "CT_image.nii.gz").write_bytes(b"not an archive")
    with pytest.raises(DataError, match="found: a file of 14 bytes"):
        run(tmp_path)


def test_a_4d_volume(tmp_path):
    folder = stored(tmp_path)
    sitk.WriteImage(sitk.JoinSeries([io.to_sitk(pair()["CT_image"])] * 3), str(folder / "CT_image.nii.gz"))
    with pytest.raises(DataError, match="case STS_002: CT: not a 3D volume(?s:.)*split a 4D series"):
        run(tmp_path)


def test_an_axis_of_size_zero(tmp_path):
    path = stored(tmp_path) / "CT_image.nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[40:48] = np.array([3, 40, 0, 12], "<i2").tobytes()
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="case STS_002: CT: cannot read: .*\n  found: a size of 40 x 0 x 12\n"):
        run(tmp_path)


@pytest.mark.parametrize("ending", ["nii", "mha", "nrrd"])
def test_another_kind_of_file_under_the_name_of_an_image(tmp_path, ending):
    from PIL import Image

    (tmp_path / "in" / "p1").mkdir(parents=True)
    with open(tmp_path / "in" / "p1" / f"mr.{ending}", "wb") as file:
        Image.fromarray(np.arange(10_000, dtype=np.uint8).reshape(100, 100)).save(file, format="PNG")
    data = {"source": "folder", "root": "in", "mr": f"{{case}}/mr.{ending}", "ct": "{case}/ct.nii", "labels": None}
    with pytest.raises(DataError, match="case p1: MR: (cannot read|not a 3D volume)"):
        importing.import_case(data, "p1", 1, tmp_path / "out", tmp_path)


@pytest.mark.parametrize("ending", ["mha", "nrrd"])
def test_other_formats_that_are_truncated(tmp_path, ending):
    for role, name in (("mr", "MR_T1_image"), ("ct", "CT_image")):
        io.write(pair()[name], tmp_path / "in" / "p1" / f"{role}.{ending}")
    path = tmp_path / "in" / "p1" / f"ct.{ending}"
    path.write_bytes(path.read_bytes()[:-100])
    data = {"source": "folder", "root": "in", "mr": f"{{case}}/mr.{ending}", "ct": f"{{case}}/ct.{ending}"}
    with pytest.raises(DataError, match="case p1: CT: cannot read: .*\n  found: .*\n(?s:.)*truncated"):
        importing.import_case(data, "p1", 1, tmp_path / "out", tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinite_voxels(tmp_path, value):
    message = failure(tmp_path, **altered("MR_T1_image", lambda array: array.__setitem__((2, 3, 4), value)))
    assert "case STS_002: MR: NaN or infinite voxels" in message
    assert "found: 1 of 9000 voxels" in message
    array = np.zeros((3, 4, 5))
    array[1, 2, 3] = value
    with pytest.raises(DataError, match=r"found: 1 of 60 voxels, the first at \(z, y, x\) = \(1, 2, 3\)"):
        images.check_values(Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0))), "case p1: MR")


def test_a_constant_image(tmp_path):
    message = failure(tmp_path, **altered("MR_T1_image", lambda array: array.fill(7)))
    assert "case STS_002: MR: the image is constant" in message
    assert "found: every voxel is 7" in message


def test_a_vector_image():
    array = np.zeros((3, 3, 3, 3))
    with pytest.raises(DataError, match="p1: MR: not one real value per voxel"):
        images.check_values(Volume(array, Geometry((3, 3, 3), (1.0, 1.0, 1.0))), "p1: MR")


def test_hu_with_an_offset(tmp_path):
    message = failure(tmp_path, **altered("CT_image", lambda array: array.__iadd__(1024)))
    assert "case STS_002: CT: the values are not plausible as HU" in message
    assert "found: minimum 24, maximum 1824" in message
    assert "looks like HU + 1024" in message


def test_hu_with_an_offset_behind_a_padding(tmp_path):
    def change(array):
        array += 1024
        array[:, 0] = -2000

    message = failure(tmp_path, **altered("CT_image", change))
    assert "not plausible as HU" in message


def test_an_mr_given_as_the_ct(tmp_path):
    message = failure(tmp_path, **altered("CT_image", lambda array: np.clip(array, 0, 400, out=array)))
    assert "found: minimum 0, maximum 400" in message
    assert "expected: air below -500 HU" in message


def test_mr_and_ct_exchanged(tmp_path):
    good = pair()
    moved = {"CT_image": good["MR_T1_image"], "MR_T1_image": good["CT_image"]}
    message = failure(tmp_path, **moved)
    assert (
        "case STS_002: MR and CT are exchanged\n  found: HU in the MR (-1000 to 800), none in the CT (5 to 300)"
        in message
    )
    assert "exchange the two: the MR is" in message


def test_no_overlap(tmp_path):
    far = Geometry(MR_GRID.shape, MR_GRID.spacing_mm, (500.0, 25.0, 33.0))
    moved = {name: Volume(pair()[name].array, far) for name in ("MR_T1_image", "MR_T1_mask")}
    message = failure(tmp_path, **moved)
    assert "case STS_002: MR and CT do not overlap in space" in message
    assert "MR from (499.5, 24.5, 31.5) mm to (529.5, 54.5, 61.5) mm" in message
    assert "CT from (9.5, 19.5, 28.5) mm" in message


def test_the_overlap_is_a_share_of_the_mr():
    half = Geometry(MR_GRID.shape, MR_GRID.spacing_mm, (10.0 + 25.0, 25.0, 33.0))
    share = checks.check_overlap(Volume(np.zeros(half.shape), half), Volume(np.zeros(GRID.shape), GRID), "case p1")
    assert share == pytest.approx(0.5)


def test_a_ct_of_three_slices_is_not_said_to_lie_elsewhere():
    high = Geometry((40, 40, 40), (3.0, 3.0, 3.0))
    few = Geometry((3, 40, 40), (3.0, 3.0, 3.0), (0.0, 0.0, 60.0))
    with pytest.raises(DataError, match="p1: the CT shows too little of what the MR shows") as error:
        checks.check_overlap(Volume(np.zeros(high.shape), high), Volume(np.zeros(few.shape), few), "p1")
    assert "8% of the MR; shapes (z, y, x) (40, 40, 40) and (3, 40, 40)" in str(error.value)
    assert "only some slices were exported" in str(error.value)


def test_an_empty_contour(tmp_path):
    message = failure(tmp_path, **altered("MR_T1_mask", lambda array: array.fill(0)))
    assert "case STS_002: contour in the MR: it is empty" in message


def test_a_contour_on_another_grid(tmp_path):
    message = failure(tmp_path, CT_mask=pair()["MR_T1_mask"])
    assert "case STS_002: contour in the CT: not on the grid of its image" in message
    assert "expected: shape (12, 40, 40)" in message


def test_a_structure_that_is_not_there(tmp_path):
    message = failure(tmp_path, **altered("CT_image", lambda array: np.minimum(array, 60, out=array)))
    assert "case STS_002: no voxel of 'bone' in the CT" in message


def test_an_empty_label_map():
    volumes = {"mr": pair()["MR_T1_image"], "ct": pair()["CT_image"]}
    volumes["labels"] = volumes["ct"].with_array(np.zeros(GRID.shape, np.uint8))
    with pytest.raises(DataError, match="case p1: the label map is empty"):
        importing._check_pair("p1", volumes)


# --- DICOM

LABELS_STS = {"kind": "hu_ranges", "structures": {"bone": {"hu": [180, 3071], "smooth_mm": 0.8, "fill": True}}}


def test_a_patient_from_dicom_and_rtstruct_is_that_from_nifti(real_data, tmp_path):
    folder = real_data / "sts_dicom" / "STS_044"
    columns = {"case": "STS_044", "mr": folder / "MR_T1/image", "ct": folder / "CT/image"}
    columns |= {"mr_contour": folder / "MR_T1/mask/RS.dcm", "ct_contour": folder / "CT/mask"}
    (tmp_path / "cases.tsv").write_text("\t".join(columns) + "\n" + "\t".join(map(str, columns.values())) + "\n")
    for name, data in (
        ("dicom", {"source": "table", "table": str(tmp_path / "cases.tsv")}),
        ("nifti", {"source": "sts", "root": str(real_data / "sts")}),
    ):
        importing.import_case({**data, "labels": LABELS_STS}, "STS_044", 1, tmp_path / name, tmp_path)
    for name in ("mr", "ct", "labels", "mr_contour", "ct_contour"):
        ours, theirs = (io.read(tmp_path / kind / f"{name}.nii.gz") for kind in ("dicom", "nifti"))
        np.testing.assert_array_equal(ours.array, theirs.array, err_msg=name)
        assert ours.geometry.matches(theirs.geometry), name


def test_nothing_of_a_dicom_header_is_copied(tmp_path, caplog):
    stored = (pair()["CT_image"].array + 1024).astype(np.uint16)
    write_series(tmp_path / "ct", stored, origin_mm=(10, 20, 30), spacing_mm=(1.0, 1.0))
    mr = pair()["MR_T1_image"].array.astype(np.uint16)
    write_series(tmp_path / "mr", mr, modality="MR", slope=None, origin_mm=(15, 25, 33), spacing_mm=(1.0, 1.0))
    square = [[20, 30, 36], [30, 30, 36], [30, 40, 36], [20, 40, 36]]
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": [square], "Skin": [square, [[x, y, 39] for x, y, _ in square]]})
    (tmp_path / "cases.tsv").write_text("case\tmr\tct\tct_contour\np1\tmr\tct\trs.dcm\n")
    data = {"source": "table", "table": "cases.tsv", "labels": None, "roi": "Skin"}
    importing.import_case(data, "p1", 1, tmp_path / "out", tmp_path)
    assert io.read(tmp_path / "out" / "ct_contour.nii.gz").array.sum() > 150
    np.testing.assert_array_equal(io.read(tmp_path / "out" / "ct.nii.gz").array, pair()["CT_image"].array)
    written = [gzip.decompress(path.read_bytes()) for path in (tmp_path / "out").glob("*.gz")]
    written += [(tmp_path / "out" / "case.json").read_bytes(), caplog.text.encode()]
    assert not [secret for secret in SECRETS for content in written if secret.encode() in content]


def test_what_was_found_in_dicom_files_is_recorded(tmp_path, caplog):
    stored = (pair()["CT_image"].array + 1024).astype(np.uint16)
    stored[:, 0, 0] = 65535
    padded = with_values(PixelPaddingValue=65535)
    write_series(tmp_path / "ct", stored, origin_mm=(10, 20, 30), spacing_mm=(1.0, 1.0), edit=padded)
    io.write(pair()["MR_T1_image"], tmp_path / "mr.nii.gz")
    squares = [[[20, 30, z], [30, 30, z], [30, 40, z], [20, 40, z]] for z in (36, 42)]
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": squares})
    (tmp_path / "cases.tsv").write_text("case\tmr\tct\tct_contour\np1\tmr.nii.gz\tct\trs.dcm\n")
    data = {"source": "table", "table": "cases.tsv", "labels": None}
    with caplog.at_level("WARNING", logger="afpbench"):
        importing.import_case(data, "p1", 1, tmp_path / "out", tmp_path)
    found = json.loads((tmp_path / "out" / "case.json").read_text())["record"]["findings"]
    assert found["ct"] == ["12 voxels of padding, stored as 65535, are taken as -1024 HU"]
    assert found["ct_contour"][0].startswith("no contour on 1 of 3 slices") and set(found) == {"ct", "ct_contour"}
    assert "case p1: contour in the CT: no contour on 1 of 3 slices" in caplog.text
    assert io.read(tmp_path / "out" / "ct.nii.gz").array[3, 0, 0] == -1024


def test_one_dicom_file_is_no_volume(tmp_path):
    write_series(tmp_path / "ct", np.ones((2, 4, 4), np.uint16))
    (tmp_path / "ct" / "s001").rename(tmp_path / "ct.dcm")
    io.write(pair()["MR_T1_image"], tmp_path / "mr.nii.gz")
    (tmp_path / "cases.tsv").write_text("case\tmr\tct\np1\tmr.nii.gz\tct.dcm\n")
    with pytest.raises(DataError, match="case p1: CT: not a volume: .*ct.dcm"):
        importing.import_case({"source": "table", "table": "cases.tsv"}, "p1", 1, tmp_path / "out", tmp_path)


# --- other sources

ROLES = {"mr": "MR_T1_image", "ct": "CT_image", "mask": "MR_T1_mask", "labels": "CT_mask"}


def listed(tmp_path, **changed):
    """A table of one case whose files have all the formats that are read."""
    volumes = {**pair(), **changed}
    endings = {"mr": "mha", "ct": "nrrd", "mask": "mhd", "labels": "nii"}
    for role, name in ROLES.items():
        io.write(volumes[name], tmp_path / "files" / f"{role}.{endings[role]}")
    line = "\t".join(["p1", *(f"files/{role}.{ending}" for role, ending in endings.items())])
    (tmp_path / "cases.tsv").write_text("case\t" + "\t".join(ROLES) + f"\n{line}\n")
    labels = {"kind": "files", "classes": {"bone": 1}}
    importing.import_case(
        {"source": "table", "table": "cases.tsv", "labels": labels}, "p1", 1, tmp_path / "out", tmp_path
    )
    return tmp_path / "out"


def test_a_case_of_a_table_with_mask_and_label_map(tmp_path):
    out = listed(tmp_path)
    assert io.read(out / "ct.nii.gz").geometry.matches(GRID)
    np.testing.assert_array_equal(io.read(out / "mask.nii.gz").array, pair()["MR_T1_mask"].array)
    np.testing.assert_array_equal(io.read(out / "labels.nii.gz").array, pair()["CT_mask"].array)
    assert json.loads((out / "case.json").read_text())["classes"] == {"bone": 1}


def test_a_mask_on_another_grid(tmp_path):
    with pytest.raises(
        DataError, match="case p1: mask: not on the grid of its image(?s:.)*expected: shape .10, 30, 30"
    ):
        listed(tmp_path, MR_T1_mask=pair()["CT_mask"])


@pytest.mark.parametrize(("outside", "inside"), [(-1, 1), (1e-4, 1), (0, 255), (0, 1)])
def test_every_mask_of_two_values_is_imported_as_0_and_1(tmp_path, outside, inside):
    mask = pair()["MR_T1_mask"]
    given = np.where(mask.array, inside, outside).astype(np.float32)
    stored = io.read(listed(tmp_path, MR_T1_mask=mask.with_array(given)) / "mask.nii.gz").array
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, mask.array)


def test_a_ct_given_as_a_mask_and_an_interpolated_one(tmp_path):
    mask = pair()["MR_T1_mask"]
    noise = np.random.default_rng(0).integers(-1000, 1000, MR_GRID.shape).astype(np.int16)
    with pytest.raises(DataError, match="case p1: mask: not a mask of two values(?s:.)*an image such as a CT"):
        listed(tmp_path, MR_T1_mask=mask.with_array(noise))
    soft = mask.array.astype(np.float32)
    soft[:, 3] = 0.5
    with pytest.raises(DataError, match="case p1: mask: not a mask of two values(?s:.)*threshold it at 0.5"):
        listed(tmp_path, MR_T1_mask=mask.with_array(soft))
    soft[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="case p1: mask: NaN or infinite voxels"):
        listed(tmp_path, MR_T1_mask=mask.with_array(soft))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint16])
def test_a_label_map_of_any_type(tmp_path, dtype):
    labels = pair()["CT_mask"]
    given = labels.array.astype(dtype) * (dtype(0.9996) if dtype is np.float32 else dtype(1))
    stored = io.read(listed(tmp_path, CT_mask=labels.with_array(given)) / "labels.nii.gz").array
    np.testing.assert_array_equal(stored, labels.array)


def test_an_interpolated_label_map(tmp_path):
    labels = pair()["CT_mask"]
    with pytest.raises(DataError, match="case p1: label map: labels that are not whole numbers(?s:.)*such as 0.25"):
        listed(tmp_path, CT_mask=labels.with_array(labels.array.astype(np.float32) / 4))


@pytest.mark.parametrize("name", ["CT_image.NII.GZ", "CT_image.NII"])
def test_guards_hold_for_endings_in_capitals(tmp_path, name):
    folder = stored(tmp_path)
    array = pair()["CT_image"].array.astype(np.float32)
    array[0, 0, 0] = np.nan
    io.write(Volume(array, GRID), folder / name.lower())
    (folder / name.lower()).rename(folder / name)
    (tmp_path / "cases.tsv").write_text(f"case\tmr\tct\np1\t{folder}/MR_T1_image.nii.gz\t{folder}/{name}\n")
    with pytest.raises(DataError, match="case p1: CT: NaN or infinite voxels"):
        importing.import_case({"source": "table", "table": "cases.tsv"}, "p1", 1, tmp_path / "out", tmp_path)


def test_label_values_that_belong_to_no_class(tmp_path):
    labels = pair()["CT_mask"]
    with pytest.raises(DataError, match="case p1: label map: values that belong to no class(?s:.)*found: 3\n"):
        listed(tmp_path, CT_mask=labels.with_array(labels.array * 3))


def test_a_case_without_the_label_map_that_was_promised(tmp_path):
    for role, name in (("mr", "MR_T1_image"), ("ct", "CT_image")):
        io.write(pair()[name], tmp_path / "in" / "p1" / f"{role}.nii.gz")
    data = {"source": "folder", "root": "in", "mr": "{case}/mr.nii.gz", "ct": "{case}/ct.nii.gz"}
    labels = {"kind": "files", "classes": {"bone": 1}}
    with pytest.raises(DataError, match="case p1: it has no label map"):
        importing.import_case({**data, "labels": labels}, "p1", 1, tmp_path / "out", tmp_path)
    importing.import_case({**data, "labels": None}, "p1", 1, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out" / "labels.nii.gz").exists()


def test_a_link_out_of_the_folder_is_not_imported(tmp_path):
    for role, name in (("mr", "MR_T1_image"), ("ct", "CT_image")):
        io.write(pair()[name], tmp_path / "away" / f"{role}.nii.gz")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p1").symlink_to(tmp_path / "away")
    data = {"source": "folder", "root": "in", "mr": "{case}/mr.nii.gz", "ct": "{case}/ct.nii.gz"}
    with pytest.raises(DataError, match="case p1: MR: a link leads out of the folder of the data"):
        importing.import_case(data, "p1", 1, tmp_path / "out", tmp_path)


def test_a_phantom_case(tmp_path):
    data = {"source": "phantom", "region": "pelvis", "cases": 2, "spacing_mm": [6.0, 6.0, 6.0]}
    importing.import_case(data, "pelvis_001", 7, tmp_path / "out", tmp_path)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    images = {f"{name}.nii.gz" for name in ("mr", "ct", "labels", "mr_labels", "displacement")}
    assert names == images | {"case.json"}
    ct, labels = (io.read(tmp_path / "out" / f"{name}.nii.gz") for name in ("ct", "labels"))
    mr, mr_labels = (io.read(tmp_path / "out" / f"{name}.nii.gz") for name in ("mr", "mr_labels"))
    assert labels.spacing_mm == (3.0, 3.0, 3.0) and labels.geometry.shape == tuple(2 * n for n in ct.geometry.shape)
    assert mr.geometry.matches(mr_labels.geometry)
    assert (ct.array.dtype, mr.array.dtype, labels.array.dtype) == (np.int16, np.float32, np.uint8)
    field = sitk.ReadImage(str(tmp_path / "out" / "displacement.nii.gz"))
    assert field.GetNumberOfComponentsPerPixel() == 3
    assert tuple(reversed(field.GetSize())) == mr.geometry.shape
    record = json.loads((tmp_path / "out" / "case.json").read_text())
    assert (record["case"], record["record"]["index"], record["record"]["seed"]) == ("pelvis_001", 1, 7)
    assert record["classes"]["hip_left"] == 77


def test_the_case_folder_is_that_of_the_source(tmp_path):
    assert open_source(DATA, tmp_path).case_folder("STS_002") == stored(tmp_path)

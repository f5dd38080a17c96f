import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.inference.controls import fit_control, open_control
from afpbench.study.rows import CONTROLS, FITTED_CONTROLS
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

STATISTICS = {"mr": {"scheme": "zscore"}, "ct": {"lower_hu": -500.0, "upper_hu": 1000.0}}
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def write(folder, mr, ct, mask, origin=(0.0, 0.0, 0.0), covered=None):
    geometry = Geometry(mr.shape, (3.0, 2.0, 2.0), origin, OBLIQUE)
    arrays = {"mr": mr.astype(np.float32), "ct": ct.astype(np.int16), "mask": mask.astype(np.uint8)}
    arrays["covered"] = np.ones(ct.shape, np.uint8) if covered is None else covered.astype(np.uint8)
    for name, array in arrays.items():
        io.write(Volume(array, geometry), folder / f"{name}.nii.gz")
    return folder


def cube(shape, corner, size, inside=100, outside=-1024):
    """A CT with a cube, and its mask."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(c, c + size) for c in corner)] = True
    return np.where(mask, inside, outside), mask


def fit(name, train, folder):
    fit_control(name, train, STATISTICS, folder / f"{name}.npz")
    return folder / f"{name}.npz"


def make(name, train, case, prepared, tmp_path):
    out = tmp_path / name / f"{case}.nii.gz"
    fitted = fit(name, train, tmp_path) if name in FITTED_CONTROLS else None
    assert open_control(name, fitted, STATISTICS)(case, prepared, out) == {"case": case, "status": "ok"}
    return io.read(out)


def line(train, folder):
    fitted = np.load(fit("mr_linear", train, folder))
    return float(fitted["slope"]), float(fitted["offset_hu"])


@pytest.fixture
def noisy(tmp_path):
    """Two training cases with z-scored MRs and HU on the line 300 z - 50 in the body, and anything outside."""
    generator, folders = np.random.default_rng(0), {}
    for case, gain in (("p1", 1.0), ("p2", 40.0)):
        mr = generator.normal(0, 1, (4, 5, 6))
        z = (mr - mr.mean()) / mr.std()
        mask = generator.random(mr.shape) > 0.4
        folders[case] = write(tmp_path / case / "prepared", 7 + gain * mr, np.where(mask, 300 * z - 50, -1024), mask)
    return folders


def test_the_line_fit_finds_the_line_over_the_body_of_all_cases(noisy, tmp_path):
    slope, offset = line(noisy, tmp_path)
    assert slope == pytest.approx(300, abs=0.5) and offset == pytest.approx(-50, abs=0.5)


def test_the_line_fit_by_hand(tmp_path):
    # MR of 8 voxels: four 1, four 3 -> mean 2, SD 1 -> z = -1 and 1. In the body z = -1: HU 0, 20; z = 1: HU 100, 140.
    mr = np.array([1, 1, 3, 3, 1, 1, 3, 3.0]).reshape(2, 2, 2)
    ct = np.array([0, 20, 100, 140, -1000, -1000, -1000, -1000]).reshape(2, 2, 2)
    mask = np.array([1, 1, 1, 1, 0, 0, 0, 0]).reshape(2, 2, 2)
    train = {"p1": write(tmp_path / "p1" / "prepared", mr, ct, mask)}
    # The line through the two means: (10 at -1), (120 at 1): slope 55, offset 65.
    assert line(train, tmp_path) == pytest.approx((55, 65))
    image = make("mr_linear", train, "p1", train["p1"], tmp_path)
    assert np.array_equal(image.array, np.where(mr == 1, 10, 120))


def test_mr_linear_does_not_look_at_the_ct_of_the_case(noisy, tmp_path):
    case = write(
        tmp_path / "p9" / "prepared", np.arange(60.0).reshape(3, 4, 5), np.zeros((3, 4, 5)), np.ones((3, 4, 5))
    )
    first = make("mr_linear", noisy, "p9", case, tmp_path).array
    write(case, np.arange(60.0).reshape(3, 4, 5), np.full((3, 4, 5), 77), np.ones((3, 4, 5)))
    assert np.array_equal(make("mr_linear", noisy, "p9", case, tmp_path).array, first)
    assert len(np.unique(first)) == 60


def test_real_ct_is_the_prepared_ct_with_its_geometry(tmp_path):
    ct = np.random.default_rng(1).integers(-1024, 3071, (3, 4, 5))
    case = write(tmp_path / "p1" / "prepared", np.ones((3, 4, 5)), ct, np.ones((3, 4, 5)), (5.0, -3.25, 100.5))
    image = make("real_ct", {}, "p1", case, tmp_path)
    assert image.array.dtype == np.int16 and np.array_equal(image.array, ct)
    assert image.geometry == io.read(case / "ct.nii.gz").geometry


def test_mean_ct_of_two_shifted_cubes(tmp_path):
    """The cubes (100 and 300 HU) coincide after the shift; the mean is 200 in the cube, wherever it lies."""
    train = {}
    for case, corner, value in (("p1", (1, 1, 1), 100), ("p2", (4, 2, 3), 300)):
        ct, mask = cube((9, 8, 9), corner, 3, value)
        train[case] = write(tmp_path / case / "prepared", 90.0 * mask, ct, mask)
    ct, mask = cube((9, 9, 10), (3, 3, 5), 3, 999)
    case = write(tmp_path / "p9" / "prepared", 90.0 * mask, ct, mask)
    image = make("mean_ct", train, "p9", case, tmp_path)
    assert np.array_equal(image.array, np.where(mask, 200, -1024))


def test_mean_ct_is_air_where_no_training_ct_reaches_and_averages_only_what_is_there(tmp_path):
    # One training CT of 3 x 3 x 3 voxels (all 60 HU), one of 5 x 3 x 3 (all 100 HU), both centred.
    small, large = np.full((3, 3, 3), 60), np.full((5, 3, 3), 100)
    train = {
        "p1": write(tmp_path / "p1" / "prepared", np.ones(small.shape), small, np.ones(small.shape)),
        "p2": write(tmp_path / "p2" / "prepared", np.ones(large.shape), large, np.ones(large.shape)),
    }
    case = write(tmp_path / "p9" / "prepared", np.ones((7, 5, 3)), np.zeros((7, 5, 3)), np.ones((7, 5, 3)))
    image = make("mean_ct", train, "p9", case, tmp_path).array
    assert image[:, 2, 1].tolist() == [-1024, 100, 80, 80, 80, 100, -1024]
    assert (image[:, 0] == -1024).all() and (image[:, 4] == -1024).all()


def test_mean_ct_averages_only_what_lies_in_the_field_of_view_of_the_ct(tmp_path):
    # All 60 HU and all 100 HU; the first CT ends below the third slice, and neither has data in the first.
    shape, ends, begins = (4, 3, 3), np.ones((4, 3, 3)), np.ones((4, 3, 3))
    ends[[0, 2, 3]], begins[0] = 0, 0
    train = {
        case: write(
            tmp_path / case / "prepared", np.ones(shape), np.where(covered, hu, -1024), covered, covered=covered
        )
        for case, hu, covered in (("p1", 60, ends), ("p2", 100, begins))
    }
    case = write(tmp_path / "p9" / "prepared", np.ones(shape), np.zeros(shape), np.ones(shape))
    image = make("mean_ct", train, "p9", case, tmp_path).array
    assert image[:, 1, 1].tolist() == [-1024, 80, 100, 100]


def test_mean_ct_knows_nothing_of_the_ct_of_the_case_but_its_grid(tmp_path):
    """A body of the MR at another place than the CT's mask: the mean lies where the MR shows the body."""
    ct, mask = cube((9, 9, 9), (3, 3, 3), 3, 100)
    train = {"p1": write(tmp_path / "p1" / "prepared", 90.0 * mask, ct, mask)}
    _, seen = cube((9, 9, 9), (1, 2, 4), 3)
    _, elsewhere = cube((9, 9, 9), (5, 5, 5), 3)
    case = write(tmp_path / "p9" / "prepared", 90.0 * seen, np.where(elsewhere, 900, -1024), elsewhere)
    assert np.array_equal(make("mean_ct", train, "p9", case, tmp_path).array, np.where(seen, 100, -1024))


def test_the_real_ct_clipped_is_the_training_target(tmp_path):
    """-1000, -400, 1500 HU in a body that the MR shows, limits -500 and 1000 HU; far outside it is air."""
    mr, ct = np.zeros((6, 12, 12)), np.full((6, 12, 12), -990)
    mr[:, 4:8, 4:8], ct[:, 4:8, 4:8] = 100, -400
    ct[2, 5, 5:7] = -1000, 1500
    case = write(tmp_path / "p1" / "prepared", mr, ct, mr > 0)
    image = make("real_ct_clipped", {}, "p1", case, tmp_path).array
    assert image[2, 5, 4:8].tolist() == [-400, -500, 1000, -400]
    assert image[:, 4:8, 3].tolist() == [[-500] * 4] * 6, "the margin of 3 mm: one voxel of 2 mm"
    assert (image[:, :, :3] == -1024).all() and (image[:, :2] == -1024).all()


def test_mr_linear_is_air_outside_the_body(noisy, tmp_path):
    mr = np.zeros((6, 12, 12))
    mr[:, 4:8, 4:8] = 100
    case = write(tmp_path / "p9" / "prepared", mr, np.zeros(mr.shape), mr > 0)
    image = make("mr_linear", noisy, "p9", case, tmp_path).array
    assert (image[:, 4:8, 4:8] > 0).all() and (image[:, :, :3] == -1024).all() and (image[:, 3, 4] > -1024).all()


def test_an_mr_without_a_body(tmp_path):
    shape = (3, 3, 3)
    train = {"p1": write(tmp_path / "p1" / "prepared", np.zeros(shape), np.zeros(shape), np.zeros(shape))}
    with pytest.raises(DataError, match="case p1: the MR shows no body"):
        fit("mean_ct", train, tmp_path)


def test_an_empty_mask(tmp_path):
    shape = (3, 3, 3)
    train = {
        "p1": write(tmp_path / "p1" / "prepared", np.arange(27.0).reshape(shape), np.zeros(shape), np.zeros(shape))
    }
    with pytest.raises(DataError, match="mr_linear: the training MRs are constant inside the body\n  found: 0 voxels"):
        fit("mr_linear", train, tmp_path)


def test_mrs_that_are_constant_inside_the_body(tmp_path):
    mr = np.zeros((3, 3, 3))
    mr[0] = 5
    mask = mr == 0
    train = {"p1": write(tmp_path / "p1" / "prepared", mr, np.zeros(mr.shape), mask)}
    with pytest.raises(DataError, match="mr_linear: the training MRs are constant inside the body"):
        fit("mr_linear", train, tmp_path)


def test_every_control_has_a_name():
    assert CONTROLS == ("real_ct", "real_ct_clipped", "mr_linear", "mean_ct")
    assert FITTED_CONTROLS == ("mr_linear", "mean_ct")


def test_a_fit_is_the_same_file_each_time(noisy, tmp_path):
    for name in FITTED_CONTROLS:
        first = fit(name, noisy, tmp_path).read_bytes()
        assert fit(name, noisy, tmp_path).read_bytes() == first


def test_the_line_of_an_mr_with_channels_is_that_of_the_first(noisy, tmp_path):
    slope, offset = line(noisy, tmp_path)
    statistics = {**STATISTICS, "mr": {"scheme": "zscore", "channels": [{"scheme": "zscore"}] * 2}}
    for folder in noisy.values():
        mr = io.read(folder / "mr.nii.gz")
        io.write(mr.with_array(-mr.array[::-1]), folder / "mr_0001.nii.gz")
    fit_control("mr_linear", noisy, statistics, tmp_path / "two.npz")
    fitted = np.load(tmp_path / "two.npz")
    assert (float(fitted["slope"]), float(fitted["offset_hu"])) == (slope, offset)

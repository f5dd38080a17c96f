"""The phantom's building blocks, against values worked out by hand."""

import numpy as np
import pytest
from fresh_process import printed
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.phantom import airways, render
from afpbench.phantom.canvas import Canvas, spline
from afpbench.phantom.deformation import (
    SMALLEST_JACOBIAN,
    Deformation,
    displacement_on,
    draw_deformation,
    jacobian_determinant,
)
from afpbench.phantom.fields import SmoothField, random_field
from afpbench.phantom.generate import WARP_MM, WARP_WAVES_MM
from afpbench.phantom.labels import LABELS
from afpbench.phantom.pose import AIR_MM, Pose, draw_pose
from afpbench.phantom.sampling import block_mean, block_vote
from afpbench.phantom.spine import fill_marrow
from afpbench.phantom.tissues import TISSUE
from afpbench.volumes.io import Geometry

FLAT = SmoothField(np.ones((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)))


def flat_canvas(size=20):
    return Canvas((size,) * 3, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), FLAT)


def test_field_value_by_hand():
    field = SmoothField(np.full((1, 3), np.pi), np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]]))
    axes = np.array([0.0, 1.0])
    grid = field.on_axes(axes, axes, axes)
    assert grid[0, 0, 0].tolist() == pytest.approx([1, 2, 3])
    assert grid[0, 0, 1].tolist() == pytest.approx([-1, -2, -3], abs=1e-5)  # cos(pi) along x
    assert grid[1, 1, 0].tolist() == pytest.approx([1, 2, 3], abs=1e-5)


def test_field_on_axes_equals_field_at_points():
    field = random_field(np.random.default_rng(0), 4.0, (100, 300))
    z, y, x = np.array([-20.0, 5.0]), np.array([3.0]), np.array([7.0, 40.0, 90.0])
    grid = field.on_axes(z, y, x)
    assert grid.shape == (2, 1, 3, 3)
    assert grid[1, 0, 2] == pytest.approx(field.at(np.array([[90.0, 3.0, 5.0]]))[0], abs=1e-4)


def test_tube_has_the_volume_of_a_capsule():
    canvas = flat_canvas(40)
    canvas.tube([[10, 20, 20], [30, 20, 20]], 6.0, "aorta", "blood")
    expected = np.pi * 36 * 20 + 4 / 3 * np.pi * 216
    assert (canvas.labels == LABELS["aorta"]).sum() == pytest.approx(expected, rel=0.03)
    assert set(np.unique(canvas.tissue)) == {0, TISSUE["blood"]}


def test_tube_over_spares_other_labels():
    canvas = flat_canvas()
    canvas.labels[:, :, :10] = LABELS["liver"]
    canvas.tube([[4, 10, 10], [16, 10, 10]], 2.0, "aorta", "blood", over=["liver"])
    assert (canvas.labels[:, :, :10] == LABELS["aorta"]).any()
    assert not canvas.labels[:, :, 10:].any()


def test_ellipsoid_and_its_box():
    canvas = flat_canvas(40)
    box, level = canvas.ellipsoid((20, 20, 20), (12, 8, 5))
    assert (level < 1).sum() == pytest.approx(4 / 3 * np.pi * 12 * 8 * 5, rel=0.03)
    assert [s.stop - s.start for s in box] == [11, 17, 25]  # 2 r + 1


def bent_canvas(seed):
    rng = np.random.default_rng(seed)
    pose = draw_pose(rng, np.array([120.0, 90.0]), np.array([144.0, 108.0, 108.0]), 33.0)
    warp = random_field(rng, WARP_MM["pelvis"], WARP_WAVES_MM)
    return Canvas((40, 40, 52), (6.0, 6.0, 6.0), (-153, -117, -117), warp, pose), rng


def test_pose_by_hand():
    quarter = Pose(np.array([0.0, 0.0, 90.0]), np.array([2.0, 3.0, 4.0]), np.array([10.0, 20.0, 30.0]))
    canvas = Canvas((4, 4, 4), (1.0, 1.0, 1.0), (0, 0, 0), FLAT, quarter)
    # The model's x turns to y and doubles, its y to -x and triples.
    assert canvas.to_real(np.array([[1.0, 1.0, 1.0]]))[0] == pytest.approx([10 - 3, 20 + 2, 30 + 4])
    assert quarter.mean_scale == pytest.approx(24 ** (1 / 3))
    z, y, x = 3, 2, 1  # real (1, 2, 3) is (-9, -18, -27) from the shift
    assert (canvas.X[z, y, x], canvas.Y[z, y, x], canvas.Z[z, y, x]) == pytest.approx((-9, 3, -6.75))


def test_a_body_that_leaves_the_field_of_view_is_drawn_smaller():
    for seed in range(50):
        pose = draw_pose(np.random.default_rng(seed), np.array([200.0, 50.0]), np.array([144.0, 108.0, 108.0]), 33.0)
        assert pose.scale[0] * 200 < 144 - AIR_MM
        assert 0.6 < pose.scale[1] < 1.3 and np.abs(pose.shift_mm).max() <= 33


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_to_real_inverts_pose_and_warp(seed):
    canvas, rng = bent_canvas(seed)
    model = rng.uniform(-100, 100, (5, 3))
    real = canvas.to_real(model)
    there = (real - canvas.pose.shift_mm) @ canvas.pose.to_model.T + canvas.warp.at(real)
    assert there == pytest.approx(model, abs=0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_box_holds_everything_between_its_corners(seed):
    canvas, rng = bent_canvas(seed)
    middle, half = rng.uniform(-80, 80, 3), rng.uniform(3, 90, 3)
    box = canvas.box(middle - half, middle + half)
    axes = zip((canvas.X, canvas.Y, canvas.Z), middle, half, strict=True)
    inside = np.all([np.abs(values - m) < h for values, m, h in axes], axis=0)
    assert inside[box].sum() == inside.sum()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_anatomy_is_bent_but_never_folded(seed):
    canvas, _ = bent_canvas(seed)
    model = np.stack([canvas.X - canvas.x, canvas.Y - canvas.y[:, None], canvas.Z - canvas.z[:, None, None]], axis=-1)
    assert jacobian_determinant(model, (6, 6, 6)).min() > 0.2


def test_spline_meets_its_ends():
    curve = spline([[0, 0, 0], [1, 2, 0], [4, 4, 1], [9, 5, 1]], 7)
    assert curve.shape == (7, 3)
    assert curve[0] == pytest.approx([0, 0, 0]) and curve[-1] == pytest.approx([9, 5, 1])


def test_marrow_lies_inside_a_cortex_of_one_voxel():
    canvas = flat_canvas(9)
    canvas.labels[2:7, 2:7, 2:7] = LABELS["sacrum"]
    canvas.tissue[2:7, 2:7, 2:7] = TISSUE["cortical_bone"]
    fill_marrow(canvas, {})
    assert (canvas.tissue == TISSUE["trabecular_bone"]).sum() == 27
    assert (canvas.tissue == TISSUE["cortical_bone"]).sum() == 125 - 27
    fill_marrow(canvas, {"sacrum": 2})
    assert (canvas.tissue == TISSUE["trabecular_bone"]).sum() == 1


def test_block_mean_and_vote():
    values = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    assert block_mean(values, 2).item() == 3.5
    lung, lumen, wall, liver = (
        LABELS[name] for name in ("lung_lower_lobe_left", "airway_lumen", "airway_wall", "liver")
    )

    def vote(*samples):
        return block_vote(np.array(samples, np.uint8).reshape(2, 2, 2), 2).item()

    assert vote(*[lung] * 5, *[liver] * 3) == lung
    assert vote(*[lung] * 5, *[lumen] * 3) == lumen  # three eighths of airway are airway
    assert vote(*[lung] * 6, *[lumen] * 2) == lung
    assert vote(*[lung] * 5, lumen, wall, wall) == wall  # kin count together, the most frequent wins


def test_jacobian_of_a_linear_map_by_hand():
    z, y, x = np.meshgrid(*(np.arange(5.0) * step for step in (2, 3, 4)), indexing="ij")
    displacement = np.stack([0.5 * x + 0.1 * y, -0.25 * y, 0.2 * z], axis=-1)
    assert jacobian_determinant(displacement, (2, 3, 4)) == pytest.approx(np.full((5, 5, 5), 1.5 * 0.75 * 1.2))


def test_a_folding_deformation_is_weakened():
    axes = (np.arange(-60, 61, 5.0),) * 3
    wild = random_field(np.random.default_rng(1), 60.0, (60, 90))
    still = Deformation(np.array([1.0, 2.0, 3.0]), lambda z, y, x: np.float32(0), wild)
    assert jacobian_determinant(still.on_axes(*axes), (5, 5, 5)).min() < 0
    used, displacement, figures = displacement_on(still, axes, (5, 5, 5))
    assert used.strength < 1
    assert jacobian_determinant(displacement, (5, 5, 5)).min() >= SMALLEST_JACOBIAN
    assert figures["jacobian_min"] >= SMALLEST_JACOBIAN


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["thorax", "pelvis"]))
def test_deformations_are_diffeomorphic_and_within_limits(seed, region):
    rng = np.random.default_rng(seed)
    deformation, record = draw_deformation(rng, region, {"bladder_centre_mm": [0, -20, 0]})
    axes = (np.arange(-120, 121, 8.0), np.arange(-110, 111, 8.0), np.arange(-145, 146, 8.0))
    used, displacement, figures = displacement_on(deformation, axes, (8, 8, 8))
    assert figures["jacobian_min"] >= SMALLEST_JACOBIAN
    assert used.strength == 1
    assert 1 < figures["max_mm"] < 35
    assert max(abs(value) for value in record["translation_mm"]) <= 6


def straight_tree():
    rng = np.random.default_rng(0)
    root = airways.make_branch(rng, [0, 0, 30], [0, 0, 20], 6.0, 2)
    cloud = rng.uniform([-40, -40, -80], [40, 40, 10], (2500, 3))
    airways.grow(rng, root, cloud, "lung_lower_lobe_left", lambda path: True)
    return root


def test_tree_grows_into_its_region_with_shrinking_branches():
    root = straight_tree()
    branches = list(root.walk())
    assert max(branch.generation for branch in branches) == airways.LAST_GENERATION
    for branch in branches:
        assert len(branch.children) <= 2
        for child in branch.children:
            assert 0.7 * branch.radius_mm < child.radius_mm < 0.9 * branch.radius_mm
            assert child.points[0] == pytest.approx(branch.points[-1])
    ends = np.array([branch.points[-1] for branch in branches])
    assert np.abs(ends[:, :2]).max() < 45 and ends[:, 2].min() > -85
    assert ends[:, 0].std() > 12 and ends[:, 2].std() > 12  # it fills the region


def test_tree_keeps_out_of_obstacles():
    canvas = Canvas((40, 40, 40), (2.0, 2.0, 2.0), (-40, -40, -40), FLAT)
    canvas.labels[:] = LABELS["lung_lower_lobe_left"]
    canvas.labels[:, :, :15] = LABELS["heart"]  # x below -11
    rng = np.random.default_rng(0)
    root = airways.make_branch(rng, [10, 0, 38], [10, 0, 30], 5.0, 2)
    cloud = rng.uniform(-38, 38, (1500, 3))
    free = airways.obstacles(canvas, ["lung_lower_lobe_left"])
    airways.grow(rng, root, cloud, "lung_lower_lobe_left", free)
    ends = np.array([branch.points[-1] for branch in root.walk()])
    assert len(ends) > 10 and ends[:, 0].min() > -11.1


def test_lesions_change_their_branches_only():
    for seed in range(20):
        root, healthy = straight_tree(), straight_tree()
        records = airways.add_lesions(np.random.default_rng(seed), {"lung_lower_lobe_left": root})
        if records:
            break
    assert {record["kind"] for record in records} == {"bronchiectasis", "peribronchial_thickening", "mucus"}
    pairs = list(zip(root.walk(), healthy.walk(), strict=True))
    assert sum(bool(ill.lesion) for ill, _ in pairs) == sum(record["branches"] for record in records)
    for ill, well in pairs:
        ratio, thicker = ill.radius_mm / well.radius_mm, ill.wall_mm - well.wall_mm
        if ill.lesion == "bronchiectasis":
            assert 1.5 <= ratio <= 2.2 and thicker > 0
        elif ill.lesion == "peribronchial_thickening":
            assert ratio == 1 and 1.5 <= thicker <= 2.6
        elif ill.lesion == "mucus":
            assert 1.5 <= ratio <= 2.2 and thicker == 0
        else:
            assert ratio == 1 and thicker == 0


def test_airway_lumens_join_where_branches_meet():
    canvas = flat_canvas(40)
    canvas.labels[:] = LABELS["lung_lower_lobe_left"]
    rng = np.random.default_rng(0)
    first = airways.make_branch(rng, [20, 20, 35], [20, 20, 20], 3.0, 3, bend=0)
    first.children = [airways.make_branch(rng, [20, 20, 20], [20, 20, 5], 2.0, 4, bend=0)]
    airways.draw_airways(canvas, first)
    column = canvas.labels[5:36, 20, 20]
    assert (column == LABELS["airway_lumen"]).all()
    assert canvas.labels[28, 20, 24] == LABELS["airway_wall"]  # between 3 and 4.4 mm from the axis
    assert canvas.labels[28, 20, 26] == LABELS["lung_lower_lobe_left"]


def test_grid_axes_by_hand():
    geometry = Geometry((2, 3, 4), (4.0, 2.0, 6.0), (10.0, 20.0, 30.0))
    z, y, x = render.grid_axes(geometry)
    assert (z.tolist(), y.tolist(), x.tolist()) == ([30, 34], [20, 22, 24], [10, 16, 22, 28])
    assert render.grid_axes(geometry, 2)[0].tolist() == [29, 31, 33, 35]


def test_a_displacement_is_the_same_on_every_processor():
    """The order in which a processor's BLAS sums does not reach the field."""
    code = (
        "import hashlib, numpy as np\n"
        "from afpbench.phantom.fields import random_field\n"
        "axes = [np.arange(count) * 3.0 for count in (40, 60, 70)]\n"
        "field = random_field(np.random.default_rng(1), 8.0, (60.0, 160.0)).on_axes(*axes)\n"
        "print(hashlib.sha256(field.tobytes()).hexdigest())"
    )
    assert len({printed(code, OPENBLAS_CORETYPE=core) for core in ("Prescott", "Haswell")}) == 1  # SSE3 and AVX2

"""The renderer on shapes whose picture is known, and the comparison of two masks."""

import re

import numpy as np
import pandas as pd
import pytest

from afpbench.figures import style
from afpbench.figures.cases import Context
from afpbench.figures.render import camera_for, render, view_axes
from afpbench.figures.surfaces import AGREED, EXTRA, MISSED, compare, draw_surfaces
from afpbench.metrics.longtable import COLUMNS
from afpbench.volumes import io

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def front(shape, spacing_mm, longest=60):
    """A camera from the front, neither turned nor raised, that sees the whole grid."""
    box = np.array([[0, 0, 0], np.array(shape) - 1]) * np.array(spacing_mm)
    return camera_for(box, spacing_mm, longest, turn_degrees=0, rise_degrees=0)


def ball(shape, centre, radius_mm, spacing_mm):
    z, y, x = np.indices(shape)
    distances = [(axis - middle) * step for axis, middle, step in zip((z, y, x), centre, spacing_mm, strict=True)]
    return sum(distance**2 for distance in distances) <= radius_mm**2


@pytest.mark.parametrize(("turn", "rise"), [(0, 0), (24, 10), (-70, 45)])
def test_the_views_axes_are_a_rotation(turn, rise):
    axes = view_axes(turn, rise)
    assert np.allclose(axes @ axes.T, np.eye(3))


def test_from_the_front_the_head_is_up_and_the_left_is_right():
    up, right, inward = view_axes(0, 0)
    assert np.allclose(up, [1, 0, 0]) and np.allclose(right, [0, 0, 1]) and np.allclose(inward, [0, 1, 0])


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (4.0, 2.0, 1.0)])
def test_a_ball_is_a_disc_of_its_own_size(spacing_mm):
    shape = tuple(round(80 / step) for step in spacing_mm)
    mask = ball(shape, [(n - 1) / 2 for n in shape], 24.0, spacing_mm)
    camera = front(shape, spacing_mm, longest=80)
    alpha = render(mask.astype(np.uint8), [RED], camera)[..., 3]
    area_mm2 = alpha.sum() * np.prod(camera.extent_mm[:2] / camera.pixels)
    assert area_mm2 == pytest.approx(np.pi * 24.5**2, rel=0.08)  # the smoothed surface lies a little outside
    rows, columns = (np.arange(n) for n in alpha.shape)
    assert (alpha.sum(1) @ rows / alpha.sum(), alpha.sum(0) @ columns / alpha.sum()) == pytest.approx(
        ((alpha.shape[0] - 1) / 2, (alpha.shape[1] - 1) / 2), abs=0.6
    )


def test_what_lies_in_front_hides_what_lies_behind():
    classes = np.zeros((20, 30, 20), np.uint8)
    classes[4:16, 22:28, 4:16] = 1  # behind
    classes[4:10, 2:8, 4:16] = 2  # in front, the lower half
    picture = render(classes, [RED, BLUE], front(classes.shape, (2.0, 2.0, 2.0)))
    upper, lower = picture[18, 30], picture[42, 30]  # the head is up
    assert upper[3] == lower[3] == 1
    assert upper[0] > 0.3 and upper[2] == 0 and lower[2] > 0.3 and lower[0] == 0


def test_the_patients_left_is_on_the_right():
    classes = np.zeros((20, 20, 20), np.uint8)
    classes[8:12, 8:12, 14:18] = 1  # x rises to the left
    alpha = render(classes, [RED], front(classes.shape, (2.0, 2.0, 2.0)))[..., 3]
    assert alpha[:, 30:].sum() > 0 and alpha[:, :30].sum() == 0


def test_a_tube_of_one_voxel_is_seen():
    classes = np.zeros((20, 20, 20), np.uint8)
    classes[:, 10, 10] = 1
    alpha = render(classes, [RED], front(classes.shape, (2.0, 2.0, 2.0)))[..., 3]
    assert (alpha[5:55].max(axis=1) > 0.9).all()


def test_nothing_is_transparent():
    picture = render(np.zeros((9, 9, 9), np.uint8), [RED], front((9, 9, 9), (1, 1, 1)))
    assert picture.shape == (60, 60, 4) and not picture.any()


def test_off_by_one_voxel_agrees_and_by_two_does_not():
    real, synthetic = np.zeros((3, 3, 12), bool), np.zeros((3, 3, 12), bool)
    real[1, 1, 2:7] = True
    synthetic[1, 1, 3:11] = True
    assert compare(real, synthetic)[1, 1].tolist() == [0, 0, *[AGREED] * 6, *[EXTRA] * 3, 0]
    assert compare(synthetic, real)[1, 1].tolist() == [0, 0, *[AGREED] * 6, *[MISSED] * 3, 0]


@pytest.fixture(scope="module")
def context(prepared_cases, tmp_path_factory):
    """One test case; the row `l1` misses the dense organ, which it finds in the real CT's place for `real_ct`."""
    root = tmp_path_factory.mktemp("task")
    (root / "cases").symlink_to(prepared_cases["p1"].parents[1])
    labels = io.read(prepared_cases["p1"] / "labels.nii.gz")
    for row, array in (("ct", labels.array), ("real_ct", labels.array), ("l1", labels.array * 0)):
        io.write(labels.with_array(array), root / "segmentations" / "seg" / row / "p1.nii.gz")
    structures = {
        name: {"label": f"{name} organ", "segmenter": "seg", "labels": [value], "tolerance_mm": 6.0}
        for name, value in (("dense", 1), ("absent", 9))
    }
    return Context(root, ["l1", "real_ct"], {"l1": "L1"}, "l1", structures)


LONG = pd.DataFrame(
    [
        ("t", "l1", "", "p1", "", "body", "mae", 10.0, "ok"),
        ("t", "l1", "", "p1", "seg", "dense", "dice", 0.0, "synthetic_empty"),
        ("t", "real_ct", "", "p1", "seg", "dense", "dice", 1.0, "ok"),
        ("t", "real_ct", "", "p1", "seg", "dense", "nsd", 1.0, "ok"),
    ],
    columns=list(COLUMNS),
)


def test_the_figure(context):
    with style.styled():
        figure = draw_surfaces(context, "typical", ["dense", "absent"], LONG)
    assert [axis.get_title() for axis in figure.axes] == ["Real CT", "L1", "real_ct"]
    labels = [axis.get_xlabel() for axis in figure.axes]
    assert labels[1:] == ["not found", "Dice 1.000, NSD 1.000"] and re.fullmatch(r"\d+\.\d mL", labels[0])
    assert [text.get_text() for text in figure.texts] == ["p1: dense organ", "p1: absent organ (empty in every image)"]
    pictures = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    blue = [(picture[..., 2] > picture[..., 0] + 0.1)[picture[..., 3] > 0.9].mean() for picture in pictures]
    assert blue == [0.0, 1.0, 0.0]  # missed altogether by l1
    assert np.array_equal(pictures[0], pictures[2])


def test_the_same_inputs_give_the_same_bytes(context, tmp_path):
    for name in ("first", "second"):
        with style.styled():
            style.save(
                draw_surfaces(context, "p1", ["dense"], LONG), [tmp_path / f"{name}.{k}" for k in ("png", "pdf")]
            )
    for kind in ("png", "pdf"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()

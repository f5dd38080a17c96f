"""Error, uncertainty and sparsification of a case side by side."""

import numpy as np
import pandas as pd
import pytest

from afpbench.base.errors import DataError
from afpbench.figures import style
from afpbench.figures.cases import Context
from afpbench.figures.uncertainty import draw_uncertainty
from afpbench.metrics.longtable import COLUMNS
from afpbench.volumes import io

OPTIONS = {"error_hu": 300, "zoom": {"structure": None, "size_mm": 36}, "definition": "afpbench"}
VALUES = {"mae": 20.0, "uncertainty_spearman": 0.5, "uncertainty_ause": 0.125}
LONG = pd.DataFrame(
    [
        ("t", row, "", "p1", "", "body", metric, value, "ok")
        for row in ("l1", "afp")
        for metric, value in VALUES.items()
    ],
    columns=list(COLUMNS),
)


@pytest.fixture
def context(prepared_cases, tmp_path):
    """A case in two rows: l1 errs by 10 HU times the slice number, its map is a tenth of that; afp does not know."""
    (tmp_path / "cases").symlink_to(prepared_cases["p1"].parents[1])
    ct = io.read(prepared_cases["p1"] / "ct.nii.gz")
    error = np.broadcast_to(10 * np.arange(ct.array.shape[0])[:, None, None], ct.array.shape)
    for row, sd in (("l1", error / 10), ("afp", np.full(error.shape, 3.0))):
        folder = tmp_path / "synthetic" / row
        io.write(ct.with_array((ct.array + error).astype(np.int16)), folder / "p1.nii.gz")
        io.write(ct.with_array(sd.astype(np.float32)), folder / "uncertainty" / "p1.nii.gz")
    return Context(tmp_path, ["l1", "afp"], {"l1": "nnU-Net / L1", "afp": "nnU-Net / AFP"}, "l1")


def test_each_row_has_its_maps_and_curves(context):
    with style.styled():
        figure = draw_uncertainty(context, "typical", OPTIONS, LONG)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["Absolute error", "Uncertainty", "Error that is left (AUSE 0.125)"] * 2
    assert [text.get_text() for text in figure.texts] == ["p1, coronal", "nnU-Net / L1", "nnU-Net / AFP"]
    images = [axis.images[0] for axis in figure.axes if axis.images]
    assert [tuple(image.get_clim())[1] for image in images[:4:2]] == [300, 300]
    assert images[1].get_clim() == images[3].get_clim()  # of both rows alike
    error, sd = (np.asarray(image.get_array()) for image in images[:2])
    np.testing.assert_allclose(error, 10 * sd, atol=1e-3)
    below = [axis.get_xlabel() for axis in figure.axes]
    assert "MAE 20.0 HU" in below and "mean SD 3.0 HU; rank correlation 0.500" in below
    first, second = (axis.get_lines() for axis in figure.axes if len(axis.get_lines()) == 3)
    np.testing.assert_allclose(first[0].get_ydata(), first[1].get_ydata(), atol=0.02)  # knows the error's order
    np.testing.assert_allclose(second[0].get_ydata(), 1)  # one value says nothing


def test_the_same_inputs_give_the_same_bytes(context, tmp_path):
    for name in ("first", "second"):
        with style.styled():
            figure = draw_uncertainty(context, "p1", OPTIONS, LONG)
            style.save(figure, [tmp_path / name / "x.png", tmp_path / name / "x.pdf"])
    for kind in ("png", "pdf"):
        first, second = ((tmp_path / name / f"x.{kind}").read_bytes() for name in ("first", "second"))
        assert first == second and len(first) > 10_000


def test_a_map_on_another_grid_is_an_error(context):
    coarse = io.Volume(np.zeros((4, 5, 6), np.float32), io.Geometry((4, 5, 6), (6.0, 6.0, 6.0)))
    io.write(coarse, context.root / "synthetic" / "l1" / "uncertainty" / "p1.nii.gz")
    with style.styled(), pytest.raises(DataError, match="case p1, row l1: the uncertainty map is not on the real CT's"):
        draw_uncertainty(context, "p1", OPTIONS, LONG)

"""Learning curves: which columns of which networks are drawn."""

import pytest

from afpbench.figures import style
from afpbench.figures.curves import draw_curves, in_words, loss_columns, read_curves

GENERATOR = """epoch,iteration,learning_rate,seconds,train_l1,train_loss,validation_loss,validation_mae_hu,train_afp
0,10,0.01,1.0,0.5,1.9,0.8,120.0,
1,20,0.01,2.0,0.4,0.7,0.6,90.0,
2,30,0.01,3.0,0.3,0.5,0.4,70.0,
"""
SEGMENTER = """epoch,iteration,learning_rate,seconds,train_loss,validation_loss,validation_dice
0,10,0.01,1.0,0.5,0.4,0.1
1,20,0.01,2.0,-0.4,-0.2,0.6
"""


@pytest.fixture
def models(tmp_path):
    for name, text in (("g", GENERATOR), ("s", SEGMENTER)):
        (tmp_path / f"{name}.csv").write_text(text)
    return [{"label": "L1 <b>", "path": tmp_path / "g.csv"}, {"label": "Navi", "path": tmp_path / "s.csv"}]


def test_totals_come_first_and_empty_terms_not_at_all(models):
    assert loss_columns(read_curves(models[0]["path"])) == ["train_loss", "validation_loss", "train_l1"]


def test_names_in_words():
    assert [in_words(name) for name in ("train_loss", "validation_loss", "train_feature_matching", "other")] == [
        "total", "total (validation)", "feature matching", "other",
    ]  # fmt: skip


def test_the_seeds_of_a_row_share_a_panel_and_colours(models, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(GENERATOR.replace("120.0", "150.0"))
    with style.styled():
        seeds = [models[0], {"label": models[0]["label"], "path": other}, models[1]]
        axes = [axis for axis in draw_curves(seeds).axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in axes] == ["Validation MAE (HU)", "Validation Dice", "L1 <b>", "Navi"]
    assert [line.get_ydata()[0] for line in axes[0].lines] == [120, 150]
    assert len({line.get_color() for line in axes[0].lines}) == 1 and len(axes[2].lines) == 6
    assert [text.get_text() for text in axes[2].get_legend().get_texts()] == ["total", "total (validation)", "l1"]


def test_the_networks_are_named_once_above_all_panels(models):
    with style.styled():
        figure = draw_curves([{"label": f"{models[0]['label']} {n}", "path": models[0]["path"]} for n in range(8)])
        figure.draw_without_rendering()
    (legend,) = figure.legends
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(legend.get_texts()) == 8 and shown[0].get_legend() is None
    lowest = legend.get_window_extent().y0
    assert all(axis.get_tightbbox().y1 <= lowest for axis in shown)
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_panels(models):
    with style.styled():
        axes = [axis for axis in draw_curves(models).axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in axes] == ["Validation MAE (HU)", "Validation Dice", "L1 <b>", "Navi"]
    assert [line.get_label() for line in axes[2].lines] == ["total", "total (validation)", "l1"]
    assert list(axes[2].lines[2].get_ydata()) == [0.5, 0.4, 0.3] and list(axes[0].lines[0].get_xdata()) == [10, 20, 30]
    assert [axis.get_yscale() for axis in axes] == ["linear", "linear", "log", "linear"]  # a negative loss has no log
    assert len(axes[0].lines) == len(axes[1].lines) == 1


JUDGED = """epoch,iteration,train_l1,validation_loss,case_mae_hu,case_ssim,case_dice,case_dice_bones
0,10,0.5,0.8,,,,
1,20,0.4,0.6,90.0,0.7,0.3,0.3
2,30,0.3,0.4,,,,
3,40,0.2,0.3,80.0,0.8,0.4,0.4
"""


def test_the_dice_of_a_structure_in_whole_cases_has_a_panel_for_all_rows(models, tmp_path):
    """Through the epochs with a validation; a row without one is not in it, nor is Dice among the losses."""
    for name, text in (("l1", JUDGED), ("afp", JUDGED.replace("0.4,0.4\n", "0.6,0.6\n"))):
        (tmp_path / f"{name}.csv").write_text(text)
    rows = [{"label": name, "path": tmp_path / f"{name.lower()}.csv"} for name in ("L1", "AFP")]
    with style.styled():
        axes = draw_curves([*rows, *models], {"bones": "Bones", "air": "Air"}).axes
    titled = {axis.get_title(loc="left"): axis for axis in axes}
    assert list(titled)[:5] == [
        "Validation MAE (HU)", "Validation Dice", "MAE of whole cases (HU)", "SSIM of whole cases", "Dice, Bones",
    ]  # fmt: skip
    panel = titled["Dice, Bones"]
    assert [line.get_label() for line in panel.lines] == ["L1", "AFP"]
    assert [list(line.get_xdata()) for line in panel.lines] == [[20, 40], [20, 40]]
    assert [list(line.get_ydata()) for line in panel.lines] == [[0.3, 0.4], [0.3, 0.6]]
    assert [line.get_label() for line in titled["L1"].lines] == ["total (validation)", "l1"]

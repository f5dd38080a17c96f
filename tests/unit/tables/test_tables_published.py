import pytest

from afpbench.base.errors import ConfigError
from afpbench.study.metrics import metrics_of, score_metrics
from afpbench.tables.published import published_table, published_tables


def test_all_six_tables_with_every_cell():
    shapes = {key: (len(table.labels), len(table.values)) for key, table in published_tables().items()}
    assert shapes == {
        "table1": (8, 32), "table2": (6, 24), "table3": (6, 24),
        "table4": (3, 12), "table5": (4, 8), "table6": (4, 16),
    }  # fmt: skip


def test_some_cells_as_printed():
    cell = published_table("table1").values["nnunet_afp_navi_hal", "nsd", "airways"]
    assert (cell.mean, cell.sd, cell.decimals, cell.bold, cell.asterisk) == (0.723, 0.072, 3, True, True)
    cell = published_table("table5").values["nnunet_l1", "mae", ""]
    assert (cell.mean, cell.sd, cell.decimals, cell.bold, cell.asterisk) == (65.3, 15.18, 3, True, False)
    cell = published_table("table4").values["nnunet_afp_totalseg", "training_vram_mb", ""]
    assert (cell.mean, cell.sd, cell.decimals) == (10750, None, 0)
    assert published_table("table6").values["nnunet_l1_afp_totalseg", "dice", "muscles"].mean == 0.728


def test_bold_and_asterisks_are_as_printed():
    for key, bold, asterisks in (
        ("table1", 4, 6), ("table2", 5, 13), ("table3", 4, 10), ("table4", 0, 0), ("table5", 2, 0), ("table6", 4, 0)
    ):  # fmt: skip
        cells = published_table(key).values.values()
        assert (sum(c.bold for c in cells), sum(c.asterisk for c in cells)) == (bold, asterisks), key


def test_metrics_are_ours():
    for key, table in published_tables().items():
        assert {metric for _, metric, _ in table.values} <= set(
            [m.name for m in metrics_of("cost")] if key == "table4" else score_metrics()
        )


def test_unknown_table():
    with pytest.raises(ConfigError, match=r"no such table of the paper: table7\n.*table1, table2"):
        published_table("table7")

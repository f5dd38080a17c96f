import pytest

from afpbench.base.errors import ConfigError
from afpbench.study import split_columns
from afpbench.study.kinds.sources import open_source


def resolve_splits(task, root):
    split_columns.resolve_splits(task["splits"], open_source(task["data"], root))


ROWS = [("p1", "train", "A"), ("p2", "train", "B"), ("p3", "val", "A"), ("p4", "test", "B"), ("p5", "test", "A")]


def task(tmp_path, **splits):
    lines = ["case\tmr\tct\tsplit\tcentre", *(f"{case}\tm\tc\t{split}\t{centre}" for case, split, centre in ROWS)]
    (tmp_path / "cases.tsv").write_text("\n".join(lines) + "\n")
    parts = {"train": 2, "validation": 1, "test": 2, "stratify": None}
    return {"data": {"source": "table", "table": "cases.tsv", "exclude": ["p5"]}, "splits": {**parts, **splits}}


def test_official_lists(tmp_path):
    made = task(tmp_path, train="split=train", validation="split = val", test="split=test")
    resolve_splits(made, tmp_path)
    assert made["splits"] == {"train": ["p1", "p2"], "validation": ["p3"], "test": ["p4"], "stratify": None}


def test_a_column_to_stratify_by(tmp_path):
    made = task(tmp_path, stratify="centre")
    resolve_splits(made, tmp_path)
    assert made["splits"]["stratify"] == {"p1": "A", "p2": "B", "p3": "A", "p4": "B"}
    assert made["splits"]["train"] == 2


def test_numbers_alone_open_no_source(tmp_path):
    made = {"data": {"source": "table", "table": "none.tsv"}, "splits": {"train": 1, "validation": 1, "test": 1}}
    made["splits"]["stratify"] = None
    resolve_splits(made, tmp_path)


def test_values_and_columns_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match="splits.train: no case has split = 'training'\n  found: test, train, val"):
        resolve_splits(task(tmp_path, train="split=training"), tmp_path)
    with pytest.raises(ConfigError, match="no such column\n  found: site\n  expected: one of case, mr, ct, split, cen"):
        resolve_splits(task(tmp_path, stratify="site"), tmp_path)


def test_the_centre_of_synthrad(tmp_path):
    splits = {"train": "centre=A", "validation": "centre=C", "test": "centre=C", "stratify": None}
    made = {"data": {"source": "synthrad2023", "region": "pelvis"}, "splits": splits}
    resolve_splits(made, tmp_path)
    assert (len(splits["train"]), splits["train"][0], splits["test"][-1]) == (120, "1PA001", "1PC098")
    made = {"data": {"source": "sts"}, "splits": {**splits, "train": "centre=A"}}
    with pytest.raises(ConfigError, match="the source 'sts' has no such column\n  found: centre\n  expected: none"):
        resolve_splits(made, tmp_path)

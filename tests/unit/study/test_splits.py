import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import ConfigError
from afpbench.study import splits as splits_module
from afpbench.study.splits import fold_folders, make_folds, make_splits

CASES = [f"thorax_{number:03d}" for number in range(10)]


def test_the_counts_are_met_and_the_rest_is_unused():
    splits = make_splits(CASES, {"train": 5, "validation": 2, "test": 2}, 2026, "thorax")
    assert [len(splits[part]) for part in ("train", "validation", "test", "unused")] == [5, 2, 2, 1]
    assert splits["seed"] == 2026
    assert sorted(sum((splits[part] for part in ("train", "validation", "test", "unused")), [])) == CASES


def test_the_draw_is_the_documented_one():
    order = sorted(CASES)
    random.Random("7-pelvis").shuffle(order)
    splits = make_splits(CASES, {"train": 6, "validation": 1, "test": 3}, 7, "pelvis")
    assert splits["train"] == sorted(order[:6])
    assert splits["validation"] == sorted(order[6:7])
    assert splits["test"] == sorted(order[7:])


def test_task_and_seed_change_the_draw():
    counts = {"train": 5, "validation": 2, "test": 3}
    first = make_splits(CASES, counts, 1, "thorax")
    assert first != {**make_splits(CASES, counts, 2, "thorax"), "seed": 1}
    assert first != make_splits(CASES, counts, 1, "pelvis")


@settings(max_examples=30, deadline=None)
@given(st.permutations(CASES), st.integers(0, 5), st.integers(0, 4))
def test_the_order_of_the_cases_does_not_matter(cases, validation, test):
    counts = {"train": 1, "validation": validation, "test": test}
    assert make_splits(cases, counts, 3, "t") == make_splits(CASES, counts, 3, "t")


def test_too_many_says_what_is_there():
    with pytest.raises(ConfigError) as error:
        make_splits(CASES, {"train": 150, "validation": 30, "test": 30}, 1, "pelvis")
    message = str(error.value)
    assert "task pelvis: splits ask for more cases than there are" in message
    assert "found: 10 cases" in message
    assert "210 (150 train + 30 validation + 30 test)" in message


def test_no_training_case_is_refused():
    with pytest.raises(ConfigError, match="at least 1 training case"):
        make_splits(CASES, {"train": 0, "validation": 1, "test": 1}, 1, "t")
    with pytest.raises(ConfigError, match="no negative number"):
        make_splits(CASES, {"train": 2, "validation": -1, "test": 1}, 1, "t")


def test_a_repeated_id_is_refused():
    with pytest.raises(ConfigError, match="more than once\n  found: p1"):
        make_splits(["p1", "p2", "p1"], {"train": 1, "validation": 1, "test": 1}, 1, "t")


def test_explicit_lists():
    lists = {"train": ["thorax_003", "thorax_001"], "validation": [], "test": ["thorax_002"]}
    splits = make_splits(CASES, lists, 1, "thorax")
    assert splits["train"] == ["thorax_001", "thorax_003"]
    assert splits["test"] == ["thorax_002"]
    assert len(splits["unused"]) == 7


def test_explicit_lists_that_overlap_name_the_case():
    with pytest.raises(ConfigError, match="case thorax_001 is in two parts of the split\n  found: train and test"):
        make_splits(CASES, {"train": ["thorax_001"], "validation": [], "test": ["thorax_001"]}, 1, "thorax")


def test_explicit_lists_with_an_unknown_id():
    with pytest.raises(ConfigError, match="splits.test names cases that the source does not have\n  found: p9"):
        make_splits(CASES, {"train": ["thorax_001"], "validation": [], "test": ["p9"]}, 1, "thorax")


def test_an_explicit_list_that_repeats_an_id():
    with pytest.raises(ConfigError, match="splits.train: a case id stands there more than once"):
        make_splits(CASES, {"train": ["thorax_001"] * 2, "validation": [], "test": []}, 1, "thorax")


def test_an_empty_explicit_training_list():
    with pytest.raises(ConfigError, match="splits.train is empty"):
        make_splits(CASES, {"train": [], "validation": [], "test": ["thorax_001"]}, 1, "thorax")


def test_numbers_and_lists_do_not_mix():
    with pytest.raises(ConfigError, match="mixes numbers and lists"):
        make_splits(CASES, {"train": 3, "validation": 1, "test": ["thorax_001"]}, 1, "thorax")


def test_strata_are_in_every_part_in_proportion():
    cases = [f"a{i:02d}" for i in range(20)] + [f"b{i:02d}" for i in range(10)]
    strata = {case: case[0] for case in cases}
    made = make_splits(cases, {"train": 15, "validation": 6, "test": 9, "stratify": strata}, 3, "t")
    counts = {part: sum(case[0] == "b" for case in made[part]) for part in ("train", "validation", "test")}
    assert counts == {"train": 5, "validation": 2, "test": 3}
    assert made["unused"] == []
    again = make_splits(cases[::-1], {"train": 15, "validation": 6, "test": 9, "stratify": strata}, 3, "t")
    other = make_splits(cases, {"train": 15, "validation": 6, "test": 9, "stratify": strata}, 4, "t")
    assert again == made and other["train"] != made["train"]


def test_without_strata_nothing_changes():
    cases = [f"c{i}" for i in range(12)]
    counts = {"train": 6, "validation": 2, "test": 3}
    assert make_splits(cases, {**counts, "stratify": None}, 5, "t") == make_splits(cases, counts, 5, "t")


FOLDS = {"train": None, "validation": 2, "test": None, "folds": 3, "stratify": None}


def test_without_folds_there_is_one_split_in_the_tasks_own_folder():
    splits = {"train": 5, "validation": 2, "test": 2, "folds": None, "stratify": None}
    assert fold_folders(splits) == [""]
    assert make_folds(CASES, splits, 2026, "thorax") == [make_splits(CASES, splits, 2026, "thorax")]


def test_folds_by_hand():
    """Ten cases in three folds: blocks of 4, 3 and 3 of the shuffled cases; the two after a block validate."""
    order = sorted(CASES)
    random.Random("7-pelvis").shuffle(order)
    folds = make_folds(CASES, FOLDS, 7, "pelvis")
    assert [fold["test"] for fold in folds] == [sorted(order[:4]), sorted(order[4:7]), sorted(order[7:])]
    assert [fold["validation"] for fold in folds] == [sorted(order[4:6]), sorted(order[7:9]), sorted(order[:2])]
    assert folds[2]["train"] == sorted(order[2:7]) and folds[2]["seed"] == 7 and folds[2]["unused"] == []
    assert fold_folders(FOLDS) == ["folds/0/", "folds/1/", "folds/2/"]


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 40), st.integers(2, 12), st.integers(1, 5), st.integers(0, 99))
def test_each_case_is_tested_once_and_trains_in_no_fold_that_tests_it(count, folds, validation, seed):
    cases = [f"p{number}" for number in range(count)]
    splits = {**FOLDS, "folds": folds, "validation": validation}
    if folds > count or -(-count // folds) + validation >= count:
        with pytest.raises(ConfigError, match="more cases than there are"):
            make_folds(cases, splits, seed, "t")
        return
    made = make_folds(cases, splits, seed, "t")
    assert sorted(case for fold in made for case in fold["test"]) == sorted(cases)
    for fold in made:
        assert sorted(fold["train"] + fold["validation"] + fold["test"]) == sorted(cases)
        assert len(fold["validation"]) == validation and fold["train"]
    sizes = [len(fold["test"]) for fold in made]
    assert max(sizes) - min(sizes) <= 1


def test_folds_hold_each_stratum_in_proportion():
    cases = [f"p{number:02d}" for number in range(20)]
    strata = {case: "a" if index < 12 else "b" for index, case in enumerate(cases)}
    for fold in make_folds(cases, {**FOLDS, "folds": 4, "stratify": strata}, 1, "t"):
        assert sum(strata[case] == "a" for case in fold["test"]) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": 3}, "splits.validation beside splits.folds and splits.test\n  found: 2\n"),
        ({"test": 3, "validation": None, "folds": 8}, "found: 7 cases beside the 3 that are tested"),
        ({"test": 12, "validation": None}, "splits ask for more cases than there are\n  found: 10 cases"),
        ({"test": CASES, "validation": None}, "splits.train is empty"),
        ({"test": ["p9"], "validation": None}, "splits.test names cases that the source does not have\n  found: p9"),
        ({"test": CASES[:2], "train": 3, "validation": None}, "mixes numbers and lists"),
        ({"train": ["p1"]}, "splits.train beside splits.folds"),
        ({"validation": ["p1"]}, "splits.validation beside splits.folds"),
        ({"folds": None}, "splits.test is missing\n  expected: train, validation and test, or folds and validation"),
        ({"folds": None, "train": 4}, "splits.test is missing"),
        ({"folds": 11}, "found: 10 cases\n  expected: at least one to test in each of 11 folds, 2 to validate"),
    ],
)
def test_folds_that_cannot_be(changes, message):
    with pytest.raises(ConfigError) as error:
        make_folds(CASES, {**FOLDS, **changes}, 1, "t")
    assert f"task t: {message}" in str(error.value) or message in str(error.value)


def test_where_nothing_is_trained_test_stands_alone():
    alone = {**FOLDS, "folds": None, "validation": None}
    (split,) = make_folds(CASES, {**alone, "test": CASES[1::-1]}, 1, "t")
    assert (split["train"], split["validation"], split["test"]) == ([], [], CASES[:2])
    (split,) = make_folds(CASES, {**alone, "test": 3}, 1, "t")
    assert (split["train"], len(split["test"]), len(split["unused"])) == ([], 3, 7)


TOGETHER = {**FOLDS, "validation": None, "test": 3}


def test_folds_beside_test_cases_by_hand():
    """Ten cases: three are drawn to test; the seven others in three folds, blocks of 3, 2 and 2, each of which chooses
    once."""
    order = sorted(CASES)
    random.Random("7-pelvis").shuffle(order)
    others = sorted(order[:7])
    random.Random("7-pelvis").shuffle(others)
    folds = make_folds(CASES, TOGETHER, 7, "pelvis")
    assert [fold["test"] for fold in folds] == [sorted(order[7:])] * 3
    assert [fold["validation"] for fold in folds] == [sorted(others[:3]), sorted(others[3:5]), sorted(others[5:])]
    assert folds[1]["train"] == sorted(others[:3] + others[5:]) and folds[1]["unused"] == []
    assert splits_module.is_ensemble(TOGETHER) and not splits_module.is_ensemble(FOLDS)
    assert splits_module.test_cases(folds) == sorted(order[7:])
    assert splits_module.test_cases(make_folds(CASES, FOLDS, 7, "pelvis")) == CASES


def test_folds_of_fewer_cases_than_there_are():
    folds = make_folds(CASES, {**TOGETHER, "train": 4}, 7, "pelvis")
    assert [len(fold["unused"]) for fold in folds] == [3] * 3
    named = make_folds(CASES, {**TOGETHER, "train": CASES[:3], "test": CASES[8:]}, 7, "pelvis")
    assert sorted(case for fold in named for case in fold["validation"]) == CASES[:3]
    assert named[0]["test"] == CASES[8:] and named[0]["unused"] == CASES[3:8]


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.integers(1, 8), st.integers(0, 99))
def test_no_network_of_an_ensemble_has_seen_a_test_case(count, test, seed):
    if count > 10 - test:
        return
    folds = make_folds(CASES, {**TOGETHER, "folds": count, "test": test}, seed, "t")
    chosen = [case for fold in folds for case in fold["validation"]]
    for fold in folds:
        assert fold["test"] == folds[0]["test"] and len(fold["test"]) == test
        assert sorted(fold["train"] + fold["validation"] + fold["test"]) == CASES and fold["train"]
    assert sorted(chosen) == sorted(set(CASES) - set(folds[0]["test"]))


def test_folds_of_an_ensemble_hold_each_stratum_in_proportion():
    cases = [f"p{number:02d}" for number in range(20)]
    strata = {case: "a" if index < 12 else "b" for index, case in enumerate(cases)}
    for fold in make_folds(cases, {**TOGETHER, "folds": 3, "test": 5, "stratify": strata}, 1, "t"):
        assert sum(strata[case] == "a" for case in fold["test"]) == 3
        assert sum(strata[case] == "a" for case in fold["validation"]) == 3

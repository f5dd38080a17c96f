"""Which seeds a study trains with, and what their results are called."""

import pytest
import yaml
from conftest import PROJECT, TINY_STUDY

from afpbench.study.load import StudyError, load_study
from afpbench.study.seeds import from_command_line, seed_marks, training_seeds, with_seed


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (None, {"": 7}),
        (1, {"": 7}),
        (3, {"": 7, ".seed_8": 8, ".seed_9": 9}),
        ([3, 7], {".seed_3": 3, "": 7}),
        ([5], {".seed_5": 5}),
    ],
)
def test_marks(seeds, expected):
    assert seed_marks({"seed": 7, "seeds": seeds}) == expected


def test_counting_goes_on_at_0_behind_the_last_seed():
    assert training_seeds({"seed": 2**32 - 1, "seeds": 2}) == [2**32 - 1, 0]


def test_the_command_lines_list_of_texts():
    assert from_command_line(["7", "08"]) == [7, 8] and from_command_line(3) == 3
    assert from_command_line(["x", 1]) == ["x", 1]


def test_names():
    assert with_seed("L1", ".seed_8", {"": 7, ".seed_8": 8}) == "L1, seed 8" and with_seed("L1", "", {"": 7}) == "L1"


def study(**keys):
    return yaml.safe_load(TINY_STUDY.read_text()) | keys


def test_a_preset_may_say_it_and_the_study_goes_before_it():
    presets = {"presets": {"three": {"seeds": 3, "training": {"iterations": 12}}}, "preset": "three"}
    assert load_study(study(**presets), PROJECT)["seeds"] == 3
    assert load_study(study(**presets, seeds=[1, 2]), PROJECT)["seeds"] == [1, 2]
    assert load_study(study(), PROJECT)["seeds"] is None


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "seeds: .*found: 0; allowed: a whole number from 1 to 100, or a list of different seeds"),
        ([1, 1], "seeds: given twice: 1"),
        ("three", "seeds: wrong type; found: 'three'"),
        ([-1], r"seeds\[0\]"),
        ([], "seeds: "),
    ],
)
def test_what_is_no_seed_is_refused(seeds, message):
    with pytest.raises(StudyError, match=message):
        load_study(study(seeds=seeds), PROJECT)

import pytest

from afpbench.base.shapes import COUNT, NUMBER, mismatch

SHAPE = {"case": str, "share": NUMBER, "count?": COUNT, "gpu": (str, type(None)), "runs": [{"used": bool}]}
GOOD = {"case": "p1", "share": 0.5, "gpu": None, "runs": [{"used": True, "more": 1}]}


@pytest.mark.parametrize("change", [{}, {"share": 1}, {"count": 3}, {"gpu": "a"}, {"runs": []}, {"beside": [None]}])
def test_what_fits(change):
    assert mismatch({**GOOD, **change}, SHAPE) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"case": 7}, "case is a whole number instead of text"),
        ({"share": "0.5"}, "share is text instead of a number"),
        ({"share": None}, "share is null instead of a number"),
        ({"share": True}, "share is true or false instead of a number"),
        ({"share": float("nan")}, "share is nan"),
        ({"share": float("-inf")}, "share is -inf"),
        ({"count": 2.0}, "count is a number instead of a whole number"),
        ({"gpu": 1}, "gpu is a whole number instead of text or null"),
        ({"runs": {}}, "runs is keys instead of a list"),
        ({"runs": [{"used": True}, {"used": 1}]}, "runs[1].used is a whole number instead of true or false"),
        ({"runs": [{"used": True}, {}]}, "runs[1].used is missing"),
    ],
)
def test_what_does_not_fit(change, problem):
    assert mismatch({**GOOD, **change}, SHAPE) == problem


def test_what_is_missing():
    assert mismatch({"case": "p1"}, SHAPE) == "share is missing"
    assert mismatch([], SHAPE) == "the whole is a list instead of keys"
    assert mismatch("x", dict) == "the whole is text instead of keys"

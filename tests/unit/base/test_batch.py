import logging

import pytest

from afpbench.base.batch import Batch
from afpbench.base.errors import ConfigError, DataError


def test_every_failed_case_is_named_with_its_cause_and_the_others_are_done(caplog):
    done, batch = [], Batch("export", ["p1", "p2", "p3", "p4"])
    with caplog.at_level(logging.ERROR):
        for case in batch.cases:
            with batch.case(case):
                if case == "p1":
                    raise DataError("case p1: no MR", found="nothing")
                if case == "p3":
                    raise ZeroDivisionError("division by zero")
                done.append(case)
    assert done == ["p2", "p4"]
    assert batch.causes() == {"p1": "case p1: no MR\n  found: nothing", "p3": "ZeroDivisionError: division by zero"}
    with pytest.raises(DataError) as error:
        batch.finish(kept="the others are written")
    assert str(error.value) == (
        "export: 2 of 4 cases failed\n  p1: case p1: no MR\n    found: nothing\n"
        "  p3: ZeroDivisionError: division by zero"
        "\n  hint: mend these cases or leave them out, and run it again; the others are written"
    )
    assert [bool(record.exc_info) for record in caplog.records] == [False, True]


def test_a_single_case_has_its_own_error():
    batch = Batch("metrics", ["p1"])
    with batch.case("p1"):
        raise ConfigError("no tolerance")
    with pytest.raises(ConfigError, match="^no tolerance$"):
        batch.finish(kept="")


def test_nothing_failed():
    batch = Batch("metrics", ["p1"])
    with batch.case("p1"):
        pass
    batch.finish(kept="")


def test_a_stop_by_hand_is_no_failed_case():
    batch = Batch("metrics", ["p1", "p2"])
    with pytest.raises(KeyboardInterrupt), batch.case("p1"):
        raise KeyboardInterrupt
    assert not batch.failed

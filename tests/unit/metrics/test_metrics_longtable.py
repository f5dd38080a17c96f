import math

import pandas as pd
import pytest

from afpbench.base.errors import DataError, UnusableFile
from afpbench.metrics import longtable
from afpbench.metrics.longtable import COLUMNS, failed_status, line, merge, read_long, write_long


def table(row, cases=("a", "b")):
    lines = [line("pelvis", row, case, "", "body", "mae", 0.1 + i, "ok") for i, case in enumerate(cases)]
    lines.append(line("pelvis", row, cases[0], "ts", "bones", "hd95", math.nan, "real_empty"))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def whole(row):
    """Two lines for each of two cases."""
    places = [("", "body", "mae"), ("ts", "bones", "dice")]
    lines = [line("pelvis", row, case, *place, 0.5, "ok") for case in ("a", "b") for place in places]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def test_written_and_read_back(tmp_path):
    write_long(table("l1"), tmp_path / "l1.csv")
    text = (tmp_path / "l1.csv").read_text()
    assert text.splitlines()[:2] == ["task,variant,seed,case,segmenter,structure,metric,value,status",
                                     "pelvis,l1,,a,,body,mae,0.1,ok"]  # fmt: skip
    assert text.splitlines()[-1] == "pelvis,l1,,a,ts,bones,hd95,,real_empty"
    back = read_long(tmp_path / "l1.csv")
    assert back["segmenter"].tolist() == ["", "", "ts"]
    assert back["value"].tolist()[:2] == [0.1, 1.1] and math.isnan(back["value"][2])


def test_case_ids_that_look_like_numbers_or_na_stay_text(tmp_path):
    write_long(table("l1", cases=("007", "NA")), tmp_path / "l1.csv")
    assert read_long(tmp_path / "l1.csv")["case"].tolist() == ["007", "NA", "007"]


def test_merge_keeps_the_order_given(tmp_path):
    files = [tmp_path / f"{row}.csv" for row in ("real_ct", "l1", "afp")]
    for path in files:
        write_long(whole(path.stem), path)
    assert merge(files)["variant"].tolist() == ["real_ct"] * 4 + ["l1"] * 4 + ["afp"] * 4


def test_a_file_that_lost_lines_is_not_merged(tmp_path):
    """Cut off between two lines it is a table like another, of fewer cases."""
    files = [tmp_path / f"{row}.csv" for row in ("l1", "afp")]
    for path in files:
        write_long(whole(path.stem), path)
    text = files[1].read_text().splitlines(keepends=True)
    for kept, cause in ((4, "case b has 1 lines, case a 2"), (3, "no line of case b"), (1, "no line of case a")):
        files[1].write_text("".join(text[:kept]))
        with pytest.raises(UnusableFile, match=cause) as error:
            merge(files)
        assert str(files[1]) in str(error.value)


def test_a_failed_case_may_have_fewer_lines(tmp_path):
    failed = line("pelvis", "l1", "c", "", "body", "mae", math.nan, "failed: no overlap")
    write_long(pd.DataFrame([*whole("l1").to_dict("records"), failed], columns=list(COLUMNS)), tmp_path / "l1.csv")
    assert len(merge([tmp_path / "l1.csv"])) == 5


def test_failed_status_is_one_line():
    assert failed_status("no\n  overlap") == "failed: no overlap"
    assert failed_status("") == "failed: no reason was recorded"


def test_duplicates_are_refused(tmp_path):
    write_long(whole("l1"), tmp_path / "a.csv")
    write_long(whole("l1"), tmp_path / "b.csv")
    with pytest.raises(DataError, match=r"the same value twice\n.*task pelvis, variant l1, case a, structure body"):
        merge([tmp_path / "a.csv", tmp_path / "b.csv"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "dise"}, r"an unknown metric\n.*'dise' \(task pelvis.*\n.*mae, me"),
        ({"status": "fine"}, r"an unknown status\n.*'fine'"),
        ({"structure": "lung"}, r"an image metric of an unknown region\n.*'lung'.*\n.*body or volume"),
        ({"status": "failed: x"}, r"a value for a failed case"),
        ({"value": math.nan}, r"no value although the status is ok"),
    ],
)
def test_wrong_lines_are_refused(change, message):
    wrong = pd.DataFrame([line("pelvis", "l1", "a", "", "body", "mae", 1, "ok") | change], columns=list(COLUMNS))
    with pytest.raises(DataError, match=message):
        longtable.check_long(wrong)


def test_refused_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_long(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no files to merge"):
        merge([])
    (tmp_path / "columns.csv").write_text("task,value\npelvis,1\n")
    with pytest.raises(DataError, match=r"columns.csv: wrong columns\n.*task, value\n.*task, variant, seed, case"):
        read_long(tmp_path / "columns.csv")
    (tmp_path / "text.csv").write_text(",".join(COLUMNS) + "\npelvis,l1,,a,,body,mae,much,ok\n")
    with pytest.raises(DataError, match="text.csv: a value is not a number"):
        read_long(tmp_path / "text.csv")

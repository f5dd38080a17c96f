"""The CSV files of a study, cut off and edited: never another number, and never a traceback."""

import math

import pytest

from afpbench.base.errors import DataError, UnusableFile
from afpbench.figures.curves import read_curves
from afpbench.metrics import statistics
from afpbench.metrics.accuracy import read_accuracy
from afpbench.metrics.csv_file import read_csv
from afpbench.metrics.longtable import COLUMNS, read_long

LONG = ",".join(COLUMNS) + "\nthorax,l1,,p1,,body,mae,23.86,ok\nthorax,l1,,p2,,body,mae,41.25,ok\n"
STATISTICS = (
    ",".join(statistics.COLUMNS)
    + "\nthorax,,body,mae,afp,l1,8,0,-1.5,-2,-1,3,0.0391,0.0391,-0.8,better,True,exact,1,-1.5,,,,,0.125\n"
)
ACCURACY = "task,case,segmenter,structure,metric,value,status\nthorax,p1,navi,airways,dice,0.5,ok\n"
CURVES = "epoch,iteration,train_loss\n0,2,1.25\n1,4,1.5\n"
READERS = {"metrics.csv": (read_long, LONG), "statistics.csv": (statistics.read_statistics, STATISTICS),
           "accuracy.csv": (read_accuracy, ACCURACY), "curves.csv": (read_curves, CURVES)}  # fmt: skip


@pytest.fixture(params=READERS)
def file(request, tmp_path):
    """(path, its reader, its text) of each kind of CSV file, whole."""
    reader, text = READERS[request.param]
    path = tmp_path / request.param
    path.write_text(text)
    return path, reader, text


def test_whole_files(file):
    path, reader, text = file
    assert len(reader(path)) == text.count("\n") - 1


def test_a_file_that_is_cut_off_anywhere_is_an_error_or_has_fewer_lines(file):
    """Never a line with a shorter number: 23.86 must not become 23."""
    path, reader, text = file
    whole = reader(path).astype(object)
    for length in range(len(text)):
        path.write_text(text[:length])
        try:
            found = reader(path).astype(object)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert text[length - 1] == "\n" and found.equals(whole.iloc[: len(found)])


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"\xff\xfe\n", "it is not text in UTF-8"),
        (b"\0\0\0\n", "has no column|wrong columns|is no CSV"),
        (b'a,"b\n', "is no CSV"),
    ],
)
def test_something_else_than_a_table(file, content, cause):
    path, reader, _ = file
    path.write_bytes(content)
    with pytest.raises(DataError, match=cause) as error:
        reader(path)
    assert str(path) in str(error.value)


def test_a_cell_too_few_or_too_many(file):
    path, reader, text = file
    for changed in (text[:-1].rpartition(",")[0] + "\n", text[:-1] + ",\n"):
        path.write_text(changed)
        with pytest.raises(UnusableFile, match=rf"line {text.count(chr(10))} has \d+ cells, the header \d+"):
            reader(path)


def test_a_folder_and_nothing_in_the_place_of_a_file(file):
    path, reader, _ = file
    path.unlink()
    with pytest.raises(DataError, match=str(path)):
        reader(path)
    path.mkdir()
    with pytest.raises(DataError, match=str(path)):
        reader(path)


def test_text_for_a_number(file):
    path, reader, text = file
    last = text[:-1].rpartition("\n")[2]
    number = next(cell for cell in last.split(",") if "." in cell)
    path.write_text(text.replace(last, last.replace(number, "many")))
    with pytest.raises(DataError, match="many"):
        reader(path)


@pytest.mark.parametrize("name", ["statistics.csv", "accuracy.csv", "curves.csv"])
def test_a_column_that_is_gone(tmp_path, name):
    reader, text = READERS[name]
    path = tmp_path / name
    path.write_text("\n".join(line.partition(",")[2] for line in text.splitlines()) + "\n")
    with pytest.raises(UnusableFile, match="it has no column"):
        reader(path)


def test_numbers_keep_their_digits_and_empty_cells_their_kind(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("name,value,flag\nNA,0.1000000000000000055,True\n,,False\n", newline="\r\n")
    table = read_csv(path, ("name",), text=("name",))
    assert table["name"].tolist() == ["NA", ""] and table["flag"].tolist() == [True, False]
    assert table["value"].iloc[0] == 0.1 and math.isnan(table["value"].iloc[1])

import pytest

from afpbench.base.errors import ConfigError
from afpbench.study.kinds.sources import open_source
from afpbench.study.kinds.sources.case_table import read_table

TEXT = "case\tmr\tct\tmask\tcentre\np01\tp01/mr.mha\t/data/p01 ct.nii.gz\t\tA\np02\tmr2.nii\tct2.nii\tm2.nii\tB\n"


def written(tmp_path, text, name="cases.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problem(tmp_path, text, name="cases.tsv"):
    with pytest.raises(ConfigError) as error:
        read_table(written(tmp_path, text, name))
    return str(error.value)


def test_paths_start_from_the_table_and_empty_values_are_no_files(tmp_path):
    table = read_table(written(tmp_path, TEXT))
    assert list(table.rows) == ["p01", "p02"]
    assert table.files("p01") == {"mr": tmp_path / "p01/mr.mha", "ct": tmp_path.__class__("/data/p01 ct.nii.gz")}
    assert table.files("p02")["mask"] == tmp_path / "m2.nii"
    assert table.column("centre") == {"p01": "A", "p02": "B"}


def test_commas_byte_order_mark_blank_lines_and_carriage_returns(tmp_path):
    text = b"\xef\xbb\xbf" + TEXT.replace("\t", ",").replace("\n", "\r\n").encode() + b"\r\n"
    assert list(read_table(written(tmp_path, text, "cases.csv")).rows) == ["p01", "p02"]


def test_a_changed_table_is_read_again(tmp_path):
    assert len(read_table(written(tmp_path, TEXT)).rows) == 2
    assert len(read_table(written(tmp_path, TEXT + "p03\ta\tb\t\tA\n")).rows) == 3


def test_a_missing_table(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the table of cases .*none.tsv\n  found: No such file"):
        read_table(tmp_path / "none.tsv")


def test_text_that_is_not_utf8(tmp_path):
    assert "expected: text in UTF-8" in problem(tmp_path, "case\tmr\tct\np1\tJos\xe9\tb\n".encode("latin-1"))


@pytest.mark.parametrize("text", ["", "case\tmr\n", "case,mr,ct\np1,a,b\n", "case\tmr\tct\tmr\n"])
def test_a_header_without_the_columns(tmp_path, text):
    message = problem(tmp_path, text)
    assert "the first line does not name the columns" in message
    assert "columns are parted by tabs" in message


def test_a_line_with_too_few_values(tmp_path):
    message = problem(tmp_path, "case\tmr\tct\np01\ta\n")
    assert "cases.tsv, line 2: another number of columns than the first line" in message
    assert "found: 2 values\n  expected: 3: case, mr, ct" in message


def test_a_case_without_its_ct(tmp_path):
    assert "cases.tsv, line 2: case p01 has no CT\n  found: an empty value" in problem(
        tmp_path, "case\tmr\tct\np01\ta\t\n"
    )


def test_two_cases_with_one_id(tmp_path):
    message = problem(tmp_path, "case\tmr\tct\np01\ta\tb\np02\ta\tb\np01\tc\td\n")
    assert "two lines have one case id\n  found: 'p01' in lines 2 and 4\n  expected: each id once" in message


@pytest.mark.parametrize(
    ("case", "usable"), [("p 01", "p_01"), ("a/b", "a_b"), ("../x", "x"), ("Müller", "M_ller"), ("日本", "p01")]
)
def test_ids_with_spaces_slashes_and_unicode(tmp_path, case, usable):
    message = problem(tmp_path, f"case\tmr\tct\n{case}\ta\tb\n")
    assert f"cases.tsv, line 2: not a usable case id\n  found: {case!r}" in message
    assert f"such as '{usable}'" in message


def test_an_unknown_column(tmp_path):
    with pytest.raises(ConfigError, match="no such column\n  found: center\n  expected: one of case, mr, ct, mask"):
        read_table(written(tmp_path, TEXT)).column("center")


def test_the_table_as_a_source(tmp_path):
    written(tmp_path, TEXT)
    data = {"source": "table", "table": "cases.tsv", "exclude": ["p01"]}
    assert open_source(data, tmp_path).cases() == ["p02"]
    assert open_source(data, tmp_path).files("p02")["ct"] == tmp_path / "ct2.nii"


def test_ten_thousand_cases_are_listed_at_once(tmp_path):
    lines = "".join(f"p{number:05d}\tmr/{number}.nii\tct/{number}.nii\n" for number in range(10_000))
    written(tmp_path, "case\tmr\tct\n" + lines)
    data = {"source": "table", "table": "cases.tsv", "exclude": [f"p{number:05d}" for number in range(0, 10_000, 2)]}
    cases = open_source(data, tmp_path).cases()
    assert len(cases) == 5000
    files = [open_source(data, tmp_path).files(case) for case in cases]  # would take minutes if each read the table
    assert files[-1]["mr"] == tmp_path / "mr/9999.nii"


def test_a_word_in_braces_in_a_path(tmp_path):
    message = problem(tmp_path, "case\tmr\tct\tmask\np01\tmr.nii\tct.nii\tm.nii\np02\tmr.nii\tct.nii\tm{r}.nii\n")
    assert "cases.tsv, line 3, column mask: not a usable path\n  found: {r} in m{r}.nii" in message
    assert "rename the file" in message
    read_table(written(tmp_path, "case\tmr\tct\np01\tmr{}.nii\tct}{.nii\n"))  # no wildcards to Snakemake


def test_an_ending_in_capitals(tmp_path):
    assert list(read_table(written(tmp_path, TEXT.replace("\t", ","), "CASES.CSV")).rows) == ["p01", "p02"]

"""What docs/results/compare_runs.py says of two runs, on findings and values written by hand."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "docs" / "results" / "compare_runs.py"))


def statistics(*lines: tuple[str, str, float]) -> pd.DataFrame:
    columns = ["variant", "direction", "p_holm"]
    return pd.DataFrame(lines, columns=columns).assign(
        segmenter="navi", structure="airways", metric="dice", mean_difference=0.1
    )


def test_findings_are_counted_by_what_both_runs_say():
    first = statistics(("a", "better", 0.01), ("b", "better", 0.01), ("c", "worse", 0.2), ("d", "better", 0.01))
    second = statistics(("a", "better", 0.02), ("b", "better", 0.9), ("c", "better", 0.9), ("d", "worse", 0.03))
    found = SCRIPT["findings"](first, second)
    assert SCRIPT["summary"](found, ["bf16", "float32"]) == (
        "Of 4 comparisons with the reference, 1 are findings in both runs and say the same, 1 in neither, "
        "1 in bf16 alone, 0 in float32 alone, and 1 say the opposite."
    )
    shown = SCRIPT["disagreements"](found, ["bf16", "float32"])
    assert "| b | dice | airways | better (+0.1, p 0.01) | nothing (+0.1, p 0.9) |" in shown
    assert "| d | dice | airways | better (+0.1, p 0.01) | worse (+0.1, p 0.03) |" in shown
    assert "| a |" not in shown and "| c |" not in shown


def test_untrained_rows_are_compared_value_by_value():
    def run(*values: float) -> pd.DataFrame:
        rows = [
            ("mr_linear", "", "mae"),
            ("mean_ct", "", "mae"),
            ("mr_linear", "navi", "dice"),
            ("l1", "", "mae"),
        ]
        lines = [
            {"variant": row, "case": "c1", "segmenter": by, "structure": "body", "metric": metric, "value": value}
            for (row, by, metric), value in zip(rows, values, strict=True)
        ]
        return pd.DataFrame(lines)

    text = SCRIPT["untrained_differences"](run(100.0, 50.0, 0.5, 1.0), run(100.0, 50.25, 0.5, 9.0))
    assert text == (
        "Of 2 values of images, 1 differ, by a median of 0.25 and at most by 0.25 (mae of body, mean_ct, c1). "
        "Of 1 values of segmentations, 0 differ."
    )


def test_a_value_that_one_run_alone_has_differs():
    """NaN in one run, as of a case that failed there: it is neither 0 apart nor passed over."""

    def run(value: float) -> pd.DataFrame:
        line = {"variant": "mean_ct", "case": "c1", "segmenter": "", "structure": "body", "metric": "mae"}
        return pd.DataFrame([line | {"value": value}, line | {"case": "c2", "value": float("nan")}])

    text = SCRIPT["untrained_differences"](run(1.0), run(float("nan")))
    assert text.startswith("Of 2 values of images, 0 differ. Of 0 values of segmentations, 0 differ.")
    assert text.endswith(" 1 values are in one of the runs alone.")


def test_means_stand_beside_one_another_with_the_rank_correlation():
    def table(*values: float) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "row": ["l1", "afp", "real_ct"],
                "label": ["L1", "AFP", "Real CT"],
                "kind": ["variant", "variant", "control"],
                "column": "mae",
                "metric": "mae",
                "mean": values,
            }
        )

    title, shown = SCRIPT["means"]("table1", table(110.0, 120.0, 0.0), table(130.0, 125.0, 0.0))
    assert title == "**table1**"
    assert shown.splitlines()[2:] == [
        "| L1 | 110 / 130 |",
        "| AFP | 120 / 125 |",
        "| Real CT | 0 / 0 |",
        "| τ | -1.00 |",
    ]


def test_two_studies_are_not_two_runs(tmp_path):
    (tmp_path / "a" / "thorax" / "statistics").mkdir(parents=True)
    (tmp_path / "a" / "thorax" / "statistics" / "statistics.csv").touch()
    with pytest.raises(Exception, match="not two runs of one study"):
        list(SCRIPT["_page"]({"a": tmp_path / "a", "b": tmp_path / "b"}))

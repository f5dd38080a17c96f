"""Write a page of docs/results from two finished runs of one study: what both say, and what only one of them says.

Usage: python docs/results/compare_runs.py PAGE.md NAME=RESULTS NAME=RESULTS [--title TEXT] [--note TEXT]

NAME: what tells the runs apart, such as the number format or the machine. RESULTS: a results folder. A finding is one
line of the statistics: a row against the reference, in one metric of one structure, better or worse at p < 0.05 after
Holm's correction. Rows of controls and the real CT's segmentations are made without any training of the study: what
differs there is the machine's.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from scipy import stats

from afpbench.base.errors import DataError
from afpbench.metrics.csv_file import read_csv
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import read_statistics
from afpbench.study.kinds.registry import METRICS
from afpbench.study.rows import CONTROLS

ALPHA = 0.05
CELL = ["segmenter", "structure", "metric"]
TEXT = ("row", "label", "kind", "column", "metric", "segmenter", "structure", "source", "shade", "mark")  # of a table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("runs", nargs=2, metavar="NAME=RESULTS")
    parser.add_argument("--title", default="Two runs")
    parser.add_argument("--note", default="")
    args = parser.parse_args()
    runs = {name: Path(folder) for name, _, folder in (text.partition("=") for text in args.runs)}
    page = [f"# {args.title}", args.note, *_page(runs)]
    args.page.write_text("\n\n".join(part for part in page if part) + "\n", encoding="utf-8")


def _page(runs: dict[str, Path]) -> Iterator[str]:
    first, second = runs.values()
    tasks = [path.parents[1].name for path in sorted(first.glob("*/statistics/statistics.csv"))]
    if len(runs) < 2 or not tasks or [task for task in tasks if not (second / task / "statistics").is_dir()]:
        raise DataError(f"{first} and {second} are not two runs of one study, with a name each: tasks of one: {tasks}")
    for task in tasks:
        yield f"## {task.capitalize()}"
        yield "### Before any training"
        folders = [folder / task for folder in runs.values()]
        yield untrained_differences(*(read_long(folder / "metrics" / "metrics.csv") for folder in folders))
        yield "### Findings"
        found = findings(
            *(read_statistics(folder / task / "statistics" / "statistics.csv") for folder in runs.values())
        )
        yield summary(found, list(runs))
        yield disagreements(found, list(runs))
        yield "### Means"
        yield f"Each cell: {' / '.join(runs)}. τ: Kendall's rank correlation of the trained rows between the runs."
        for path in sorted((first / task / "tables").glob("*.csv")):
            if not path.stem.endswith("_published") and (second / task / "tables" / path.name).exists():
                paths = (path, second / task / "tables" / path.name)
                yield from means(path.stem, *(read_csv(table, text=TEXT) for table in paths))


def untrained_differences(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """How far the runs are apart in the values of rows that no training of the study made, image metrics apart."""
    keys = ["variant", "case", *CELL]
    both = first.merge(second, on=keys, suffixes=("", "_second"), how="outer", indicator=True)
    both = both[both["variant"].isin(CONTROLS)]
    apart = both["value"].sub(both["value_second"]).abs()
    lines = []
    for words, part in (("images", both["segmenter"] == ""), ("segmentations", both["segmenter"] != "")):
        differ = apart[part & (apart > 0)]
        worst = both.loc[differ.idxmax()] if len(differ) else None
        text = f"Of {part.sum()} values of {words}, {len(differ)} differ"
        if worst is not None:
            text += (
                f", by a median of {differ.median():.2g} and at most by {differ.max():.3g} "
                f"({worst['metric']} of {worst['structure']}, {worst['variant']}, {worst['case']})"
            )
        lines.append(text + ".")
    alone = int((both["value"].notna() != both["value_second"].notna()).sum())
    return " ".join(lines) + (f" {alone} values are in one of the runs alone." if alone else "")


def findings(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Lines of the statistics of trained rows that both runs have, with what each says: better, worse or nothing."""
    keys = [*CELL, "variant"]
    both = first.merge(second, on=keys, suffixes=("", "_second"))
    both = both[~both["variant"].isin(CONTROLS)]
    said = {"said": _said(both, ""), "said_second": _said(both, "_second")}
    return both.assign(**said)


def _said(lines: pd.DataFrame, suffix: str) -> pd.Series:
    return lines[f"direction{suffix}"].where(lines[f"p_holm{suffix}"] < ALPHA, "nothing")


def summary(found: pd.DataFrame, names: list[str]) -> str:
    said, other = found["said"] != "nothing", found["said_second"] != "nothing"
    same = found["said"] == found["said_second"]
    return (
        f"Of {len(found)} comparisons with the reference, {(same & said).sum()} are findings in both runs and say "
        f"the same, {(~said & ~other).sum()} in neither, {(said & ~other).sum()} in {names[0]} alone, "
        f"{(~said & other).sum()} in {names[1]} alone, and {(said & other & ~same).sum()} say the opposite."
    )


def disagreements(found: pd.DataFrame, names: list[str]) -> str:
    lines = [
        [line["variant"], line["metric"], line["structure"], *(_words(line, end) for end in ("", "_second"))]
        for _, line in found[found["said"] != found["said_second"]].iterrows()
    ]
    return _markdown(["row", "metric", "of", *names], lines) if lines else ""


def _words(line: pd.Series, suffix: str) -> str:
    return f"{line[f'said{suffix}']} ({line[f'mean_difference{suffix}']:+.3g}, p {line[f'p_holm{suffix}']:.2g})"


def means(name: str, first: pd.DataFrame, second: pd.DataFrame) -> Iterator[str]:
    """A table of both runs' means, with the rank correlation of the trained rows under each column; no costs."""
    both = first.merge(second, on=["row", "column"], suffixes=("", "_second"), sort=False)
    columns = [name for name in both["column"].unique() if "cost" not in METRICS[name.partition(":")[0]].of]
    if not columns:
        return
    rows = both.drop_duplicates("row")
    lines = []
    for row, label in zip(rows["row"], rows["label"], strict=True):
        cells = both[both["row"] == row].set_index("column")
        lines.append([label, *(_cell(cells.loc[name]) if name in cells.index else "—" for name in columns)])
    trained = both[both["kind"] == "variant"]
    lines.append(["τ", *(_tau(trained[trained["column"] == name]) for name in columns)])
    yield f"**{name}**"
    yield _markdown(["row", *columns], lines)


def _cell(cell: pd.Series) -> str:
    return f"{cell['mean']:.3g} / {cell['mean_second']:.3g}"


def _tau(column: pd.DataFrame) -> str:
    score = METRICS[column["metric"].iloc[0]].score
    scores = [column[name].map(score) for name in ("mean", "mean_second")]
    return f"{stats.kendalltau(*scores).statistic:.2f}"


def _markdown(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()

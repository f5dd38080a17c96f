"""What a caption says of the metrics' definition, the losses, the choice of weights, and HU calibrations."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from ..metrics.missing import FEWEST_CASES

TEST = "The test of the asterisk is the two-sided Wilcoxon signed-rank test, over the cases that both rows have."


def loss_notes(losses: Mapping[str, Sequence[Mapping]], labels: Mapping[str, str], rows: Collection[str]) -> str:
    """One sentence of the variants among a table's rows; "" where none of them is a variant.

    "Losses: nnU-Net / L1: l1; nnU-Net / AFP: 0.5 l1 + afp (navi)."
    """
    notes = [f"{labels[row]}: {loss_words(terms)}" for row, terms in losses.items() if row in rows]
    return f"Losses: {'; '.join(notes)}." if notes else ""


def choice_notes(chosen_by: Mapping[str, str], labels: Mapping[str, str], rows: Collection[str]) -> str:
    """What the epoch of each variant's weights was chosen by, among a table's rows; "" where all have the last one.

    "Weights of the epoch with the lowest MAE on whole validation cases: nnU-Net / AFP."
    """
    of: dict[str, list[str]] = {}
    for row, words in chosen_by.items():
        if words and row in rows:
            of.setdefault(words, []).append(labels[row])
    return " ".join(f"Weights of the epoch with {words}: {', '.join(names)}." for words, names in of.items())


def loss_words(terms: Sequence[Mapping]) -> str:
    """A loss in words: `0.5 l1 + afp (navi)`."""
    return " + ".join(f"{_weight(term)}{term['term']}{_networks(term)}" for term in terms)


def definition_note(definition: str) -> str:
    """Whose definitions of the metrics were taken, by its name in the study file; "" for this benchmark's own."""
    return "" if definition == "afpbench" else f"Metrics by the definition {definition}."


def reading_notes(missing: str, structures: bool, seeds: int) -> tuple[str, ...]:
    """How to read the cells of a task's tables: said below each that stands alone, and once in a page.

    missing: `penalty` or `common`. structures: whether any column is of one. seeds: that trained each variant.
    """
    words = (comparison_note(missing, structures), seeds_note(seeds), TEST)
    return tuple(note for note in words if note)


def shades_note(alpha: float) -> str:
    """What the colours of cells mean."""
    return (
        "Dark green: the best; green, orange, red: by thirds of the column's range, in columns whose variants differ "
        f"(Friedman's test, of two the Wilcoxon test, p < {alpha:g})."
    )


def comparison_note(missing: str, structures: bool) -> str:
    """Over which cases rows are compared, and what a row counts with that finds nothing.

    missing: `penalty` or `common`. structures: whether any column is of one.
    """
    counts = {
        "penalty": "A structure that a row does not find counts with the worst value: 0, and of a distance the image's "
        "diagonal. ",
        "common": "A structure that a row does not find counts with 0; of a distance the case is left out. ",
    }
    return (counts[missing] if structures else "") + (
        f"Cells are over the cases that all variants have (n where it differs); with fewer than {FEWEST_CASES} of them "
        "nothing is compared."
    )


def seeds_note(seeds: int) -> str:
    """What the numbers of a table are of, where several seeds trained each variant; "" for one."""
    return (
        f"Each variant was trained with {seeds} seeds, and a case's value is their mean; in brackets: SD between the "
        "seeds' means over the cases."
        if seeds > 1
        else ""
    )


def calibration_notes(long: pd.DataFrame, labels: Mapping[str, str], task: str) -> str:
    """What calibration did to each row that has one, from the long table; "" where no row has.

    "HU calibrated on the validation cases: nnU-Net / AFP: HU * 0.912 - 70.4 (before: MAE 143.2, ME 73.0 HU)."
    """
    body = long[(long["task"] == task) & (long["structure"] == "body")]
    means = body.groupby(["variant", "metric"], sort=False)["value"].mean()
    rows = body.loc[body["metric"] == "calibration_slope", "variant"].unique()
    notes = [
        f"{labels.get(row, row)}: HU * {means[row, 'calibration_slope']:.3f} "
        f"{'-' if means[row, 'calibration_offset_hu'] < 0 else '+'} {abs(means[row, 'calibration_offset_hu']):.1f} "
        f"(before: MAE {means[row, 'mae_uncalibrated']:.1f}, ME {means[row, 'me_uncalibrated']:.1f} HU)"
        for row in rows
    ]
    return f"HU calibrated on the validation cases: {'; '.join(notes)}." if notes else ""


def _weight(term: Mapping) -> str:
    return "" if term["weight"] == 1 else f"{term['weight']:g} "


def _networks(term: Mapping) -> str:
    names = [entry["name"] if isinstance(entry, Mapping) else entry for entry in term.get("networks") or []]
    return f" ({', '.join(names)})" if names else ""

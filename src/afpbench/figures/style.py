"""How every figure looks and is written: sizes for print, colours that colour-blind readers can tell apart, and the
same bytes from the same inputs.

Colours: M. Okabe and K. Ito, Color Universal Design (2008).
"""

import textwrap
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

from ..base.atomic import atomic_path

WIDTH_IN = 7.2  # a page of two columns
PNG_DPI = 200
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000", "#8C8C00")
DASHES = ("-", "--", "-.", ":")
AGREE, EXTRA, MISSED = "#D9D2C5", "#D55E00", "#0072B2"
MUTED = "#6B6B6B"
HIGHLIGHT = "#F0E442"
PARAMETERS = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "pdf.fonttype": 42,
    "text.usetex": False,
    "text.parse_math": False,
}
METADATA = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "afpbench"},
    "png": {"Software": None},
}


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure, in inches; call it inside `styled()`."""
    return Figure(figsize=(width_in, height_in))


def styled():
    """The context in which figures are drawn and saved."""
    return matplotlib.rc_context(PARAMETERS)


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure atomically under each path; the format (pdf, png) follows the extension. No date, no random id."""
    for path in map(Path, paths):
        kind = path.suffix[1:]
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=PNG_DPI, metadata=METADATA[kind])


def wrapped(text: str, width: int = 18) -> str:
    """A label in lines of about `width` characters."""
    return "\n".join(textwrap.wrap(text, width)) or text


def words(text: str) -> Figure:
    """A figure of nothing but words."""
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, 110) or [""]]
    figure = new_figure(0.2 + 0.13 * len(lines))
    figure.text(0.02, 0.5, "\n".join(lines), va="center")
    return figure


def title_height(labels: Iterable[str]) -> float:
    """Inches that the wrapped titles of a row of panels need."""
    return 0.1 + 0.12 * max(wrapped(label).count("\n") + 1 for label in labels)


def colour_of(index: int) -> tuple[str, str]:
    """Colour and line style of the series `index`; both repeat, together only after 32 series."""
    return COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)]

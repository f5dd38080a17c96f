"""Draw docs/figures/dataflow.svg: the way from raw volumes to tables. Standard library only.

Run it anywhere: python docs/figures/make_dataflow.py
"""

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 1040, 540
BOX = (176, 58)
INK, PAPER = "#1f2933", "#ffffff"
FILL = {"data": "#e3edf7", "train": "#fbe8d3", "test": "#e1f1e4", "result": "#ece5f5"}
LEGEND = {"data": "every case", "train": "training cases", "test": "test cases", "result": "results"}

# name: (kind, column, row, first line, second line)
BOXES = {
    "import": ("data", 0, 0, "import_case", "checked, canonical axes"),
    "resample": ("data", 1, 0, "resample_case", "MR on the task's grid"),
    "register": ("data", 2, 0, "register_case", "CT onto MR, elastix"),
    "prepare": ("data", 3, 0, "prepare_case", "body and field of view"),
    "registration": ("result", 4, 0, "registration_table", "registration.csv"),
    "segmenter": ("train", 0, 2, "train_segmenter", "nnU-Net on real CT"),
    "normalization": ("train", 1, 2, "normalization", "statistics of CT"),
    "set": ("train", 2, 2, "training_set", "plan, patches"),
    "variant": ("train", 3, 2, "train_variant", "generator × loss"),
    "control": ("test", 4, 2, "control", "rows without a network"),
    "real": ("test", 1, 4, "segment_real", "silver standard"),
    "segment": ("test", 2, 4, "segment", "synthetic CT"),
    "synthesize": ("test", 3, 4, "synthesize", "median fusion, HU"),
    "metrics": ("result", 2, 5, "row_metrics, metrics", "metrics.csv"),
    "statistics": ("result", 3, 5, "statistics", "Wilcoxon, statistics.csv"),
    "table": ("result", 4, 5, "table", "CSV, Markdown, LaTeX, HTML"),
}
COLUMNS = [20, 222, 424, 626, 828]
ROWS = [40, 0, 182, 0, 324, 424]


def place(name: str) -> tuple[float, float]:
    """The upper left corner of a box."""
    _, column, row, *_ = BOXES[name]
    return COLUMNS[column], ROWS[row]


def side(name: str, where: str, share: float = 0.5) -> tuple[float, float]:
    """A point on a side of a box; share: how far along the side."""
    x, y = place(name)
    width, height = BOX
    return {
        "left": (x, y + share * height),
        "right": (x + width, y + share * height),
        "top": (x + share * width, y),
        "bottom": (x + share * width, y + height),
    }[where]


def path(*points: tuple[float, float], dashed: bool = False) -> str:
    """An arrow along straight lines."""
    line = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="{line}" fill="none" stroke="{INK}" stroke-width="1.4"{dash} marker-end="url(#head)"/>'


def text(x: float, y: float, words: str, size: int = 12, weight: str = "normal", anchor: str = "middle") -> str:
    """A line of text."""
    look = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(words)}</text>'


def box(name: str) -> str:
    """A rule with what it does."""
    kind, _, _, first, second = BOXES[name]
    (x, y), (width, height) = place(name), BOX
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{FILL[kind]}" stroke="{INK}"/>'
    middle = x + width / 2
    return "\n".join([shape, text(middle, y + 25, first, 13, "bold"), text(middle, y + 43, second, 11)])


def arrows() -> list[str]:
    """What goes where."""
    between = [("import", "resample"), ("resample", "register"), ("register", "prepare"), ("normalization", "set")]
    between += [("set", "variant"), ("real", "segment"), ("metrics", "statistics"), ("statistics", "table")]
    lines = [path(side(a, "right"), side(b, "left")) for a, b in between]
    lines.append(path(side("register", "top"), (512, 20), (916, 20), side("registration", "top")))
    bus = 140  # the splits: prepared cases go down to training and test
    lines.append(path(side("prepare", "bottom", 0.4), (696.4, bus), (108, bus), side("segmenter", "top")))
    lines.append(path((310, bus), side("normalization", "top")))
    lines.append(path((512, bus), side("set", "top")))
    lines.append(path(side("prepare", "bottom", 0.8), (766.8, bus), (934, bus), side("control", "top", 0.6)))
    below = 282
    start = side("segmenter", "bottom", 0.4)
    lines.append(path(start, (start[0], below), (310, below), side("real", "top")))
    lines.append(path((310, below), (650, below), side("variant", "bottom", 0.14), dashed=True))
    lines.append(path(side("variant", "bottom", 0.6), side("synthesize", "top", 0.6)))
    lines.append(path(side("synthesize", "left"), side("segment", "right")))
    lines.append(path(side("segment", "bottom"), side("metrics", "top")))
    corner = side("control", "bottom")
    lines.append(path(corner, (corner[0], 404), (570, 404), side("metrics", "top", 0.83)))
    return lines


def legend() -> list[str]:
    """The meaning of the colours."""
    lines = []
    for number, (kind, words) in enumerate(LEGEND.items()):
        x = 20 + 150 * number
        lines.append(f'<rect x="{x}" y="510" width="16" height="16" rx="3" fill="{FILL[kind]}" stroke="{INK}"/>')
        lines.append(text(x + 24, 523, words, 12, anchor="start"))
    return lines


def svg() -> str:
    """The whole picture."""
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker>'
    )
    words = [
        text(330, 132, "splits.json: seeded, training / validation / test", 11, anchor="start"),
        text(330, 276, "frozen segmenters: the AFP loss reads their features", 11, anchor="start"),
        text(906, 398, "segmented and scored like a variant", 11, anchor="end"),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' font-family="Helvetica, Arial, sans-serif" fill="{INK}">',
        "<title>The way of the data in afpbench</title>",
        f"<defs>{head}</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        *arrows(),
        *(box(name) for name in BOXES),
        *words,
        *legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("dataflow.svg").write_text(svg(), encoding="utf-8")

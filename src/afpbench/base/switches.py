"""Pictures that a reader of a page switches between by its style alone: the page's policy lets nothing run.

Radio buttons choose an option and a slice; `style.css` shows the pictures of what is chosen. All pictures of an option
along one axis stand side by side in one image, a *strip*, which is moved by the number of the slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from .html import text

MISSING = "missing"


@dataclass(frozen=True)
class Axis:
    """Slices to choose from. name: before their marks. marks: of each slice. aspect: of a picture, width by height."""

    name: str
    marks: Sequence[object]
    aspect: float


@dataclass(frozen=True)
class Frame:
    """Pictures below a title. strips: a WebP (base64) for each axis; none where they are missing."""

    title: str
    strips: Sequence[str]


@dataclass(frozen=True)
class Option:
    """What one button shows: frames side by side."""

    label: str
    frames: Sequence[Frame]


def switches(name: str, title: str, axes: Sequence[Axis], options: Sequence[Option]) -> str:
    """The buttons and all that they show; the first option is shown, in the middle slice of the first axis.

    name: of this one on its page. title: for who hears the page.
    """
    middle = len(axes[0].marks) // 2
    at = _Radios(f"{name}-at")
    parts = [f'<div class="switches" role="group" aria-label="{text(title)}">']
    for place, axis in enumerate(axes):
        parts.append(f'<span class="head">{text(axis.name)}</span>')
        parts += [
            at.button(mark, axis.name, f"axis{place} k{k}", checked=place == 0 and k == middle)
            for k, mark in enumerate(axis.marks)
        ]
    shown = _Radios(f"{name}-shown")
    parts.append('<div class="options"><span class="head">Image</span>')
    for number, option in enumerate(options):
        frames = "".join(_frame(frame, axes) for frame in option.frames)
        parts.append(shown.button(option.label, "Image", "", checked=number == 0))
        parts.append(f'<div class="shown">{frames}</div>')
    return "\n".join([*parts, "</div></div>"])


def error_scale(limit_hu: float) -> str:
    """The colours of an error map, from `-limit_hu` to `limit_hu`."""
    return f'<p class="note scale">−{limit_hu:g} HU <span></span> +{limit_hu:g} HU</p>'


class _Radios:
    """Radio buttons of one name, of which one is chosen."""

    def __init__(self, name: str):
        self.name, self.numbers = name, count()

    def button(self, label: object, of: str, kind: str, checked: bool) -> str:
        """of: what the label is one of, for who hears the page or prints it."""
        identity = f"{self.name}-{next(self.numbers)}"
        return (
            f'<input type="radio" name="{text(self.name)}" id="{text(identity)}" class="{kind}" '
            f'aria-label="{text(of)} {text(label)}"{" checked" if checked else ""}>'
            f'<label for="{text(identity)}" data-of="{text(of)}">{text(label)}</label>'
        )


def _frame(frame: Frame, axes: Sequence[Axis]) -> str:
    strips = list(frame.strips) or [""] * len(axes)
    cuts = "".join(
        _cut(frame, axis, place, strip) for place, (axis, strip) in enumerate(zip(axes, strips, strict=True))
    )
    return f'<div class="frame"><p>{text(frame.title)}</p>{cuts}</div>'


def _cut(frame: Frame, axis: Axis, place: int, strip: str) -> str:
    """One strip behind a window of the size of one picture."""
    words = f"{frame.title}; {axis.name} {', '.join(map(str, axis.marks))}, one of them shown"
    image = f'<img alt="{text(words)}" src="data:image/webp;base64,{text(strip)}">' if strip else text(MISSING)
    return f'<div class="cut axis{place}" style="--n: {len(axis.marks)}; --aspect: {axis.aspect:g}">{image}</div>'

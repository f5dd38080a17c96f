"""Diagrams of the generators, read from the modules themselves: what each part gives for a patch of 32 x 64 x 64."""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import torch
from torch import nn

from afpbench.base.atomic import read_json
from afpbench.nnunet.planning import CONFIGURATION
from afpbench.study import pretrained
from afpbench.study.kinds.registry import GENERATORS

PATCH = (32, 64, 64)
STEP, TOP, BASE, UNIT = 46, 40, 190, 24  # px: from part to part, above, the lower edge of boxes, of a halving's height
COLOURS = {"encoder": "#9db9dd", "blocks": "#c9b3e0", "decoder": "#a9d3b1", "head": "#d4d4d4"}
ROLES = {  # first word of a part's name -> its role
    **dict.fromkeys(("encoder", "stem", "down"), "encoder"),
    **dict.fromkeys(("decoder", "up"), "decoder"),
    "blocks": "blocks",
    "head": "head",
}


@dataclass(frozen=True)
class Part:
    """name: of the module. channels, size: of its output (z, y, x). takes_mr: whether the MR enters it again."""

    name: str
    channels: int
    size: tuple[int, ...]
    takes_mr: bool

    @property
    def role(self) -> str:
        """encoder, blocks, decoder or head."""
        return "head" if "seg_layers" in self.name else ROLES.get(self.name.split(".")[0], "blocks")


def parts_of(name: str) -> tuple[list[Part], int, bool]:
    """The parts of a generator in the order of the work, its number of parameters, and whether it has skips.

    Nothing is computed: the module has shapes and no values.
    """
    with torch.device("meta"):
        network = build(name)
        found: list[Part] = []
        for part, module in units(network):
            module.register_forward_hook(lambda module, given, out, part=part: found.append(seen(part, module, out)))
        network(torch.zeros(1, 1, *PATCH))
    skips = any(name.startswith("decoder.transpconvs") for name, _ in units(network))
    return found, sum(parameter.numel() for parameter in network.parameters()), skips


def build(name: str) -> nn.Module:
    """The generator with its default options; nnU-Net's U-Net as planned for a shipped network, of 32 features."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    plans = read_json(pretrained.folder() / "thorax_airways" / "plans.json")
    planned = plans["configurations"][CONFIGURATION]["architecture"]
    planned["arch_kwargs"]["features_per_stage"] = [32, 64, 128, 256]
    planned["arch_kwargs"]["n_conv_per_stage"] = [2, 2, 2, 2]
    planned["arch_kwargs"]["n_conv_per_stage_decoder"] = [2, 2, 2]
    kind = GENERATORS[name]
    chosen = kind.architecture(kind.defaults(), planned, PATCH)
    arguments = (chosen["network_class_name"], chosen["arch_kwargs"], chosen["_kw_requires_import"])
    return get_network_from_plans(*arguments, 1, 1, allow_init=False, deep_supervision=False)


def units(module: nn.Module, name: str = "", above: str = "") -> list[tuple[str, nn.Module]]:
    """The parts that are drawn: elements of lists and sequences, encoder and decoder opened; by their names."""
    children = [
        (f"{name}.{key}".lstrip("."), child)
        for key, child in module.named_children()
        if (name, key) != ("decoder", "encoder")
    ]
    found = []
    for place, child in children:
        opened = isinstance(child, (nn.ModuleList, nn.Sequential)) or hasattr(child, "stages")
        found += units(child, place) if opened else [(place, child)]
    return found


def seen(name: str, module: nn.Module, out: torch.Tensor) -> Part:
    """A part as its output shows it."""
    takes_mr = any(type(inner).__name__ == "SpadeNorm" for inner in module.modules())
    return Part(name, out.shape[1], tuple(out.shape[2:]), takes_mr)


def svg(name: str) -> str:
    """The diagram: a box for each part, as high as its resolution, with its channels below and its size above."""
    parts, parameters, skips = parts_of(name)
    width = STEP * (len(parts) + 2)
    drawn = [box(0, "MR", 1, PATCH, "#ffffff")]
    drawn += [box(place, "", part.channels, part.size, COLOURS[part.role]) for place, part in enumerate(parts, 1)]
    drawn.append(box(len(parts) + 1, "CT", 1, PATCH, "#ffffff"))
    drawn += [mr_mark(place) for place, part in enumerate(parts, 1) if part.takes_mr]
    drawn += skip_lines(parts) if skips else []
    patch = " x ".join(map(str, PATCH))
    note = f"{parameters / 1e6:.1f} million weights; channels below, voxels above; a patch of {patch}"
    more = "; MR: scale and offset of its normalisations come from the MR" if any(p.takes_mr for p in parts) else ""
    text = f'<text x="8" y="{BASE + 62}" font-size="12">{escape(note + more)}</text>'
    style = 'font-family="sans-serif" fill="#1f2933"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 560)} {BASE + 74}" {style}>'
    paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([head, paper, *drawn, legend({part.role for part in parts}), text, "</svg>"]) + "\n"


def box(place: int, word: str, channels: int, size: tuple[int, ...], colour: str) -> str:
    """A part's box with its channels and its size along x."""
    height = UNIT * (size[-1].bit_length() - 1)
    x, y = place * STEP + 10, BASE - height
    middle = x + 13
    return (
        f'<rect x="{x}" y="{y}" width="26" height="{height}" rx="3" fill="{colour}" stroke="#1f2933"/>'
        f'<text x="{middle}" y="{y - 5}" font-size="10" text-anchor="middle">{size[-1]}</text>'
        f'<text x="{middle}" y="{BASE + 14}" font-size="11" text-anchor="middle">{channels}</text>'
        f'<text x="{middle}" y="{y + 15}" font-size="11" text-anchor="middle">{word}</text>'
    )


def mr_mark(place: int) -> str:
    """The word MR in a box that the MR enters again."""
    return f'<text x="{place * STEP + 23}" y="{BASE - 6}" font-size="9" text-anchor="middle">MR</text>'


def skip_lines(parts: list[Part]) -> list[str]:
    """An arc from each stage of the encoder to the stage of the decoder that takes its output, too."""
    encoder = {part.size: place for place, part in enumerate(parts, 1) if part.role == "encoder"}
    found = []
    for place, part in enumerate(parts, 1):
        start = encoder.get(part.size)
        if part.name.startswith("decoder.stages") and start:
            x1, x2, y = start * STEP + 23, place * STEP + 23, BASE - UNIT * (part.size[-1].bit_length() - 1) - 16
            found.append(f'<path d="M{x1} {y}V{y - 8}H{x2}V{y}" fill="none" stroke="#6b7785" stroke-dasharray="4 3"/>')
    return found


def legend(roles: set[str]) -> str:
    """The words of the colours that are there."""
    words = {"encoder": "encoder", "blocks": "residual blocks", "decoder": "decoder", "head": "head"}
    marks = []
    for place, role in enumerate(role for role in words if role in roles):
        x = 10 + place * 130
        marks.append(f'<rect x="{x}" y="{BASE + 28}" width="12" height="12" fill="{COLOURS[role]}" stroke="#1f2933"/>')
        marks.append(f'<text x="{x + 17}" y="{BASE + 38}" font-size="11">{words[role]}</text>')
    return "".join(marks)


def draw(name: str, target: Path) -> None:
    """Write the diagram."""
    target.write_text(svg(name), encoding="utf-8")

"""Names of feature layers that a study asks for, checked before anything is loaded."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..messages import nearest, shown

UNET_GROUPS = ("stages", "encoder", "decoder", "all")
UNET_LAYER = re.compile(r"(encoder|decoder)\.(\d+)(?:\.\d+)?")
ENCODER_STAGE = re.compile(r"encoder\.\d+")
UNET_OTHERS = ("encoder.stem", "logits")
USUAL_STAGES = 8  # to find the name that was meant, where the number of stages is not known


def unknown_layers(what: str, layers: object, groups: Sequence[str], known: Sequence[str]) -> str | None:
    """What is wrong with the option `layers` of a loss; None where nothing is.

    what: the network's name. layers: null, the name of a group, a number of encoder stages (of layers where there is no
    encoder), or a list of names. known: every layer name.
    """
    if isinstance(layers, int):
        return _too_many(what, layers, sum(bool(ENCODER_STAGE.fullmatch(name)) for name in known) or len(known))
    words = f"{', '.join(groups)}, or a list of {', '.join(known)}"
    wrong = [name for name in _asked(layers, groups) if name not in known]
    return _line(what, wrong[0], words, [*groups, *known]) if wrong else None


def unknown_unet_layers(what: str, layers: object, folder: Path | None = None) -> str | None:
    """The same for an nnU-Net. folder: its model folder, where there is one: its plans say how many stages it has."""
    stages = stages_of(folder) if folder is not None else None
    if isinstance(layers, int):
        return _too_many(what, layers, stages)
    shown_stages = stages or USUAL_STAGES
    likely = [f"encoder.{n}" for n in range(shown_stages)] + [f"decoder.{n}" for n in range(shown_stages - 1)]
    words = f"{', '.join(UNET_GROUPS)}, or a list of names such as encoder.0, decoder.2.1, encoder.stem, logits"
    if stages:
        words += f" (it has {stages} stages: encoder.0 to encoder.{stages - 1}, decoder.0 to decoder.{stages - 2})"
    asked = _asked(layers, UNET_GROUPS)
    wrong = [name for name in asked if name not in UNET_OTHERS and not _is_unet_layer(name, stages)]
    return _line(what, wrong[0], words, [*UNET_GROUPS, *UNET_OTHERS, *likely]) if wrong else None


def _too_many(what: str, asked: int, stages: int | None) -> str | None:
    """The same for a number of stages; how many there are is not always known."""
    if stages is None or asked <= stages:
        return None
    return f"the network '{what}' has not so many stages; found: {asked}; allowed: 1 to {stages}"


def stages_of(folder: Path) -> int | None:
    """The number of encoder stages of a model folder's network; None where its plans do not say."""
    try:
        configurations = json.loads((folder / "plans.json").read_text(encoding="utf-8"))["configurations"]
        name = folder.name.split("__")[-1]
        if name not in configurations:
            (name,) = configurations
        return _stages(configurations, name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _stages(configurations: Mapping[str, Any], name: str) -> int:
    """nnU-Net 2.3 and later write `architecture`, earlier ones the kernels of each stage; either may be inherited."""
    configuration, seen = configurations[name], {name}
    while "architecture" not in configuration and "conv_kernel_sizes" not in configuration:
        name = configuration["inherits_from"]
        if name in seen:
            raise ValueError(f"a circle of configurations: {name}")
        seen.add(name)
        configuration = configurations[name]
    if "architecture" in configuration:
        return int(configuration["architecture"]["arch_kwargs"]["n_stages"])
    return len(configuration["conv_kernel_sizes"])


def _is_unet_layer(name: str, stages: int | None) -> bool:
    match = UNET_LAYER.fullmatch(name)
    if match is None or stages is None:
        return match is not None
    return int(match[2]) < (stages if match[1] == "encoder" else stages - 1)


def _asked(layers: object, groups: Sequence[str]) -> list[str]:
    """The names that are not a group's."""
    if layers is None or layers in groups:
        return []
    return list(layers) if isinstance(layers, list | tuple) else [str(layers)]


def _line(what: str, name: str, allowed: str, near: Sequence[str]) -> str:
    return f"the network '{what}' has no such layer; found: {shown(name)}; allowed: {allowed}{nearest(name, near)}"

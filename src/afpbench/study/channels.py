"""The channels of an MR, such as T1 and T2, or in and out of phase: their order, roles and names.

The first is what an MR alone is: the CT is registered to it, the body is found in it, figures show it. Its role among
the files of a case is `mr`, that of the others `mr_0001`, `mr_0002` and so on, as nnU-Net numbers channels; on disk
they are `mr.nii.gz`, `mr_0001.nii.gz`, ... in every folder of a case. Standard library only.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

FIRST = "mr"
ROLE = re.compile(r"mr(_(?!0000)\d{4})?")


def roles(names: Sequence[object]) -> tuple[str, ...]:
    """The role of each channel, of so many; `mr` alone without names: an MR of one image."""
    return (FIRST, *(f"{FIRST}_{number:04d}" for number in range(1, len(names))))


def is_mr(role: str) -> bool:
    """Whether a role is that of an MR or of one of its channels."""
    return ROLE.fullmatch(role) is not None


def title(role: str, names: Sequence[str] = ()) -> str:
    """What people call a role that `is_mr`: `MR`, of a channel with a name `MR t2`, of one without `MR (mr_0001)`."""
    number = int(role.partition("_")[2] or 0)
    return f"MR {names[number]}" if number < len(names) else "MR" if number == 0 else f"MR ({role})"


def names_of(given: Any) -> tuple[str, ...]:
    """The names of the channels where a study file gives something for each; none where it gives it once."""
    return tuple(given) if isinstance(given, Mapping) else ()


def by_role(given: Any) -> dict[str, Any]:
    """Role -> what a study file gives for it: once, for each channel by its name, or nothing (None)."""
    if given is None:
        return {}
    values = list(given.values()) if isinstance(given, Mapping) else [given]
    return dict(zip(roles(values), values, strict=True))


def schema_of(one: Mapping[str, Any], each: str) -> dict[str, Any]:
    """The schema of an option that takes `one` value, or one for each channel by its name, in the channels' order.

    each: what the value of a channel is, for the documentation.
    """
    channels = {
        "type": "object",
        "minProperties": 2,
        "propertyNames": {"$ref": "#/$defs/name"},
        "x-name": "channel",
        "x-allowed": "two channels or more by name",
        "additionalProperties": {"description": each, **_required(one)},
    }
    return {"oneOf": [dict(one), channels]}


def _required(one: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that a channel must have: never null."""
    types = one.get("type")
    kinds = [kind for kind in types if kind != "null"] if isinstance(types, list) else types
    return {**one, "type": kinds[0] if isinstance(kinds, list) and len(kinds) == 1 else kinds}

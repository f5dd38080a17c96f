"""Numbers that a YAML file does not hold as they were meant: written as text, or not finite. Standard library only."""

import math
import re
from collections.abc import Iterator


def not_finite(value: object, path: tuple = ()) -> Iterator[tuple[list, float]]:
    """Where `.nan` and `.inf` stand: comparisons with NaN pass every limit of the schema."""
    if isinstance(value, float) and not math.isfinite(value):
        yield list(path), value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from not_finite(item, (*path, key))


def number_hint(text: object, schema: dict) -> str:
    """What to write for a number that YAML has read as text: `1e-4` needs a point, and the exponent a sign."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if not isinstance(text, str) or not {"number", "integer"} & set(types):
        return ""
    try:
        number = float(text)
    except ValueError:
        pointed = text.strip().replace(",", ".", 1)
        return f"; hint: write {pointed}, with a point" if re.fullmatch(r"[-+]?\d+,\d+", text.strip()) else ""
    if not math.isfinite(number):
        return ""
    if number.is_integer() and abs(number) < 1e15:
        return f"; hint: YAML reads this as text; write {int(number)}"
    mantissa, _, exponent = text.lower().partition("e")
    if exponent:
        mantissa += "" if "." in mantissa else ".0"
        exponent = exponent if exponent[0] in "+-" else f"+{exponent}"
        return f"; hint: YAML reads this as text; write {mantissa}e{exponent}"
    return "; hint: YAML reads this as text; write it without quotes"

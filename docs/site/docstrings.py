"""The arguments in our docstrings, which are lines such as `mask: above 0 inside`, as lists in the API's pages."""

import re
from typing import Any

from griffe import Extension, Object

ARGUMENT = re.compile(r"^(\w+(?:, \w+)*): (?=\S)")


class Arguments(Extension):
    """A Griffe extension, named in mkdocs.yml."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite an object's docstring."""
        if obj.docstring:
            obj.docstring.value = "\n\n".join(listed(part) for part in obj.docstring.value.split("\n\n"))


def listed(paragraph: str) -> str:
    """A paragraph as a list, where its first line is an argument."""
    lines = paragraph.split("\n")
    if not ARGUMENT.match(lines[0]):
        return paragraph
    return "\n".join(ARGUMENT.sub(r"- `\1`: ", line) if ARGUMENT.match(line) else f"    {line}" for line in lines)

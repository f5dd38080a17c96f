"""The error messages of afpbench, read from its source without running it."""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "afpbench"
OPEN = "…"  # what a message fills in


@dataclass(frozen=True)
class Message:
    """room: the package that raises it. Where words are chosen between, both stand with a bar."""

    room: str
    text: str
    expected: str
    hint: str


def messages() -> Iterator[Message]:
    """Every message that our errors bring, with what it expects and its hint, in the order of the files."""
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and makes_error(node) and (text := words(node.args[0])).strip(f"{OPEN} :"):
                said = {keyword.arg: words(keyword.value) for keyword in node.keywords}
                yield Message(room, text, said.get("expected", ""), said.get("hint", ""))


def makes_error(call: ast.Call) -> bool:
    """Whether a call makes an error of ours, and not one of Python's own, or is one's `super().__init__`."""
    name = ast.unparse(call.func)
    ours = re.fullmatch(r"[A-Z]\w*Error", name) and not hasattr(builtins, name)
    return bool(call.args) and bool(ours or name == "super().__init__")


def words(node: ast.expr) -> str:
    """The words of an expression, with an ellipsis for each value that is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".join") and isinstance(node.args[0], ast.List):
        return words(node.func.value).join(words(part) for part in node.args[0].elts)
    if isinstance(node, ast.IfExp):
        return " | ".join(filter(None, (words(node.body), words(node.orelse))))
    return OPEN

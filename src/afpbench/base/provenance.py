"""Which code defines a result: a digest that comments, docstrings and layout do not change. Standard library only."""

import ast
import hashlib
import os
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def export_package() -> None:
    """Let every process that this one starts import the package from where it lies (PYTHONPATH)."""
    paths = [str(PACKAGE.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def code_digest(*modules: str) -> str:
    """A short digest of the meaning of modules of afpbench.

    modules: names relative to the package ("losses", "inference.fusion"); a package stands for all modules in it.
    Two states of the code with the same syntax trees, docstrings left out, have the same digest: rules take it as a
    parameter, so that a changed formula reruns what depends on it and an edited comment reruns nothing.
    """
    total = hashlib.sha256()
    for name in modules:
        base = PACKAGE.joinpath(*name.split("."))
        files = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
        for path in files:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            _drop_docstrings(tree)
            total.update(f"{path.relative_to(PACKAGE).as_posix()}\n{ast.dump(tree)}\n".encode())
    return total.hexdigest()[:16]


def _drop_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            del body[0]

"""The layout that CONTRIBUTING.md and docs/explanation/design.md describe."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "afpbench"
MODULES = sorted(PACKAGE.rglob("*.py"))
TAGS = ("kind", "source", "term")


def tag_of(side: ast.expr) -> str | None:
    """The expression whose value is a kind's name: `kind`, `entry["kind"]`, `entry.kind`."""
    if isinstance(side, ast.Name) and side.id in TAGS:
        return side.id
    if isinstance(side, ast.Attribute) and side.attr in TAGS:
        return ast.unparse(side)
    if isinstance(side, ast.Subscript) and isinstance(side.slice, ast.Constant) and side.slice.value in TAGS:
        return ast.unparse(side)
    return None


def comparisons(tree: ast.AST) -> Counter[str]:
    """How often each such expression is compared with a text."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides):
                found.update(tag for side in sides if (tag := tag_of(side)))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_short_and_asks_no_chain_of_kinds(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    if "kinds" not in path.parts:
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        assert not [f.name for f in functions if any(count >= 3 for count in comparisons(f).values())]


def test_the_chain_is_found_where_there_is_one():
    chain = (
        "def f(x):\n    if x['kind'] == 'a':\n        return 1\n    return 2 if x['kind'] == 'b' else x['kind'] == 'c'"
    )
    assert comparisons(ast.parse(chain)) == {"x['kind']": 3}


def test_the_packages_root_is_empty():
    assert sorted(path.name for path in PACKAGE.glob("*.py")) == ["__init__.py", "__main__.py"]


def test_what_the_rules_share_is_short():
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) < 80


def test_every_room_has_its_tests_and_its_line_in_contributing():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    tests = {path.name for path in (ROOT / "tests/unit").iterdir() if path.is_dir()}
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert rooms <= tests
    assert not [room for room in rooms if f"{room}/" not in contributing]


def test_no_two_test_files_have_one_name():
    """pytest imports them by their names alone: of two it would collect one, and stop at the other."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "__init__.py")
    assert not [name for name, count in names.items() if count > 1]

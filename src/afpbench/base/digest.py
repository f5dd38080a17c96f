"""Which code defines a result: a digest of a module and of everything that it imports. Standard library only.

Two states of the code with the same meaning have the same digest: comments, docstrings, layout, and what stands under
the key "description" of a dict do not count. Rules take it as a parameter, so that a changed formula reruns what
depends on it, and an edited comment reruns nothing. Dates of files do not count either.
"""

import ast
import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .atomic import write_json
from .errors import AfpbenchError
from .package import PACKAGE

OWN = PACKAGE.name
LAZY = "_EXPORTS"  # a package's dict of names that it imports when they are asked for: name -> module
# What changes no result, whoever imports it: planning, whose outcome a rule's other parameters hold, and plumbing.
PLUMBING = ("errors", "log", "atomic", "digest", "package")
NEUTRAL = {OWN, f"{OWN}.study", *(f"{OWN}.base.{name}" for name in PLUMBING)}
KINDS = f"{OWN}.study.kinds"


@dataclass(frozen=True)
class Source:
    """What counts of one file. meaning: its digest. imports: (level, module, names) of each import in it. exports:
    `_EXPORTS`."""

    meaning: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    exports: dict[str, str]


class Store:
    """What is known of sources, by the digest of a file's bytes; kept in a file too, where one is named."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.file: Path | None = None
        self.saved = 0


_store = Store()


def digest(*modules: str | Path, without: Iterable[str] = ()) -> str:
    """A short digest of the meaning of modules and of what they import, wherever in them.

    modules: full names ("afpbench.inference.fusion"), or files. Followed are imports of this package, less those that
    are neutral, and of the module's own top-level package. Raises ImportError for a module that is not there.
    """
    return _digest(modules, tuple(without))


@functools.cache
def _digest(modules: tuple[str | Path, ...], without: tuple[str, ...]) -> str:
    """Once for each rule and kind, not for each of its jobs."""
    lines = sorted(
        f"{label(name, path)} {source(path).meaning}" for name, path in closure(*modules, without=without).items()
    )
    _save()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def closure(*modules: str | Path, without: Iterable[str] = ()) -> dict[str, Path]:
    """Name -> file, of modules and of what they import; a file that was given goes by its path."""
    found: dict[str, Path] = {}
    for module in modules:
        path = module if isinstance(module, Path) else find(module)
        if path is None or not path.is_file():
            raise ImportError(f"there is no module {module} to take a digest of")
        found[str(module)] = path
    waiting = list(found.items())
    while waiting:
        for name, path in _imported(*waiting.pop()):
            if name not in found and name not in without:
                found[name] = path
                waiting.append((name, path))
    return found


def label(name: str, path: Path) -> str:
    """How a module is called in a digest: files by their own names, wherever they lie."""
    is_module = path.name == "__init__.py" or name.endswith(f".{path.stem}")
    return name if is_module else path.stem


@functools.cache
def source(path: Path) -> Source:
    """What counts of a file, as it is when it is first asked for."""
    content = path.read_bytes()
    key = hashlib.sha256(content).hexdigest()
    if key not in _store.sources:
        _store.sources[key] = _read(content, path)
    return _store.sources[key]


@functools.cache
def find(module: str) -> Path | None:
    """The file of a module, which is not imported; None where there is none (a namespace package, a C extension)."""
    top, *rest = module.split(".")
    if not rest and (loaded := getattr(sys.modules.get(module), "__file__", None)):
        return Path(loaded)
    if top == OWN:
        folder = PACKAGE
    else:
        spec = importlib.util.find_spec(top)
        if spec is None or not spec.submodule_search_locations:
            return Path(spec.origin) if spec and spec.origin and not rest else None
        folder = Path(next(iter(spec.submodule_search_locations)))
    base = folder.joinpath(*rest)
    candidates = (base / "__init__.py", base.with_suffix(".py") if rest else base)
    return next((path for path in candidates if path.is_file()), None)


def is_neutral(module: str) -> bool:
    """Whether a module that another one imports counts for nothing. What a kind inherits from another one counts."""
    if module.startswith(f"{KINDS}.") and module.count(".") > KINDS.count(".") + 1:
        return False
    return module in NEUTRAL or module.startswith(f"{OWN}.study.")


def keep_in(file: Path) -> None:
    """Read from a file what is known of sources already, and write there what is found from now on.

    It goes by the content of sources, so it may be deleted, copied or shared at any time. To parse the whole package
    takes a second or two, and every job plans its study again.
    """
    known = _load(file)
    _store.sources.update(known)
    _store.file, _store.saved = file, len(known)


def forget() -> None:
    """Look at every file anew: for processes in which the code changes (tests)."""
    for known in (source, find, _digest):
        known.cache_clear()


def _imported(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The modules that one imports and that count, with their packages."""
    own = name.partition(".")[0] if label(name, path) == name else ""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for level, module, names in source(path).imports:
        base = _absolute(level, module, package)
        if base.partition(".")[0] not in {OWN, own} - {""}:
            continue
        for candidate in _candidates(base, names):
            if not is_neutral(candidate) and (place := find(candidate)) is not None:
                yield candidate, place


def _absolute(level: int, module: str, package: str) -> str:
    if not level:
        return module
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, module] if module else parts)


def _candidates(base: str, names: Iterable[str]) -> Iterator[str]:
    """The packages that hold a module, the module, and the modules that the names are or come from."""
    parts = base.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    place = find(base)
    exports = source(place).exports if place is not None else {}
    for name in names:
        yield f"{base}.{name}"
        if name in exports:
            yield from _candidates(_absolute(1, exports[name].lstrip("."), base), ())


def _read(content: bytes, path: Path) -> Source:
    tree = ast.parse(content, str(path))
    imports: list[tuple[int, str, tuple[str, ...]]] = []
    exports: dict[str, str] = {}
    words: list[str] = []
    _collect(tree, words, imports)
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == LAZY for t in node.targets):
            exports = ast.literal_eval(node.value)
    return Source(hashlib.sha256("\n".join(words).encode()).hexdigest(), tuple(imports), exports)


def _collect(node: ast.AST, words: list[str], imports: list[tuple[int, str, tuple[str, ...]]]) -> None:
    """Append what counts of a node, and its imports. Absent fields are left out: versions of Python differ in them."""
    words.append(type(node).__name__)
    if isinstance(node, ast.Import):
        imports.extend((0, alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    for field, value in ast.iter_fields(node):
        if value is None or value == []:
            continue
        words.append(field)
        if isinstance(value, list):
            for item in _counted(node, field, value):
                _collect(item, words, imports) if isinstance(item, ast.AST) else words.append(repr(item))
            words.append("]")
        elif isinstance(value, ast.AST):
            _collect(value, words, imports)
        else:
            words.append(repr(value))


def _counted(node: ast.AST, field: str, items: list) -> list:
    """The items of a field that count: no docstring, no description, nothing that only type checkers read."""
    if field == "body":
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return []
        first = items[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            return items[1:]
    if field == "values" and isinstance(node, ast.Dict):
        described = [isinstance(key, ast.Constant) and key.value == "description" for key in node.keys]
        return [item for item, left_out in zip(items, described, strict=True) if not left_out]
    return items


@functools.cache
def _format() -> str:
    """What the digests of sources depend on besides the sources: this file, and the syntax of this Python."""
    return f"{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()} {sys.version_info[:2]}"


def _load(file: Path) -> dict[str, Source]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _format():
            return {}
        return {
            key: Source(meaning, tuple((level, module, tuple(names)) for level, module, names in imports), exports)
            for key, (meaning, imports, exports) in content["sources"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # absent, of another version, or damaged: it is made anew


def _save() -> None:
    if _store.file is None or len(_store.sources) == _store.saved:
        return
    sources = {key: [item.meaning, item.imports, item.exports] for key, item in _store.sources.items()}
    try:
        write_json(_store.file, {"format": _format(), "sources": sources})
    except (OSError, AfpbenchError):  # a folder that cannot be written: it only takes longer
        _store.file = None
    _store.saved = len(_store.sources)

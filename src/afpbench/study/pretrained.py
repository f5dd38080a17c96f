"""The networks that come with the package: `pretrained:NAME` where a study file takes the path of a network.

Standard library only: read when a study is planned.
"""

from importlib import resources
from pathlib import Path

PREFIX = "pretrained:"


def folder() -> Path:
    """Where they lie."""
    return Path(str(resources.files("afpbench") / "pretrained"))


def names() -> list[str]:
    """All there are."""
    return sorted(path.name for path in folder().iterdir() if (path / "README.md").is_file())


def path_of(path: str, root: Path) -> str | None:
    """The path that `pretrained:NAME`, or `pretrained:NAME/FILE`, stands for; None for another path.

    root: where relative paths start; a folder in it is given relative to it, so that results name no folder of one
    machine. A name that does not exist gives a path that does not, which is a problem of the entry that asks for it.
    """
    if not path.startswith(PREFIX):
        return None
    found, here = (folder() / path.removeprefix(PREFIX)).resolve(), root.resolve()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)


def name_of(path: str, root: Path) -> str | None:
    """NAME or NAME/FILE of a path that `path_of` gave; None for any other path. root: as there."""
    found, here = (root / path).resolve(), folder().resolve()
    return str(found.relative_to(here)) if here in found.parents else None

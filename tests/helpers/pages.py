"""The examples of the documentation, as files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from afpbench.study.kinds.registry import use_extensions

ROOT = Path(__file__).parents[2]


def example(page: str, folder: Path) -> Path:
    """Write the Python example of a page (relative to docs/) as an extension file into the folder."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    path = folder / f"{Path(page).stem.replace('-', '_')}.py"
    path.write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), encoding="utf-8")
    return path


def study_part(page: str) -> dict:
    """The part of a study file that a page shows."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))


@contextmanager
def in_use(*files: Path) -> Iterator[None]:
    """Use these extension files, and none afterwards."""
    try:
        use_extensions(files, ROOT)
        yield
    finally:
        use_extensions([], ROOT)

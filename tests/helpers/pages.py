"""The examples of the documentation, as files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from afpbench.study.kinds.registry import use_extensions

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        ".github/*.md",
        "docs/**/*.md",
        "config/*.md",
        "pretraining/*.md",
        "benchmarks/**/*.md",
        "src/**/*.md",
        "tests/**/*.md",
    )  # fmt: skip
    for path in ROOT.glob(pattern)
)
NOT_RUN = re.compile(r"^<!-- not run: .+ -->$")  # before a block that no test can try, with the reason


@dataclass(frozen=True)
class Block:
    """A block of code. language: of a fence, "" of an indented one. not_run: whether the page says so above it."""

    line: int
    language: str
    text: str
    not_run: bool


def blocks(text: str) -> list[Block]:
    """The blocks of a page: fenced ones, and indented ones, which begin below an empty line."""
    found: list[Block] = []
    lines = text.splitlines()
    mark, place = "", 0
    while place < len(lines):
        line, start = lines[place], place
        if fence := re.match(r"^( *)```(\w*)$", line):
            place = next(n for n in range(place + 1, len(lines)) if lines[n].strip() == "```")
            found.append(Block(start + 1, fence[2], "\n".join(lines[start + 1 : place]), bool(NOT_RUN.match(mark))))
        elif re.match(r" {4}\S| {4,}[a-z]", line) and (start == 0 or not lines[start - 1].strip()):
            while place + 1 < len(lines) and lines[place + 1].startswith("    "):
                place += 1
            found.append(Block(start + 1, "", "\n".join(lines[start : place + 1]), bool(NOT_RUN.match(mark))))
        mark = line if line.strip() else mark
        place += 1
    return found


def extension_files(page: Path, folder: Path) -> list[Path]:
    """The Python blocks of a page that define kinds, each as a file in the folder."""
    texts = [block.text for block in blocks(page.read_text(encoding="utf-8")) if block.language == "python"]
    kinds = [text for text in texts if re.search(r"^class .*:\n(?:.*\n)*?    name[ ,]", text, re.MULTILINE)]
    files = [folder / f"example_{number}.py" for number in range(len(kinds))]
    for file, text in zip(files, kinds, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


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

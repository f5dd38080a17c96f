"""Where the repository's pages stand in the site: places, links, menu, and the pages that are made of the code.

Standard library only.
"""

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from messages import Message, messages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PLACES = {  # page in the repository -> page in the site; those below docs/ keep their place
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "config/README.md": "reference/study-file.md",
    "pretraining/README.md": "reference/shipped-segmenters.md",
    "benchmarks/README.md": "reference/benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
FILES = "files"  # where other files of the repository lie in the site, once a page links to them
API = "reference/api"
MESSAGES = "reference/messages.md"
FOLDERS = {"how-to": "How to", "reference": "Reference", "explanation": "Explanation", "results": "Results"}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
ROOMS = {  # the API's pages: a package of src/afpbench -> its title
    "study": "Planning a study, and its kinds",
    "volumes": "Volumes",
    "data": "Data",
    "registration": "Registration",
    "phantom": "The phantom",
    "features": "Feature networks",
    "losses": "Losses",
    "generators": "Generators",
    "training": "Training",
    "segmenters": "Segmenters",
    "prediction": "Prediction",
    "inference": "Inference",
    "metrics": "Metrics",
    "tables": "Tables",
    "base": "Errors, logs, files",
}


def github_anchor(heading: str, separator: str = "-") -> str:
    """The anchor that GitHub gives a heading: letters, digits, hyphens; a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def menu(index: str) -> list:
    """The menu that an index means: **Section**, and the pages of the list below it, [API] below the reference.

    A page that the index does not name stands at the end of the section of its folder.
    """
    sections: dict[str, list] = {"Start": ["index.md", "tutorial.md", "contents.md"]}
    pages = sections["Start"]
    for title, line in re.findall(r"^(?:\*\*(.+?)\*\*|- (.*))", index, re.MULTILINE):
        if title:
            pages = sections.setdefault(title, [])
        elif (link := LINK.search(line)) and (place := place_of("docs/README.md", link[2])):
            pages.append(place)
    sections["Start"] += ["contributing.md", "changelog.md"]
    named = {place for pages in sections.values() for place in pages}
    ours = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    for place in [*ours, *PLACES.values()]:
        if place not in {*named, "README.md"}:
            sections.setdefault(FOLDERS.get(place.partition("/")[0], "Start"), []).append(place)
    sections["Reference"] += [MESSAGES, {"API": [place for place, _ in api_pages()]}]
    return [{title: pages} for title, pages in sections.items()]


def api_pages() -> Iterator[tuple[str, str]]:
    """The API's pages: an overview, and one for each room with all of its modules."""
    rooms = "\n".join(f"- [{title}]({room}.md): `afpbench.{room}`" for room, title in ROOMS.items())
    text = "From the docstrings of the code. Arrays are z, y, x; units stand in names (`_mm`, `_hu`)."
    yield f"{API}/index.md", f"# API\n\n{text}\n\n{rooms}\n"
    for room, title in ROOMS.items():
        modules = "\n\n".join(f"::: {name}" for name in modules_of(room))
        yield f"{API}/{room}.md", f"# {title}\n\n{modules}\n"


def messages_page() -> str:
    """Every message with what it expects and its hint, by the room that says it."""
    rooms: dict[str, list[str]] = {}
    for message in messages():
        rooms.setdefault(message.room, []).append(message_entry(message))
    head = (
        "# Every message\n\nRead from the code; … stands for what a message fills in, a bar for a choice of words.\n\n"
    )
    return head + "\n\n".join(f"## {room}\n\n" + "\n".join(entries) for room, entries in rooms.items())


def message_entry(message: Message) -> str:
    """A line of a list: the message, and below it what is expected and the hint."""
    details = {"expected": message.expected, "hint": message.hint}
    more = "; ".join(f"{name}: {text}" for name, text in details.items() if text.strip("… "))
    return f"- **{plain(message.text)}**" + (f" <br>{plain(more)}" if more else "")


def plain(text: str) -> str:
    """Text as it is, on one line, whatever Markdown or HTML would make of it."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"[*_`\[\]\\]", lambda found: f"&#{ord(found[0])};", escaped)


def modules_of(room: str) -> Iterator[str]:
    """The modules of a room, by name. nnU-Net's trainers are loaded by file, and hold nothing that others call."""
    source = ROOT / "src"
    for path in sorted((source / "afpbench" / room).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if path.stat().st_size and "trainers" not in parts and not path.stem.startswith("_"):
            yield ".".join(parts)


def source_of(place: str) -> str:
    """Where a page of the site is in the repository."""
    return {moved: source for source, moved in PLACES.items()}.get(place, f"docs/{place}")


def place_of(here: str, target: str) -> str | None:
    """Where in the site the target of a link lies that stands in the file `here`; None for other hosts and anchors."""
    path = target.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    if (ROOT / path / "README.md").is_file():
        path += "/README.md"
    if not (ROOT / path).is_file():
        return None
    if path.startswith("docs/") and not path.endswith(".py"):
        return PLACES.get(path, path.removeprefix("docs/"))
    return PLACES.get(path, f"{FILES}/{path}")


def spaced_lists(markdown: str) -> str:
    """GitHub begins a list right below a paragraph; Python-Markdown wants an empty line between them."""
    return re.sub(r"^(\*\*.+\*\*)\n(?=- )", r"\1\n\n", markdown, flags=re.MULTILINE)

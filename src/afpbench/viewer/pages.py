"""What the viewer answers to an address: the page and its parts, the study, cases, images. Knows nothing of HTTP."""

import json
from dataclasses import dataclass
from importlib import resources
from urllib.parse import unquote

from ..base.errors import AfpbenchError, ConfigError
from .case import CaseView, TaskView
from .errors import error_file
from .folder import ResultsFolder

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "gz": "application/gzip",
}
IMAGE_ENDING = ".nii.gz"


@dataclass(frozen=True)
class Page:
    """An answer. ending: a key of TYPES. found: whether there is such a thing."""

    content: bytes
    ending: str
    found: bool = True

    @property
    def content_type(self) -> str:
        return TYPES[self.ending]


class Pages:
    """Every address of a results folder's viewer, relative to the page."""

    def __init__(self, folder: ResultsFolder):
        self.folder = folder
        self.static = {
            entry.name: entry for entry in resources.files(__package__).joinpath("static").iterdir() if entry.is_file()
        }

    def answer(self, address: str) -> Page:
        """The answer to an address as it stands in a URL, without a `/` at its front. What is wrong is said in JSON."""
        name, *words = [unquote(word) for word in address.split("/")]
        try:
            if name in ("", "index.html") and not words:
                return self._file("index.html")
            if name == "study.json" and not words:
                return _json(self.describe())
            if name == "case" and len(words) == 2:
                return _json(CaseView(TaskView(self.folder, words[0]), words[1].removesuffix(".json")).describe())
            if name == "image" and len(words) >= 3 and words[-1].endswith(IMAGE_ENDING):
                return self._image(words[0], words[1], "/".join(words[2:]).removesuffix(IMAGE_ENDING))
            return self._file(name if not words else "")
        except (AfpbenchError, OSError) as error:
            return _json({"error": str(error)}, found=False)

    def describe(self) -> dict:
        """The whole study as the page takes it: its contents, the folder, and how far each test case is."""
        tasks = self.folder.contents["tasks"]
        progress = {name: TaskView(self.folder, name).overview() for name in tasks}
        return {"folder": str(self.folder.path), "tasks": tasks, "progress": progress}

    def _file(self, name: str) -> Page:
        ending = name.rpartition(".")[2]
        if name not in self.static or ending not in TYPES:
            raise ConfigError("no such page in the viewer")
        return Page(self.static[name].read_bytes(), ending)

    def _image(self, task: str, case: str, address: str) -> Page:
        view = CaseView(TaskView(self.folder, task), case)
        kind, _, run = address.partition("/")
        if kind != "error":
            return Page(view.find(address).read_bytes(), "gz")
        files = (view.find(f"row/{run}"), view.find("ct"), view.find("mask"))
        return Page(error_file(*files, case), "gz")


def _json(content: dict, found: bool = True) -> Page:
    return Page(json.dumps(content, ensure_ascii=False).encode(), "json", found)

"""A small study's results, with a row that failed and a case that is not made yet, and a viewer's server of them."""

import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from afpbench.study.paths import StudyPaths
from afpbench.viewer.folder import ResultsFolder
from afpbench.viewer.pages import Pages
from afpbench.viewer.server import Server
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

SHAPE = (6, 8, 10)
CONTENTS = {
    "tasks": {
        "hip": {
            "title": "Hip",
            "reference": "l1",
            "has_mr": True,
            "rows": [{"run": "l1", "label": "nnU-Net / L1"}, {"run": "afp", "label": "nnU-Net / AFP"}],
            "segmenters": {
                "total": {
                    "label": "TotalSegmentator",
                    "classes": {"hip_left": 77, "sacrum": 25, "colon": 20},
                    "structures": [{"label": "Bones", "values": [77, 25]}],
                }
            },
            "test": ["p1", "p2"],
            "others_side": "_train",
            "others": ["p3"],
        }
    }
}


def with_channels(folder: Path, *names: str) -> ResultsFolder:
    """The same results of an MR of several channels: the second is twice the first, the third three times, ..."""
    contents, task = json.loads(json.dumps(CONTENTS)), StudyPaths(folder.as_posix()).task("hip")
    contents["tasks"]["hip"]["mr_channels"] = list(names)
    (folder / "contents.json").write_text(json.dumps(contents))
    for case, side in (("p1", ""), ("p3", "_train")):
        first = io.read(Path(task.prepared_image(case, "mr", side))).array
        for number in range(1, len(names)):
            write_image(task.prepared_image(case, f"mr_{number:04d}", side), first * np.float32(number + 1))
    return ResultsFolder(folder)


def write_image(path: str, array: np.ndarray) -> None:
    io.write(Volume(array, Geometry.of(array.shape, (3.0, 2.0, 1.0), (5.0, -6.0, 7.0))), path)


def write_record(path: str, **status: str) -> None:
    entries = [{"case": case, "status": words} for case, words in status.items()]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"cases": entries}))


def make_results(folder: Path) -> ResultsFolder:
    """p1 has `l1`, whose CT is 40 HU too high, and its labels; `afp` failed. Of p2 nothing is made; p3 only trains."""
    task = StudyPaths(folder.as_posix()).task("hip")
    real = np.full(SHAPE, 10, np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 2:6, 2:8] = 1
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 2:4, 2:4], labels[2:4, 5:6, 5:8] = 77, 20
    for case, side in (("p1", ""), ("p3", "_train")):
        for name, array in {"mr": mask * np.float32(300), "ct": real, "mask": mask}.items():
            write_image(task.prepared_image(case, name, side), array)
    write_image(task.synthetic("l1").image("p1"), real + np.int16(40))
    write_record(task.synthetic("l1").record(0), p1="ok")
    write_record(task.synthetic("afp").record(0), p1="failed: no memory")
    for image in ("ct", "l1"):
        write_image(task.segmentations("total", image).image("p1"), labels)
    (folder / "contents.json").write_text(json.dumps(CONTENTS))
    return ResultsFolder(folder)


def make_label_results(folder: Path) -> ResultsFolder:
    """The same study with label maps alone: p1 has those of the real CT and of `l1`; that of `afp` failed."""
    task = StudyPaths(folder.as_posix()).task("hip")
    contents = copy.deepcopy(CONTENTS)
    contents["tasks"]["hip"] |= {"has_mr": False, "has_ct": False, "test": ["p1"], "others": []}
    labels = np.full(SHAPE, 77, np.uint8)
    write_image(task.prepared_image("p1", "mask"), np.ones(SHAPE, np.uint8))
    for image, array in (("ct", labels), ("l1", labels * 0)):
        write_image(task.segmentations("total", image).image("p1"), array)
    write_record(task.segmentations("total", "afp").record(0), p1="failed: no such file")
    (folder / "contents.json").write_text(json.dumps(contents))
    return ResultsFolder(folder)


@contextlib.contextmanager
def serving(folder: ResultsFolder) -> Iterator[Server]:
    """A running viewer of the folder."""
    with Server(Pages(folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

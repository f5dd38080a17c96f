import base64
import re
from html.parser import HTMLParser

import numpy as np
import SimpleITK as sitk

from afpbench.base.atomic import write_json
from afpbench.registration.page import remarks, write_page
from afpbench.registration.pictures import HEIGHT, NAMES, checkerboard, write_pictures
from afpbench.registration.table import summary_row
from afpbench.volumes.io import Geometry, Volume

RECORD = {
    "case": "p1",
    "method": "elastix",
    "attempts": [],
    "mutual_information_before": 0.1,
    "mutual_information_after": 0.3125,
    "body_dice_before": 0.7,
    "body_dice_after": 0.9,
    "jacobian_min": 0.8,
    "folded_share": 0.0,
}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def pictures(folder):
    grid = Geometry((8, 10, 12), (3.0, 2.0, 2.0))
    body = np.zeros(grid.shape, bool)
    body[2:6, 3:7, 3:9] = True
    mr = Volume(np.where(body, 100, 0).astype(np.float32), grid)
    ct = np.where(body, 40, -1000).astype(np.int16)
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(mr, body, {"ct_before": np.roll(ct, 3, axis=2), "ct": ct}, folder)


def test_a_checkerboard_by_hand():
    board = checkerboard(np.zeros((4, 4), int), np.ones((4, 4), int), tiles=2)
    assert board.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert checkerboard(np.zeros((2, 3), int), np.ones((2, 3), int), tiles=3).tolist() == [[0, 1, 0], [1, 0, 1]]


def test_pictures_have_square_pixels(tmp_path):
    pictures(tmp_path)
    before, after = (sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))) for name in NAMES)
    # axial 20 x 24 mm, coronal 24 x 24, sagittal 24 x 20 (rows x columns), all 176 pixels high
    assert before.shape == after.shape == (HEIGHT, round(176 * 24 / 20) + 176 + round(176 * 20 / 24))
    assert before.dtype == np.uint8 and (before != after).any()


def test_the_page_holds_everything(tmp_path):
    for name, more in (("b", {}), ("a", {"folded_share": 0.02, "jacobian_min": -0.3})):
        folder = tmp_path / name / "registered"
        pictures(folder)
        write_json(folder / "registration.json", {**RECORD, "case": f"{name} <i>&", **more})
    write_json(tmp_path / "b" / "registered" / "registration.json", {**RECORD, "case": "b <i>&", "mr_channel": "t1"})
    failed = tmp_path / "c" / "registered"
    failed.mkdir(parents=True)
    write_json(failed / "failed.json", {"case": "c", "stage": "imported", "error": "case c: <b>broken</b>"})
    write_page("a <task>", [tmp_path / name / "registered" for name in "bac"], tmp_path / "qc.html")
    text = (tmp_path / "qc.html").read_text(encoding="utf-8")
    tags = Tags(text).found
    assert "<title>Registration: a &lt;task&gt;</title>" in text
    assert "<i>" not in text and "<b>" not in text and "case c: &lt;b&gt;broken&lt;/b&gt;" in text
    assert "3 cases; 2 to be looked at: a &lt;i&gt;&amp;, c." in text
    assert "0.1 → 0.312" in text and "folds in 0.02 of the voxels" in text
    sources = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(sources) == 4 and all(source.startswith("data:image/png;base64,") for source in sources)
    assert base64.b64decode(sources[0].split(",")[1]) == (tmp_path / "a" / "registered" / NAMES[0]).read_bytes()
    assert [attributes["id"] for tag, attributes in tags if tag == "section"] == ["a <i>&", "b <i>&", "c"]
    assert not re.search(r"https?://", text)
    assert "b &lt;i&gt;&amp;, after registration, MR t1" in text and "a &lt;i&gt;&amp;, after registration<" in text


def test_what_is_remarked():
    worse = {**RECORD, "mutual_information_after": 0.05, "body_dice_after": 0.6}
    assert remarks(summary_row(RECORD), RECORD) == []
    assert remarks(summary_row(worse), worse) == ["mutual information fell", "the bodies overlap less"]
    assert remarks(summary_row({**worse, "method": "none"}), {**worse, "method": "none"}) == []

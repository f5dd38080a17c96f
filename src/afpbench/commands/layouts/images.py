"""The images in a folder, and the patterns with `{case}` that their names follow."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...base import formats
from ...data.dicom_files import is_dicom
from ...study.case_ids import CASE_ID
from ...study.kinds.sources.patterns import CASE

# Role -> words in names that tell it, the most telling role first: a `ct_mask` is a mask.
WORDS: Mapping[str, frozenset[str]] = {
    "synthetic": frozenset({"sct", "synct", "synthetic", "pseudoct", "pct", "generated", "predicted", "prediction"}),
    "mask": frozenset({"mask", "masks", "body", "contour", "roi", "gtv"}),
    "label_map": frozenset(
        {"seg", "segs", "segmentation", "segmentations", "label", "labels", "labelmap", "labelmaps"}
    ),
    "ct": frozenset({"ct", "cts", "cbct"}),
    "mr": frozenset({"mr", "mri", "mrs", "t1", "t1w", "t2", "t2w", "pd", "flair", "dixon", "ute", "vibe", "flash"}),
}
WORD = re.compile(r"[A-Za-z0-9]+")
LETTERS = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Image:
    """A volume, or a folder of DICOM files. path: from the folder that was looked at, with `/`. ending: of a volume."""

    path: str
    ending: str = ""

    @property
    def folders(self) -> list[str]:
        return self.path.split("/")[:-1]

    @property
    def stem(self) -> str:
        return self.path.split("/")[-1].removesuffix(self.ending)


@dataclass(frozen=True)
class Pattern:
    """A pattern that names of images follow. images: case id -> the image."""

    role: str
    text: str
    images: Mapping[str, Image]


def images_in(folder: Path) -> list[Image]:
    """Every volume, and every folder that holds DICOM files itself; hidden ones are passed over."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        below = Path(place).relative_to(folder).as_posix()
        found += [
            Image(path.relative_to(folder).as_posix(), path.name[-len(e) :])
            for path in here
            if (e := formats.ending(path))
        ]
        if any(not formats.ending(path) and is_dicom(path) for path in here) and below != ".":
            found.append(Image(below))
    return found


def patterns(images: Sequence[Image]) -> list[Pattern]:
    """The patterns that tell a role, of most cases first; none whose images all follow earlier ones of that role."""
    found: dict[tuple[str, str], dict[str, Image]] = defaultdict(dict)
    for image in images:
        for text, case in _slots(image):
            if (role := role_of(text)) and CASE_ID.fullmatch(case):
                found[role, text].setdefault(case, image)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    kept: list[Pattern] = []
    for (role, text), cases in ranked:
        seen = {image for one in kept if one.role == role for image in one.images.values()}
        if not seen.issuperset(cases.values()):
            kept.append(Pattern(role, text, cases))
    return kept


def role_of(text: str) -> str:
    """The role that the words of a pattern tell; "" where none does."""
    bare = text.replace(CASE, "/").lower()
    words = set(WORD.findall(bare)) | set(LETTERS.findall(bare))
    return next((role for role, telling in WORDS.items() if words & telling), "")


def _slots(image: Image) -> Iterator[tuple[str, str]]:
    """Every place of the case id that a path allows: (pattern, id)."""
    for name in image.folders:
        if not role_of(name):
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", CASE, image.path)
            yield text, name
    start = "".join(f"{name}/" for name in image.folders)
    yield f"{start}{CASE}{image.ending}", image.stem
    for word in WORD.finditer(image.stem):
        if role_of(word[0]):
            before, after = image.stem[: word.start()], image.stem[word.end() :]
            if id_before := before.rstrip("_-."):
                yield f"{start}{CASE}{image.stem[len(id_before) :]}{image.ending}", id_before
            if id_after := after.lstrip("_-."):
                yield f"{start}{image.stem[: -len(id_after)]}{CASE}{image.ending}", id_after

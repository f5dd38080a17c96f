"""The ways in which a folder of pairs can be laid out: one function for each source of data that reads folders."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from ...base import formats
from ...base.errors import AfpbenchError, ConfigError
from ...study.kinds.registry import SOURCES
from ...study.kinds.sources import open_source
from ...study.kinds.sources.case_table import OPTIONAL, read_table
from ...study.kinds.sources.patterns import CASE
from ...study.kinds.sources.synthrad import SynthRad
from .images import Image, Pattern, images_in, patterns
from .layout import NONE, Asked, Layout, Questions

PAIR = ("mr", "ct")
WORDS = {"mr": "the MR", "ct": "the CT", "mask": "the region of evaluation", "label_map": "label maps to learn from"}
OPTIONS = {"mr": "--mr", "ct": "--ct", "mask": "--mask", "label_map": "--label-map"}
BIDS_CT = ("ct", "CT")


def tables(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """A table with the columns `case`, `mr` and `ct`: the path itself, or one in the folder."""
    files = [folder] if folder.is_file() else sorted([*folder.glob("*.csv"), *folder.glob("*.tsv")])
    found = {path: table for path in files if (table := _table(path, must=path == folder))}
    if len(found) > 1:
        questions.ask("several tables list cases: give the one", [f"afpbench init {path}" for path in found])
    for path, table in found.items():
        columns = ", ".join(name for name in table.columns if name in (*table.images.values(), *OPTIONAL))
        return Layout(f"a table of {len(table.rows)} cases ({columns})", {"source": "table", "table": str(path)})
    return None


def _table(path: Path, must: bool):
    try:
        return read_table(path)
    except AfpbenchError:
        if must:
            raise
        return None


def synthrad(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """Task 1 of a SynthRAD challenge, by the ids of its patients."""
    found: dict[Path, Layout] = {}
    for name, kind in SOURCES.classes().items():
        for region in kind.regions if issubclass(kind, SynthRad) else ():
            data = {"source": name, "region": region, "root": str(folder)}
            try:
                source = open_source(data, Path())
                files = source.files(source.available()[0])
            except AfpbenchError:
                continue
            if all(path.exists() for path in files.values()):
                layout = Layout(f"{name}, {region}: {len(source.available())} patients", data)
                found[files["mr"].parent.parent] = layout
    if len(found) > 1:
        regions = [f"afpbench init {place}  ({one.words})" for place, one in found.items()]
        questions.ask("several regions lie here: give the folder of one", regions)
    return next(iter(found.values()), None)


def bids(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """Subjects `sub-*`, whose names of files end in a suffix."""
    names = [Path(image.path).name for image in images_in(folder) if image.path.startswith("sub-")]
    kinds = Counter(kind for name in names if (kind := _bids_kind(name)))
    cts = [kind for kind in kinds if kind.split("_")[-1] in BIDS_CT]
    mrs = [kind for kind in kinds if kind not in cts]
    if not cts or not mrs:
        return None
    chosen = {role: _choose(role, {kind: kinds[kind] for kind in found}, asked, questions)
              for role, found in (("mr", mrs), ("ct", cts))}  # fmt: skip
    if not all(chosen.values()):
        return Layout("a BIDS folder", {})
    data: dict = {"source": "bids", "root": str(folder)}
    for role, choice in chosen.items():
        data |= _bids_options(role, str(choice))
    others = [f"{count} files *_{kind}" for kind, count in kinds.items() if kind not in chosen.values()]
    return Layout(f"a BIDS folder, MR *_{chosen['mr']}, CT *_{chosen['ct']}", data, others)


def _bids_options(role: str, kind: str) -> dict[str, object]:
    """The options of the source for `acq-ute_T1w`: suffix and entities."""
    *entities, suffix = kind.split("_")
    if any("-" not in entity for entity in entities):
        raise ConfigError(
            f"afpbench init: {OPTIONS[role]}: no suffix of BIDS", found=kind, expected="T1w, or acq-ute_T1w"
        )
    named = {f"{role}_entities": dict(entity.split("-", 1) for entity in entities)} if entities else {}
    return {f"{role}_suffix": suffix, **named}


def _bids_kind(name: str) -> str:
    """`acq-ute_T1w` of `sub-01_ses-1_acq-ute_T1w.nii.gz`; "" for what is no NIfTI of a subject."""
    path = Path(name)
    words = formats.stem(path).split("_")
    if not formats.is_nifti(path) or not words[0].startswith("sub-"):
        return ""
    return "_".join(word for word in words[1:] if not word.startswith(("ses-", "run-")))


def folders(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """Names that follow a pattern with `{case}`; or a folder of DICOM files for each case, with both in it."""
    images = images_in(folder)
    found = patterns(images)
    data: dict = {"source": "folder", "root": str(folder)}
    for role in PAIR:
        of_role = {one.text: len(one.images) for one in found if one.role == role}
        if asked.of(role) or of_role:
            data[role] = _choose(role, of_role, asked, questions)
    if not set(PAIR) & set(data) and (text := _dicom_of_case(images)):
        data |= {role: asked.of(role) or text for role in PAIR}
    if not set(PAIR) <= set(data):
        return None
    for role, must in (("mask", True), ("label_map", False)):
        of_role = {one.text: len(one.images) for one in found if one.role == role}
        if asked.of(role) != NONE and (asked.of(role) or of_role):
            data[role] = _choose(role, of_role, asked, questions, optional=True, must=must)
    words = ", ".join(f"{role} {data[role]}" for role in OPTIONS if data.get(role))
    return Layout(f"files by their names: {words}", data, _unused(images, found, data))


def _dicom_of_case(images: list[Image]) -> str:
    """The pattern of folders that hold DICOM files, where every image lies in such: the first folder is the case's."""
    return CASE if images and all(not image.ending for image in images) else ""


def _unused(images: list[Image], found: list[Pattern], data: Mapping) -> list[str]:
    """Patterns of images that the study does not read, with a count; and how many images follow none."""
    used = {image for one in found if one.text in data.values() for image in one.images.values()}
    if CASE in data.values():
        return []
    others = [one for one in found if one.text not in data.values() and not used.issuperset(one.images.values())]
    lines = [f"{len(one.images)} files {one.text}" for one in others]
    told = used.union(*(one.images.values() for one in others))
    rest = [image.path for image in images if image not in told]
    return lines + ([f"{len(rest)} images such as {rest[0]}"] if rest else [])


def _choose(
    role: str, found: Mapping[str, int], asked: Asked, questions: Questions, optional: bool = False, must: bool = False
) -> str | None:
    """The pattern of a role: what the user said, or the only one; otherwise it is asked. must: ask of one, too."""
    if asked.of(role):
        return asked.of(role)
    if len(found) == 1 and not must:
        return next(iter(found))
    option = OPTIONS[role]
    choices = [f"{option} '{text}'  ({count} files)" for text, count in found.items()]
    questions.ask(f"which is {WORDS[role]}?", [*choices, *([f"{option} {NONE}"] if optional else [])])
    return None


Recognise = Callable[[Path, Asked, Questions], Layout | None]
KINDS: Mapping[str, Recognise] = {"table": tables, "synthrad": synthrad, "bids": bids, "folder": folders}
CERTAIN = ("synthrad", "bids")  # names that follow a standard: no other way is looked for


def recognise(folder: Path, asked: Asked) -> Layout:
    """The one way to read a folder, or a table. Raises ConfigError where there is none, or several."""
    if not folder.exists():
        raise ConfigError("afpbench init: no such folder", found=str(folder), expected="the folder of your images")
    found: dict[str, tuple[Layout, Questions]] = {}
    for kind in [asked.source] if asked.source else KINDS:
        questions = Questions()
        if layout := KINDS[kind](folder, asked, questions):
            found[kind] = layout, questions
            if kind in CERTAIN or folder.is_file():
                break
    if not found:
        raise _nothing(folder)
    if len(found) > 1:
        several = Questions()
        several.ask("how shall it be read?", [f"--source {kind}  ({found[kind][0].words})" for kind in found])
        several.check(folder)
    layout, questions = next(iter(found.values()))
    questions.check(folder)
    return layout


def _nothing(folder: Path) -> ConfigError:
    images = images_in(folder) if folder.is_dir() else []
    shown = ", ".join(image.path for image in images[:5])
    return ConfigError(
        f"afpbench init: no pairs of MR and CT were recognised in {folder}",
        found=f"{len(images)} images" + (f", such as {shown}" if images else ""),
        expected=f"names such as {CASE}/mr.nii.gz and {CASE}/ct.nii.gz, DICOM folders, BIDS, SynthRAD, a table",
        hint=f"say it: --mr '{CASE}/T1.nii.gz' --ct '{CASE}/planning.nii.gz', where {CASE} stands for the id and * for "
        "any text; or list the cases in a table with the columns case, mr and ct",
    )

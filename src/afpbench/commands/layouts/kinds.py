"""The ways in which a folder of pairs can be laid out: one function for each source of data that reads folders."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...base import formats
from ...base.errors import AfpbenchError, ConfigError
from ...study import channels
from ...study.kinds.registry import SOURCES
from ...study.kinds.sources import open_source
from ...study.kinds.sources.case_table import OPTIONAL, CaseTable, read_table
from ...study.kinds.sources.patterns import CASE
from ...study.kinds.sources.synthrad import SynthRad
from .images import Image, Pattern, images_in, patterns, role_of
from .layout import NONE, Asked, Layout, Questions
from .mr import Chosen, as_channels, in_words, texts_of

PAIR = ("mr", "ct")
WORDS = {"mr": "the MR", "ct": "the CT", "mask": "the region of evaluation", "label_map": "label maps to learn from"}
OPTIONS = {"mr": "--mr", "ct": "--ct", "mask": "--mask", "label_map": "--label-map"}
BIDS_CT = ("ct", "CT")


def tables(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """A table with the columns `case` and `ct` and one or more of MRs: the path itself, or one in the folder."""
    files = [folder] if folder.is_file() else sorted([*folder.glob("*.csv"), *folder.glob("*.tsv")])
    must = folder.is_file() or (asked.source == "table" and len(files) == 1)
    found = {path: layout for path in files if (layout := _table(path, asked, questions, must))}
    if len(found) > 1:
        questions.ask("several tables list cases: give the one", [f"afpbench init {path}" for path in found])
    return next(iter(found.values()), None)


def _table(path: Path, asked: Asked, questions: Questions, must: bool) -> Layout | None:
    """must: what is wrong with the table is an error; otherwise it is a table of something else."""
    try:
        ways = [] if asked.mr else _columns_of_mr(read_table(path, {}))
        mr = _choose("mr", ways, asked, questions) if asked.mr or ways else "mr"
        if mr is None:
            return Layout("a table of cases", {})
        table = read_table(path, channels.by_role(mr))
    except AfpbenchError:
        if must:
            raise
        return None
    columns = ", ".join(name for name in table.columns if name in (*table.images.values(), *OPTIONAL))
    data = {"source": "table", "table": str(path), **({} if mr == "mr" else {"mr": mr})}
    others = [f"column {way.text}" for way in _columns_of_mr(table) if way.text not in texts_of(mr)]
    return Layout(f"a table of {len(table.rows)} cases ({columns})", data, others)


def _columns_of_mr(table: CaseTable) -> list[Pattern]:
    """The column `mr`, and those whose names say MR and whose first value is a path of something that is there."""
    first = next(iter(table.rows.values()), {})
    names = [
        name
        for name, value in first.items()
        if name == "mr" or (role_of(name) == "mr" and value and (table.path.parent / value).exists())
    ]
    return [
        Pattern("mr", name, {case: Image(row[name]) for case, row in table.rows.items() if row[name]}) for name in names
    ]


def synthrad(folder: Path, asked: Asked, questions: Questions) -> Layout | None:
    """Task 1 of a SynthRAD challenge, by the ids of its patients. Which files are meant, nobody says of it."""
    if asked.mr or asked.ct:
        if asked.source == "synthrad":
            raise ConfigError(
                "afpbench init: --mr and --ct: SynthRAD has one MR and one CT for each patient",
                found="--source synthrad with --mr or --ct",
                expected="--source synthrad alone, or --source folder with --mr and --ct",
            )
        return None
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
    kinds: dict[str, dict[str, Image]] = defaultdict(dict)
    for image in images_in(folder):
        name = Path(image.path).name
        if image.path.startswith("sub-") and (kind := _bids_kind(name)):
            kinds[kind][_bids_case(name)] = image
    ways: dict[str, list[Pattern]] = {"mr": [], "ct": []}
    for kind, images in kinds.items():
        role = "ct" if kind.split("_")[-1] in BIDS_CT else "mr"
        ways[role].append(Pattern(role, kind, images))
    if not all(ways.values()):
        return None
    mr, ct = (_choose(role, found, asked, questions) for role, found in ways.items())
    if mr is None or ct is None:
        return Layout("a BIDS folder", {})
    others = [f"{len(images)} files *_{kind}" for kind, images in kinds.items() if kind not in (ct, *texts_of(mr))]
    data = {"source": "bids", "root": str(folder), **_bids_mr(mr), **_bids_options("ct", str(ct))}
    return Layout(f"a BIDS folder, MR *_{in_words(mr)}, CT *_{ct}", data, others)


def _bids_mr(mr: Chosen) -> dict[str, object]:
    """The options of the source for the MR, or for each channel."""
    if isinstance(mr, str):
        return _bids_options("mr", mr)
    named = {name: _bids_options("mr", kind) for name, kind in mr.items()}
    return {
        "mr": {
            name: {key.removeprefix("mr_"): value for key, value in options.items()} for name, options in named.items()
        }
    }


def _bids_options(role: str, kind: str) -> dict[str, object]:
    """The options of the source for `acq-ute_T1w`: suffix and entities."""
    *entities, suffix = kind.split("_")
    if any("-" not in entity for entity in entities):
        raise ConfigError(
            f"afpbench init: {OPTIONS[role]}: no suffix of BIDS", found=kind, expected="T1w, or acq-ute_T1w"
        )
    named = {f"{role}_entities": dict(entity.split("-", 1) for entity in entities)} if entities else {}
    return {f"{role}_suffix": suffix, **named}


def _bids_case(name: str) -> str:
    """`sub-01_ses-1` of `sub-01_ses-1_acq-ute_T1w.nii.gz`."""
    return "_".join(word for word in name.split("_") if word.startswith(("sub-", "ses-")))


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
        of_role = [one for one in found if one.role == role]
        if asked.of(role) or of_role:
            data[role] = _choose(role, of_role, asked, questions)
    if not set(PAIR) & set(data) and (text := _dicom_of_case(images)):
        data |= {role: asked.of(role) or text for role in PAIR}
    if not set(PAIR) <= set(data):
        return None
    for role, must in (("mask", True), ("label_map", False)):
        of_role = [one for one in found if one.role == role]
        if asked.of(role) != NONE and (asked.of(role) or of_role):
            data[role] = _choose(role, of_role, asked, questions, optional=True, must=must)
    words = ", ".join(f"{role} {in_words(data[role])}" for role in OPTIONS if data.get(role))
    return Layout(f"files by their names: {words}", data, _unused(images, found, data))


def _dicom_of_case(images: list[Image]) -> str:
    """The pattern of folders that hold DICOM files, where every image lies in such: the first folder is the case's."""
    return CASE if images and all(not image.ending for image in images) else ""


def _unused(images: list[Image], found: list[Pattern], data: Mapping) -> list[str]:
    """Patterns of images that the study does not read, with a count; and how many images follow none."""
    read = {text for role in OPTIONS if data.get(role) for text in texts_of(data[role])}
    used = {image for one in found if one.text in read for image in one.images.values()}
    if CASE in read:
        return []
    others = [one for one in found if one.text not in read and not used.issuperset(one.images.values())]
    lines = [f"{len(one.images)} files {one.text}" for one in others]
    told = used.union(*(one.images.values() for one in others))
    rest = [image.path for image in images if image not in told]
    return lines + ([f"{len(rest)} images such as {rest[0]}"] if rest else [])


def _choose(
    role: str, ways: Sequence[Pattern], asked: Asked, questions: Questions, optional: bool = False, must: bool = False
) -> Chosen | None:
    """The pattern of a role: what the user said, or the only one; otherwise it is asked. must: ask of one, too."""
    if said := asked.of(role):
        return said
    if len(ways) == 1 and not must:
        return ways[0].text
    option = OPTIONS[role]
    choices = [f"{option} '{way.text}'  ({len(way.images)} files)" for way in ways]
    choices += as_channels(ways) if role == "mr" else []
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

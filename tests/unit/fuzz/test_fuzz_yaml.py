"""Study files and structures files with faults anywhere: a study, or an error that says where."""

import copy
import json

import yaml
from fuzzing import bounded_memory, fuzz_settings
from hypothesis import given
from hypothesis import strategies as st

from afpbench.base.errors import AfpbenchError
from afpbench.commands.structures_file import read_structures
from afpbench.metrics.evaluate import Structure, parse_structures
from afpbench.study.load import load_study, read_study

STUDY = """
seed: 3
presets:
  quick: {training: {iterations: 10, iterations_per_epoch: 5}, runtime: {precision: float32}}
preset: quick
tasks:
  lung:
    data: {source: phantom, region: thorax, cases: 20}
    spacing_mm: [3.0, 3.0, 3.0]
    splits: {train: 8, validation: 2, test: 8}
    segmenters:
      navi: {kind: trained, classes: {airway: [airway_lumen, airway_wall]}}
      total: {kind: totalsegmentator, task: fast, weights: stand_in}
    structures:
      airways: {segmenter: navi, classes: [airway], tolerance_mm: 2.5}
      bones: {segmenter: total, classes: [sternum]}
    generators: {nnunet: {patch_size: [32, 32, 32]}}
    variants:
      l1: {generator: nnunet, loss: [{term: l1, weight: 1.0}]}
      afp: {generator: nnunet, loss: [{term: afp, networks: [navi]}], training: {learning_rate: 0.01}}
    reference: l1
    tables:
      table1: {columns: [{metric: mae}, {metric: dice, structure: airways}]}
    figures: {structures: [airways]}
"""
STRUCTURES = """
bones: [25, 77, 78]
airways: {labels: [1, 2], exclude: [2], tolerance_mm: 1.2}
tree: {labels: [3], tree: true}
everything: {}
"""
WORDS = (
    *(
        "null",
        "~",
        "true",
        "yes",
        "1",
        "0",
        "-1",
        "1e3",
        "1e-3",
        "2,5",
        ".nan",
        ".inf",
        "-.inf",
        "two",
        "''",
        "[]",
        "{}",
    ),
    *(
        "[1]",
        "{a: 1}",
        "2026-13-45",
        "2026-01-02",
        "!!set {a}",
        "!!binary a",
        "!!python/object:os.x {}",
        "&a [*a]",
        "*b",
    ),
    *("0x_", "1:60", "'{r}'", "'{case}'", "9" * 30, "9" * 5000, "a" * 300, "[[[[[[]]]]]]", "'\\x00'", "\t", "? [a]: b"),
    *("<<: {a: 1}", "α", "../..", "/"),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def texts(draw, original):
    """The text with a few lines taken out, doubled, indented, or with another word in the place of one of theirs."""
    lines = original.strip("\n").splitlines()
    for _ in range(draw(st.integers(0, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(("drop", "double", "indent", "word", "text")))
        line = lines[number]
        if change == "word":
            words = line.split(" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(WORDS))
            lines[number] = " ".join(words)
        elif change == "text":
            position = draw(st.integers(0, len(line)))
            lines[number] = line[:position] + draw(st.text(max_size=4)) + line[position:]
        else:
            lines[number : number + 1] = {"drop": [], "double": [line, line], "indent": [" " + line]}[change]
        if not lines:
            break
    return "\n".join(lines)


@st.composite
def trees(draw, original):
    """The content with a few values replaced by anything."""
    root = [yaml.safe_load(original)]
    for _ in range(draw(st.integers(1, 3))):
        place, key = root, 0
        while isinstance(place[key], (dict, list)) and place[key] and draw(st.integers(0, 5)):
            place = place[key]
            key = draw(st.sampled_from(sorted(place, key=str) if isinstance(place, dict) else range(len(place))))
        if isinstance(place, dict) and draw(st.booleans()):
            key = draw(st.text(max_size=6) | st.sampled_from(sorted(place, key=str)))
        place[key] = draw(JUNK)
    return root[0]


def written(tmp_path_factory, name, text):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@fuzz_settings
@given(texts(STUDY))
def test_a_study_file(tmp_path_factory, text):
    path = written(tmp_path_factory, "study.yaml", text)
    with bounded_memory(len(text)):
        try:
            content = read_study(path)
        except AfpbenchError as error:
            assert str(path) in str(error)
            return
        _study_or_problems(content, path.parent)


@fuzz_settings
@given(trees(STUDY))
def test_a_study_of_any_values(tmp_path_factory, content):
    with bounded_memory(0):
        _study_or_problems(content, tmp_path_factory.getbasetemp())


def _study_or_problems(content, root) -> None:
    before = copy.deepcopy(content)
    try:
        study = load_study(content, root)
    except AfpbenchError as error:
        assert "the study file" in str(error)
        return
    json.dumps(study, allow_nan=False)  # plain, finite values only
    assert repr(content) == repr(before) and study["tasks"] and load_study(content, root) == study


@fuzz_settings
@given(texts(STRUCTURES) | trees(STRUCTURES).map(lambda content: yaml.safe_dump(content, allow_unicode=True)))
def test_a_structures_file(tmp_path_factory, text):
    path = written(tmp_path_factory, "structures.yaml", text)
    with bounded_memory(len(text)):
        try:
            spec = read_structures(path)
        except AfpbenchError as error:
            assert str(path) in str(error)
            return
    assert spec == yaml.safe_load(path.read_text(encoding="utf-8")) or any(
        isinstance(entry, list) for entry in yaml.safe_load(path.read_text(encoding="utf-8")).values()
    )
    try:
        structures = parse_structures(spec, tolerance_mm=1.0)
    except AfpbenchError as error:
        assert "every label is excluded" in str(error)
        return
    for structure in structures:
        assert isinstance(structure, Structure) and 0 < structure.tolerance_mm < float("inf")
        assert all(type(label) is int and label > 0 for label in structure.labels + structure.exclude)

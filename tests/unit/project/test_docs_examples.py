"""Every example of the pages can be used: commands have these options, parts of study files fit the schema, and Python
compiles and loads. A command that no test can try is marked above its block, with the reason:
<!-- not run: needs the real weights -->.
"""

import argparse
import ast
import functools
import importlib
import re
import shlex
import subprocess
import textwrap
import tomllib

import pytest
import yaml
from pages import PAGES, ROOT, blocks, extension_files, in_use

from afpbench.commands.main import COMMANDS, PASSING_ON, build_parser, declare
from afpbench.commands.structures_file import read_structures
from afpbench.study import messages, schema

FILE_TOOLS = {"cd", "cp", "export", "mkdir", "rm", "source", "tail", "tar"}  # nothing of ours to be tried
OTHERS = {  # tried by hand only, where there is a network, a cluster, a container or real weights
    "apptainer", "conda", "curl", "docker", "git", "nnUNetv2_train", "pip", "pip-audit", "sbatch", "squeue",
    "totalseg_download_weights",
}  # fmt: skip
SECTIONS = ("segmenters", "feature_networks", "variants", "generators", "structures", "tables")


def page_blocks(page):
    return blocks(page.read_text(encoding="utf-8"))


def of(language):
    """The pages that have blocks of a language."""
    pages = [page for page in PAGES if any(block.language == language for block in page_blocks(page))]
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def commands(block):
    """The words of each command of a block; nothing for a block that is no commands."""
    text = re.sub(r"\\\n", " ", block.text)
    for line in text.splitlines():
        try:
            words = shlex.split(line.split(" > ")[0], comments=True)
        except ValueError:  # prose
            continue
        if words:
            yield words


@of("")
def test_commands(page):
    problems = []
    for block in page_blocks(page):
        if block.language in ("", "bash", "sh"):
            for words in commands(block):
                if problem := command_problem(words, block.not_run):
                    problems.append(f"line {block.line}: {' '.join(words)}: {problem}")
    assert not problems, "\n".join(problems)


def command_problem(words, not_run):
    """What is wrong with a command, or None; lines that begin with no command that we know are no commands."""
    if words[0] in CHECKS:
        return CHECKS[words[0]](words[1:])
    if words[0] in OTHERS and not not_run:
        return "no test tries it: say so above the block, <!-- not run: needs ... -->"
    return None


def afpbench_problem(words):
    if words[0].endswith(":"):
        return None  # a message: "afpbench: the study file has ..."
    if words[0] not in COMMANDS:
        return f"no such command; there are {', '.join(COMMANDS)}"
    end = words.index("--") if words[0] in PASSING_ON and "--" in words else len(words)
    return parsed(build_parser(words[0]), words[:end]) or parsed(snakemake_parser(), words[end + 1 :])


def parsed(parser, words):
    """What the parser has against the words."""
    try:
        parser.parse_args(words)
    except (SystemExit, argparse.ArgumentError) as error:
        return f"the parser refuses it ({error})"
    return None


@functools.cache
def snakemake_parser():
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def make_problem(words):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = [word for word in words if "=" not in word and word not in targets]
    return f"no such target: {wrong[0]}" if wrong else None


def python_problem(words):
    """The file or module is there, and knows the options."""
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
        return None
    if words[0] == "-m":
        return None if importlib.util.find_spec(words[1]) else f"no such module: {words[1]}"
    if not (ROOT / words[0]).is_file():
        return f"no such file: {words[0]}"
    text = (ROOT / words[0]).read_text(encoding="utf-8")
    unknown = [word for word in words[1:] if word.startswith("--") and f'"{word}"' not in text]
    return f"no such option: {unknown[0]}" if unknown else None


CHECKS = {
    "afpbench": afpbench_problem,
    "snakemake": lambda words: parsed(snakemake_parser(), words),
    "make": make_problem,
    "python": python_problem,
}


INLINE = re.compile(r"`((?:afpbench|snakemake) [^`]+)`")
COMMENTED = re.compile(r"^#\s+((?:afpbench|snakemake|make) .*?)(?:\s{2,}.*)?$", re.MULTILINE)
STUDIES = [
    *sorted(ROOT.glob("config/*.yaml")),
    *sorted(ROOT.glob("benchmarks/**/*.yaml")),
    ROOT / "src/afpbench/commands/init_study.yaml",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_sentences_name_commands_and_options_that_exist(page):
    text = "\n".join(line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith("    "))
    problems = [f"{span}: {problem}" for span in INLINE.findall(text) if (problem := span_problem(span.split()))]
    assert not problems, "\n".join(problems)


def span_problem(words):
    """What is wrong with a command that a sentence names: it need not be whole, but what it names is there."""
    if words[0] == "snakemake":
        known = snakemake_parser()._option_string_actions
    elif words[1] in COMMANDS:
        declare(parser := argparse.ArgumentParser(), words[1])
        known = parser._option_string_actions
    else:
        return None if words[1] in ("COMMAND", "--version") else "no such command"
    unknown = [word for word in words[1:] if re.match(r"--\w", word) and word.partition("=")[0] not in known]
    return f"no such option: {unknown[0]}" if unknown else None


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_the_comments_of_study_files(study):
    found = COMMENTED.findall(study.read_text(encoding="utf-8"))
    problems = [f"{text}: {problem}" for text in found if (problem := command_problem(shlex.split(text), False))]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_of_a_kind_that_no_test_reads(page):
    """A fence of another form would be taken for text, and one of another language would be tried by nobody."""
    text = page.read_text(encoding="utf-8")
    fences = [line.strip() for line in text.splitlines() if line.strip().startswith(("```", "~~~"))]
    assert [fence for fence in fences if not re.fullmatch(r"```\w*", fence)] == []
    found = page_blocks(page)
    assert {block.language for block in found} <= {"", "bash", "sh", "yaml", "python", "toml"}
    for block in found:
        if block.language == "toml":
            tomllib.loads(block.text)


def test_every_page_of_the_repository_is_read():
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("no git repository")
    assert {ROOT / name for name in listed.stdout.splitlines()} <= set(PAGES)


@of("yaml")
def test_parts_of_study_files(page, tmp_path):
    with in_use(*extension_files(page, tmp_path)):
        for block in page_blocks(page):
            if block.language == "yaml":
                assert not yaml_problems(block.text, tmp_path), f"line {block.line}"


def yaml_problems(text, folder):
    """What is wrong with a part of a study file, at the place where it fits best."""
    value = yaml.safe_load(text)
    if text.startswith("# structures.yaml"):
        (folder / "structures.yaml").write_text(text, encoding="utf-8")
        return [] if read_structures(folder / "structures.yaml") else ["no structures"]
    if "set-resources" in value:  # a profile of Snakemake
        return []
    return min((problems(part) for part in places(value)), key=len)


def places(value):
    """The part as a study, whatever it is a part of."""
    if isinstance(value, list):
        yield {"tasks": {"t": {"variants": {"v": {"loss": value}}}}}
        return
    yield value
    yield {"tasks": {"t": value}}
    yield {"tasks": {"t": {"variants": {"v": value}}}}
    for section in SECTIONS:
        yield {"tasks": {"t": {section: value}}}


def problems(study):
    """What breaks the schema in a part of a study: its tasks and presets may lack what is required."""
    top = schema.study_schema()["properties"]
    found = [f"unknown key {key}" for key in study if key not in top]
    for key in set(study) & set(top):
        if key in ("tasks", "presets"):
            parts = study[key].values()
            found += [line for part in parts for _, line in messages.problems(schema.preset_schema(), part)]
        else:
            found += [line for _, line in messages.problems(top[key], study[key])]
    return found


@of("python")
def test_python(page, tmp_path):
    for block in page_blocks(page):
        if block.language == "python":
            tree = ast.parse(textwrap.dedent(block.text))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("afpbench"):
                    module = importlib.import_module(node.module)
                    assert [name.name for name in node.names if not hasattr(module, name.name)] == [], block.line
    with in_use(*extension_files(page, tmp_path)):
        pass


def test_a_wrong_command_is_found():
    assert "refuses" in command_problem(["afpbench", "metrics", "--reall", "a"], False)
    assert "no such command" in command_problem(["afpbench", "metric"], False)
    assert "no such target" in command_problem(["make", "benchmarks"], False)
    assert "no such file" in command_problem(["python", "docs/none.py"], False)
    assert "not run" in command_problem(["docker", "build"], False)
    assert command_problem(["docker", "build"], True) is None
    assert span_problem(["afpbench", "export", "--seed", "2"]) is None
    assert "no such option" in span_problem(["afpbench", "export", "--seat", "2"])
    assert "no such command" in span_problem(["afpbench", "exports"])


def test_a_wrong_part_of_a_study_is_found(tmp_path):
    assert yaml_problems("loss: [{term: l11}]", tmp_path)
    assert yaml_problems("- {term: l1, wieght: 2}", tmp_path)
    assert not yaml_problems("- {term: l1, weight: 2}", tmp_path)


def test_blocks():
    text = "Words.\n\n    make test\n    make lint\n\n<!-- not run: needs a cluster -->\n\n```yaml\na: 1\n```\n"
    first, second = blocks(text)
    assert (first.line, first.language, first.text, first.not_run) == (3, "", "    make test\n    make lint", False)
    assert (second.line, second.language, second.text, second.not_run) == (8, "yaml", "a: 1", True)

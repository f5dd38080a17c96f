"""The container definitions do what `make setup` does. No engine is needed: the files are read, not built."""

import re

import pytest

FILES = ["containers/Dockerfile", "containers/afpbench.def"]


def commands(text: str) -> list[str]:
    """The commands that make the environment, without what only a cache is concerned with.

    An image is compiled where it is made, since those who run it may not write into it.
    """
    lines = [re.sub(r"^(RUN )?", "", line.strip()) for line in text.splitlines()]
    found = [line for line in lines if re.search(r"-m (venv|pip)", line)]
    return [re.sub(" --no-(cache-dir|compile)", "", line) for line in found]


@pytest.fixture(scope="module")
def setup(project):
    """The commands of `make setup`, its variables filled in."""
    text = (project / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    text = text[text.index("\n.venv/installed:") :]
    return [re.sub(r"^\$\(shell .*\)(?= -m)", "python3.11", line) for line in commands(text) if ".venv" in line]


def test_the_makefile_has_three_steps(setup):
    assert len(setup) >= 3
    assert setup[0] == "python3.11 -m venv .venv" and "-r requirements.txt" in setup[1] and setup[2].endswith("-e .")


@pytest.mark.parametrize("name", FILES)
def test_the_steps_are_those_of_make_setup_in_their_order(project, setup, name):
    assert commands((project / name).read_text()) == setup[:3]


def copied(project, name):
    text = (project / name).read_text()
    if name.endswith("Dockerfile"):
        lines = re.findall(r"^COPY (.+) \S+$", text, re.M)
        return {word for line in lines for word in line.split()}
    files = re.search(r"^%files\n((?:    .*\n)+)", text, re.M).group(1)
    return {line.split()[0] for line in files.splitlines()}


@pytest.mark.parametrize("name", FILES)
def test_everything_that_a_run_needs_is_copied(project, name):
    from conftest import TREE

    names = copied(project, name)
    assert all((project / entry).exists() for entry in names)
    assert set(TREE) | {"requirements.txt", "pyproject.toml", "README.md", "LICENSE"} <= names


@pytest.mark.parametrize("name", FILES)
def test_the_python_is_the_projects(project, name):
    assert re.search(r"(?i)^from:? python:3\.11-", (project / name).read_text(), re.M)


def test_the_image_leaves_out_what_is_not_the_projects(project):
    ignored = (project / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".snakemake", "results", "resources"} <= set(ignored)

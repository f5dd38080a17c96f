"""The documentation names what exists: links, make targets, study files, commands."""

import re
from pathlib import Path

import pytest
import yaml
from pages import PAGES

from afpbench.commands.main import COMMANDS

ROOT = Path(__file__).parents[3]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page):
    broken = []
    for target in LINK.findall(CODE.sub("", read(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path) if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(target)
    assert not broken


def test_links_to_other_hosts_are_encrypted_and_whole():
    """Nobody follows them here; `make docs` lists them in build/site/external-links.txt."""
    wrong = {
        target
        for page in PAGES
        for target in LINK.findall(CODE.sub("", read(page)))
        if re.match(r"[a-z]+:", target) and not re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/\S*)?|mailto:\S+@\S+", target)
    }
    assert not wrong


def test_every_make_target_that_the_pages_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for page in PAGES:
        commands = re.findall(r"(?:^    |`)make ([a-z-]+)", read(page), re.MULTILINE)
        assert set(commands) <= targets, page


def test_every_study_file_that_the_pages_name_exists():
    made_by_the_reader = {"config/my_study.yaml"}
    for page in PAGES:
        files = set(re.findall(r"\b((?:config|tests/e2e)/\w+\.yaml)", read(page))) - made_by_the_reader
        assert [name for name in files if not (ROOT / name).is_file()] == [], page


def test_readme_has_the_two_commands_and_the_tests_are_make_test():
    assert re.search(r"^    make benchmark\n    make test$", read(ROOT / "README.md"), re.MULTILINE)
    assert "`make test` runs the tests" in read(ROOT / "README.md")
    assert "make test" in read(ROOT / ".ci" / "run")


def test_every_preset_that_the_readme_names_exists():
    presets = yaml.safe_load(read(ROOT / "config" / "sts.yaml"))["presets"]
    for name in re.findall(r"preset[= ](\w+)", read(ROOT / "README.md")):
        assert name in presets


def test_every_page_of_docs_is_in_the_index():
    index = {
        (ROOT / "docs" / target.partition("#")[0]).resolve() for target in LINK.findall(read(ROOT / "docs/README.md"))
    }
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page.name != "README.md"]
    missing = [page for page in pages if page.resolve() not in index and page.parent.name != "results"]
    assert not missing


def test_reference_names_every_rule_and_no_other():
    rules = set()
    for file in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        rules |= set(re.findall(r"^rule (\w+):", read(file), re.MULTILINE))
    table = set(re.findall(r"^\| `(\w+)` \|", read(ROOT / "docs/reference/workflow.md"), re.MULTILINE))
    assert table == rules


def test_the_reference_names_every_command_with_its_exit_codes():
    table, _, _ = read(ROOT / "docs/reference/commands.md").partition("\n## init")
    rows = re.findall(r"^\| \[?`(\w+)[^|]*\|[^|]+\|(.+)\|$", table, re.MULTILINE)
    assert {command for command, _ in rows} == set(COMMANDS)
    assert all(re.search(r"\d|as `", codes) for command, codes in rows[: len(COMMANDS)])


def test_the_data_flow_picture_is_what_its_script_draws():
    import runpy

    script = runpy.run_path(str(ROOT / "docs/figures/make_dataflow.py"))
    assert read(ROOT / "docs/figures/dataflow.svg") == script["svg"]()


def test_pictures_are_small():
    for name in ("phantom", "pelvis_result", "viewer", "report"):
        assert (ROOT / f"docs/figures/{name}.png").stat().st_size < 300_000

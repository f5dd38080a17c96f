import re

import pytest
import yaml

ENVIRONMENTS = ["imaging.yaml", "nnunet.yaml"]


def normal(name):
    """A package name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(project):
    lines = (line.split("#")[0].strip() for line in (project / "requirements.txt").read_text().splitlines())
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines if line}


def test_every_environment_is_listed_here(project):
    assert sorted(path.name for path in (project / "envs").glob("*.yaml")) == ENVIRONMENTS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_pip_lines_have_the_versions_of_the_requirements(project, name):
    dependencies = yaml.safe_load((project / "envs" / name).read_text())["dependencies"]
    lines = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    locked = pins(project)
    assert lines
    for line in lines:
        package, _, version = line.partition("==")
        assert version, f"{line} is not pinned"
        assert locked.get(normal(package)) == version, line


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_python_is_the_projects(project, name):
    dependencies = yaml.safe_load((project / "envs" / name).read_text())["dependencies"]
    assert "python =3.11" in dependencies and "pip" in dependencies
    assert (
        "# Every package at the version that the project is tested with (Python 3.11)"
        in (project / "requirements.txt").read_text()
    )


def test_requirements_are_pinned_without_addresses(project):
    text = (project / "requirements.txt").read_text()
    assert "://" not in text and "--" not in text
    assert len(pins(project)) > 100


def test_every_rule_has_an_environment(project):
    for path in sorted((project / "workflow" / "rules").glob("*.smk")):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            used = re.search(r'conda:\s+"../../envs/(\w+\.yaml)"', rule)
            assert used, f"{path.name}: {rule.split(':')[0]} names no environment"
            assert used.group(1) in ENVIRONMENTS

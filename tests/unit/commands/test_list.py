"""`afpbench list`: every kind with its options, those of a study's own files too."""

import subprocess
import sys

import pytest

from afpbench.commands.main import main
from afpbench.study.kinds.registry import REGISTRIES, use_extensions

OWN = '''
from afpbench.study.kinds import Loss


class Gradient(Loss):
    """Difference of the image gradients."""

    name = "gradient"
    citation = "Somebody 2024"
    properties = {"power": {"description": "Of the differences.", "type": "number", "minimum": 1, "default": 2}}

    def value(self, synthetic, real, region=None):
        return (synthetic - real).abs().mean()
'''


@pytest.fixture
def no_extensions_left(tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_EXTENSIONS", "")
    yield
    use_extensions([], tmp_path)


@pytest.mark.parametrize("group", list(REGISTRIES))
def test_every_kind_is_listed(group, capsys):
    assert main(["list", group]) == 0
    output = capsys.readouterr().out
    assert [name for name in REGISTRIES[group] if f"{name}\n" not in output] == []


def test_an_option_has_its_default_what_is_allowed_and_its_meaning(capsys):
    assert main(["list", "losses", "afp"]) == 0
    output = capsys.readouterr().out
    assert "    networks: required (a list not empty)\n" in output
    assert "    reduction: mean (mean, sum)\n        Within a layer:" in output
    assert "cite: Longuefosse et al." in output and "l1\n" not in output


def test_an_unknown_name_is_refused_with_the_nearest(capsys):
    assert main(["list", "losses", "ap"]) == 1
    assert "did you mean 'afp'?" in capsys.readouterr().err


@pytest.mark.usefixtures("no_extensions_left")
def test_a_file_of_the_study_is_listed_with_its_place(tmp_path, capsys):
    (tmp_path / "gradient.py").write_text(OWN)
    (tmp_path / "study.yaml").write_text("extensions: [gradient.py]\ntasks: {}\n")
    arguments = ["list", "losses", "gradient", "--config", str(tmp_path / "study.yaml"), "--root", str(tmp_path)]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "power: 2 (a number at least 1)" in output and "cite: Somebody 2024" in output
    assert f"from: {tmp_path / 'gradient.py'}" in output


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m afpbench list losses | head -1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout == "l1\n0\n" and not result.stderr

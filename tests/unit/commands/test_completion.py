"""The shells complete what the command takes: each script runs in its own shell, where that is installed."""

import shlex
import shutil
import subprocess

import pytest

from afpbench.commands import main as cli

# Sets the words as the shell does when Tab is pressed behind the last one.
BASH = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={last}
_afpbench
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """shell -> the file that `afpbench completion` makes for it."""
    return {shell: tmp_path_factory.mktemp(shell) / "script" for shell in ("bash", "zsh", "fish")}


@pytest.fixture
def script(scripts, capsys):
    def make(shell):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        if not scripts[shell].exists():
            assert cli.main(["completion", shell]) == 0
            scripts[shell].write_text(capsys.readouterr().out)
        return scripts[shell]

    return make


def in_bash(script, *words):
    text = BASH.format(script=script, words=shlex.join(["afpbench", *words]), last=len(words))
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["va"], ["validate"]),
        (["--v"], ["--version"]),
        (["list", "lo"], ["losses"]),
        (["plan", "--js"], ["--json"]),
        (["run", "study.yaml", "--co"], ["--config", "--cores"]),
        (["evaluate", "--tables", "synthrad"], ["synthrad2023", "synthrad2025"]),
        (["evaluate", "--tables", "=", "pap"], ["paper"]),
        (["evaluate", "--tables", "="], ["paper", "synthrad2023", "synthrad2025"]),
        (["evaluate", "--out", ""], []),  # then the shell completes files
        (["validate", ""], []),
        (["run", "--", "--co"], []),  # Snakemake's
        (["none", "--"], []),
    ],
)
def test_bash(script, words, found):
    assert in_bash(script("bash"), *words) == found


def test_bash_knows_every_command(script):
    assert in_bash(script("bash"), "") == list(cli.COMMANDS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("afpbench va", ["validate"]),
        ("afpbench list lo", ["losses"]),
        ("afpbench plan --js", ["--json"]),
        ("afpbench run study.yaml --co", ["--config", "--cores"]),
        ("afpbench list metrics --ta", []),  # an option of the command `metrics`
        ("afpbench evaluate --tables pap", ["paper"]),
    ],
)
def test_fish(script, line, found):
    text = f"source {script('fish')}; complete -C {shlex.quote(line)}"
    said = subprocess.run(["fish", "--no-config", "-c", text], capture_output=True, text=True, check=True)
    assert said.stderr == "" and sorted(row.split("\t")[0] for row in said.stdout.splitlines()) == found


def test_zsh_reads_it(script):
    """What it completes is what bash does; a shell without a terminal cannot press Tab."""
    said = subprocess.run(["zsh", "-f", "-c", f"source {script('zsh')}"], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")

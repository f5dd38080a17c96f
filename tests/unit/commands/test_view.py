"""The command `afpbench view`: which folder, which case, and what it prints."""

import argparse
import json
from pathlib import Path

import pytest
import yaml
from small_study import study_with

from afpbench.base.errors import ConfigError
from afpbench.commands import main as cli
from afpbench.commands import view
from afpbench.viewer.folder import ResultsFolder


@pytest.fixture
def study(tmp_path) -> Path:
    """A study file, and the results folder that it names, in which nothing is yet."""
    content = study_with({"t": {"columns": [{"metric": "mae"}]}}) | {"results": "out", "extensions": []}
    (tmp_path / "out").mkdir()
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "study.yaml"


def opened(path: Path, root: Path, preset: str | None = None) -> ResultsFolder:
    return view.open_folder(argparse.Namespace(study=path, root=root, preset=preset))


def test_a_study_file_says_where_its_results_lie_and_what_they_are(study):
    folder = opened(study, study.parent)
    assert folder.path == study.parent / "out"
    assert [row["run"] for row in folder.contents["tasks"]["lung"]["rows"]][:2] == ["l1", "mse"]


def test_a_results_folder_says_it_itself(study):
    contents = opened(study, study.parent).contents
    (study.parent / "out" / "contents.json").write_text(json.dumps(contents))
    assert opened(study.parent / "out", Path()).contents == contents


def test_the_case_to_begin_with(study):
    folder = opened(study, study.parent)
    case = folder.contents["tasks"]["lung"]["others"][0]
    assert view.place_of(case, folder) == {"task": "lung", "case": case}
    with pytest.raises(ConfigError, match="--case: not allowed; found: 'nobody'"):
        view.place_of("nobody", folder)


@pytest.mark.parametrize("ssh", [False, True])
def test_what_it_prints_and_opens(study, ssh, monkeypatch, capsys):
    """Over SSH a browser of this machine would be seen by nobody: the tunnel's line is printed instead."""
    browsed: list[str] = []
    monkeypatch.setattr(view.webbrowser, "open", browsed.append)
    monkeypatch.setattr(view.Server, "serve_forever", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(view.getpass, "getuser", lambda: "ann")
    monkeypatch.setattr(view.socket, "gethostname", lambda: "cluster")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if ssh:
        monkeypatch.setenv("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22")
    case = opened(study, study.parent).contents["tasks"]["lung"]["test"][1]
    assert cli.main(["view", str(study), "--root", str(study.parent), "--case", case]) == 0
    lines = capsys.readouterr().out.split()
    address = next(line for line in lines if line.startswith("http://127.0.0.1:"))
    assert address.endswith(f"/#task=lung&case={case}")
    port = address.split(":")[2].split("/")[0]
    assert browsed == ([] if ssh else [address])
    assert (f"{port}:127.0.0.1:{port}" in lines and "ann@cluster" in lines) == ssh


def test_no_browser_is_opened_where_none_is_wanted_or_none_could_be_seen(study, monkeypatch):
    monkeypatch.setattr(view.webbrowser, "open", lambda address: pytest.fail(f"opened {address}"))
    monkeypatch.setattr(view.Server, "serve_forever", lambda self: None)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    arguments = ["view", str(study), "--root", str(study.parent)]
    assert cli.main([*arguments, "--no-browser"]) == 0
    for name in view.SCREENS:
        monkeypatch.delenv(name, raising=False)
    assert cli.main(arguments) == 0

"""Rules that no module may break: no pickle, no shell, no unsafe YAML; and what packages are licensed under."""

import ast
import runpy
from pathlib import Path

import pytest

from afpbench.base.errors import ConfigError
from afpbench.study.load import read_study

ROOT = Path(__file__).parents[3]
MODULES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


def calls(path: Path):
    """Every call in a module: its dotted name, and its keywords with their values where those are constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
            yield ast.unparse(node.func), keywords, node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_can_run_code(path):
    for name, keywords, node in calls(path):
        assert name not in ("pickle.load", "pickle.loads", "eval", "exec", "os.system", "os.popen", "yaml.unsafe_load")
        if name == "torch.load":
            assert keywords.get("weights_only") is True, f"line {node.lineno}: torch.load without weights_only=True"
        if name.endswith("np.load"):
            assert keywords.get("allow_pickle") is not True, f"line {node.lineno}"
        if name == "yaml.load":
            assert len(node.args) + len(node.keywords) == 2, f"line {node.lineno}: yaml.load without a loader"
            assert "unsafe" not in ast.unparse(node).lower() and "FullLoader" not in ast.unparse(node)
        assert keywords.get("shell") is not True, f"line {node.lineno}: a command for a shell"


def test_a_study_file_cannot_run_code(tmp_path):
    study, trace = tmp_path / "study.yaml", tmp_path / "trace"
    study.write_text(f"seed: !!python/object/apply:os.mkdir ['{trace}']\n")
    with pytest.raises(ConfigError):
        read_study(study)
    assert not trace.exists()


def test_no_rule_has_a_shell_command():
    for path in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        assert "shell:" not in path.read_text(encoding="utf-8"), path


def test_the_page_of_licences_is_what_the_installed_packages_say():
    script = runpy.run_path(str(ROOT / "docs" / "reference" / "make_licences.py"))
    page = (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
    assert page == script["page"](), "python docs/reference/make_licences.py writes it anew"

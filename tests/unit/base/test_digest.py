import shutil
import sys

import pytest

from afpbench.base import digest as module
from afpbench.base.digest import closure, digest

LOSS = '''"""Docstring of the module."""

import math


class Loss:
    """What it is."""

    weight = 1.0
    options = {"description": "What it is for.", "default": 2}

    def forward(self, x):
        """How it does it."""
        from . import helpers

        return helpers.scale(self.weight) * math.fabs(x)  # Eq. 1
'''
FILES = {
    "__init__.py": "",
    "losses/__init__.py": '_EXPORTS = {"Term": ".base"}\n',
    "losses/base.py": "from ..base.errors import Wrong\n\nTerm = object\n",
    "losses/l1.py": LOSS,
    "losses/helpers.py": "from ..volumes.io import read\n\nscale = read\n",
    "volumes/io.py": "read = float\n",
    "base/errors.py": "Wrong = ValueError\n",
    "training.py": "from afpbench.losses import Term\nfrom .study.kinds.registry import LOSSES\n",
    "typed.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .losses import l1\n",
    "study/kinds/registry.py": "from .losses import l2\n",
    "study/kinds/loss.py": "Loss = object\n",
    "study/kinds/losses/l2.py": "from ..loss import Loss\nfrom .shared import power\n",
    "study/kinds/losses/shared.py": "power = 2\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in place of afpbench's own."""
    folder = tmp_path / "afpbench"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(module, "PACKAGE", folder)
    module.forget()
    yield folder
    module.forget()


def names(*modules):
    return {module.label(*item).removeprefix("afpbench.") for item in closure(*modules).items()}


def edited(package, old, new, name="losses/l1.py", of="afpbench.losses.l1"):
    """The digest after an edit."""
    text = (package / name).read_text()
    assert text.count(old) == 1
    (package / name).write_text(text.replace(old, new))
    module.forget()
    return digest(of)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # Eq. 1", "  # Eq. 1 of the paper"),
        ("  # Eq. 1", ""),
        ('"""Docstring of the module."""', '"""Another docstring."""'),
        ('    """What it is."""\n', ""),
        ('"""How it does it."""', '"""How it does it,\n        said at length."""'),
        ("\n\n\nclass", "\n\n\n\n\nclass"),
        ('"What it is for."', '"What it is good for."'),
        (
            "helpers.scale(self.weight) * math.fabs(x)",
            "(\n            helpers.scale(self.weight) * math.fabs(x)\n        )",
        ),
    ],
)
def test_comments_docstrings_descriptions_and_layout_do_not_count(package, old, new):
    before = digest("afpbench.losses.l1")
    assert edited(package, old, new) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (") * math.fabs(x)", ") + math.fabs(x)"),
        ("weight = 1.0", "weight = 2.0"),
        ('"default": 2', '"default": 3'),
        ('"description": "What', '"title": "What'),
        ("def forward", "def backward"),
        ("import math\n", "import math\nimport cmath\n"),
        ("# Eq. 1", "* 2"),
    ],
)
def test_a_changed_formula_counts(package, old, new):
    before = digest("afpbench.losses.l1")
    assert edited(package, old, new) != before


def test_what_is_imported_counts_wherever_the_import_stands(package):
    assert names("afpbench.losses.l1") == {"losses.l1", "losses", "losses.helpers", "volumes.io"}
    before = digest("afpbench.losses.l1")
    assert edited(package, "float", "int", "volumes/io.py") != before


def test_a_lazy_name_of_a_package_leads_to_its_module(package):
    assert names("afpbench.training") == {"training", "losses", "losses.base"}


def test_planning_and_plumbing_do_not_count(package):
    """training.py imports the registry, losses/base.py the errors."""
    before = digest("afpbench.training")
    assert edited(package, "l2", "l3", "study/kinds/registry.py", "afpbench.training") == before
    assert edited(package, "ValueError", "OSError", "base/errors.py", "afpbench.training") == before


def test_a_kind_counts_with_what_it_shares_with_others_of_its_group(package):
    assert names("afpbench.study.kinds.losses.l2") == {"study.kinds.losses.l2", "study.kinds.losses.shared"}


def test_imports_of_type_checkers_do_not_count(package):
    assert names("afpbench.typed") == {"typed"}


def test_other_modules_do_not_count(package):
    before = digest("afpbench.losses.base")
    assert edited(package, "float", "int", "volumes/io.py", "afpbench.losses.base") == before
    assert digest("afpbench.losses.base", "afpbench.volumes.io") != before
    (package / "losses" / "mse.py").write_text("X = 1\n")
    module.forget()
    assert digest("afpbench.losses.base") == before


def test_a_module_that_is_not_there_is_an_error(package):
    with pytest.raises(ImportError, match=r"there is no module afpbench\.losses\.missing"):
        digest("afpbench.losses.missing")


def test_a_script_counts_with_what_it_imports(package, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("from afpbench.training import Term\n")
    assert names(script) == {"train", "training", "losses", "losses.base"}


def test_a_package_of_others_counts_with_ours_that_it_imports(package, tmp_path, monkeypatch):
    other = tmp_path / "site" / "mine"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('a digest imports nothing')\n")
    (other / "loss.py").write_text("import json\nfrom afpbench.volumes.io import read\nfrom . import power\n")
    (other / "power.py").write_text("P = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert names("mine.loss") == {"mine.loss", "mine", "mine.power", "volumes.io"}
    assert "mine" not in sys.modules


def test_an_extension_file_counts_wherever_it_lies(package, tmp_path, monkeypatch):
    """Its module's name holds a digest of its place."""
    digests = set()
    for folder in ("a", "b"):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text("from afpbench.losses.base import Term\n")
        name = f"afpbench_extension_mine_{folder}"
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
        sys.modules[name].__file__ = str(path)
        assert names(name) == {"mine", "losses", "losses.base"}
        digests.add(digest(name))
    assert len(digests) == 1


def test_what_is_known_is_kept_in_a_file(package, tmp_path, monkeypatch):
    """The next process parses nothing, with the same digests; a damaged file is made anew."""
    file = tmp_path / "kept" / "digests.json"
    monkeypatch.setattr(module, "_store", module.Store())
    module.keep_in(file)
    first = digest("afpbench.training")
    for damage in (None, "{"):
        if damage:
            file.write_text(damage)
        monkeypatch.setattr(module, "_store", module.Store())
        module.forget()
        module.keep_in(file)
        if not damage:
            with monkeypatch.context() as patch:
                patch.setattr(module.ast, "parse", lambda *_: pytest.fail("parsed again"))
                assert digest("afpbench.training") == first
    assert digest("afpbench.training") == first
    monkeypatch.setattr(module, "_store", module.Store())
    module.forget()
    module.keep_in(file)
    assert edited(package, "object", "type", "losses/base.py", "afpbench.training") != first


def test_on_a_copy_of_the_package_itself(tmp_path, monkeypatch):
    copy = tmp_path / "afpbench"
    shutil.copytree(module.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = digest("afpbench.training.variant")
    monkeypatch.setattr(module, "PACKAGE", copy)
    module.forget()
    try:
        assert digest("afpbench.training.variant") == before
        path = copy / "nnunet" / "planning.py"
        path.write_text("# A comment.\n" + path.read_text())
        module.forget()
        assert digest("afpbench.training.variant") == before
        path.write_text(path.read_text() + "\n\nEXTRA = 1\n")
        module.forget()
        assert digest("afpbench.training.variant") != before
    finally:
        module.forget()


def test_the_jobs_of_a_rule_share_one_digest(package, monkeypatch):
    first = digest("afpbench.losses.l1", without=["afpbench.losses.base"])
    monkeypatch.setattr(module, "closure", None)  # nothing is looked at again
    assert digest("afpbench.losses.l1", without=["afpbench.losses.base"]) == first
    module.forget()
    with pytest.raises(TypeError):
        digest("afpbench.losses.l1", without=["afpbench.losses.base"])

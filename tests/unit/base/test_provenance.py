import shutil

import pytest

from afpbench.base import provenance

SOURCE = '''"""Docstring of the module."""

import math


class Loss:
    """What it is."""

    weight = 1.0

    def forward(self, x):
        """How it does it."""
        return self.weight * math.fabs(x)  # Eq. 1
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in place of afpbench's own."""
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "__init__.py").write_text("")
    (tmp_path / "losses" / "l1.py").write_text(SOURCE)
    (tmp_path / "io.py").write_text("X = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    return tmp_path


def edited(package, old, new):
    path = package / "losses" / "l1.py"
    assert old in SOURCE
    path.write_text(SOURCE.replace(old, new))
    return provenance.code_digest("losses")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # Eq. 1", "  # Eq. 1 of the paper"),
        ("  # Eq. 1", ""),
        ('"""Docstring of the module."""', '"""Another docstring."""'),
        ('    """What it is."""\n', ""),
        ('"""How it does it."""', '"""How it does it,\n        said at length."""'),
        ("\n\n\nclass", "\n\n\n\n\nclass"),
        ("self.weight * math.fabs(x)", "(\n            self.weight * math.fabs(x)\n        )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(package, old, new):
    before = provenance.code_digest("losses")
    assert edited(package, old, new) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.weight * math.fabs(x)", "self.weight + math.fabs(x)"),
        ("weight = 1.0", "weight = 2.0"),
        ("def forward", "def backward"),
        ("import math\n", "import math\nimport cmath\n"),
        ("# Eq. 1", "* 2"),
    ],
)
def test_a_changed_formula_counts(package, old, new):
    before = provenance.code_digest("losses")
    assert edited(package, old, new) != before


def test_files_that_come_go_and_move_count(package):
    digests = {provenance.code_digest("losses")}
    (package / "losses" / "afp.py").write_text("Y = 2\n")
    digests.add(provenance.code_digest("losses"))
    (package / "losses" / "afp.py").rename(package / "losses" / "perceptual.py")
    digests.add(provenance.code_digest("losses"))
    assert len(digests) == 3


def test_other_modules_do_not_count(package):
    before = provenance.code_digest("losses")
    (package / "io.py").write_text("X = 2\n")
    assert provenance.code_digest("losses") == before
    assert provenance.code_digest("losses", "io") != before
    assert provenance.code_digest("losses.l1") != before


def test_a_function_of_a_docstring_alone(package):
    (package / "io.py").write_text('def f():\n    """Nothing."""\n')
    first = provenance.code_digest("io")
    (package / "io.py").write_text('def f():\n    """Still nothing."""\n')
    assert provenance.code_digest("io") == first


def test_a_module_that_is_not_there_is_an_error(package):
    with pytest.raises(FileNotFoundError):
        provenance.code_digest("losses.missing")


def test_on_a_copy_of_the_package_itself(tmp_path, monkeypatch):
    copy = tmp_path / "afpbench"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = provenance.code_digest("training", "losses")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    assert provenance.code_digest("training", "losses") == before
    path = copy / "losses" / "l1.py"
    path.write_text("# A comment.\n" + path.read_text())
    assert provenance.code_digest("training", "losses") == before
    path.write_text(path.read_text() + "\n\nEXTRA = 1\n")
    assert provenance.code_digest("training", "losses") != before

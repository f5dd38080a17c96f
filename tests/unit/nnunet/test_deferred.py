"""afpbench.nnunet.deferred: what is imported late is the real thing, for everyone, and only when it is used."""

import sys

import pytest

from afpbench.nnunet.deferred import deferred_imports

MODULES = {"a_plotter": (), "a_compiler": ("Compiled",)}
USER = """
import a_plotter as plotter
from a_compiler import Compiled

def plot():
    return plotter.line(2)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    (tmp_path / "a_plotter.py").write_text("def line(length):\n    return '-' * length\n")
    (tmp_path / "a_compiler.py").write_text("class Compiled:\n    def __init__(self, of):\n        self.of = of\n")
    (tmp_path / "a_user.py").write_text(USER)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in (*MODULES, "a_user"):
        sys.modules.pop(name, None)


def import_user():
    with deferred_imports(MODULES):
        import a_user
    return a_user


def test_nothing_is_imported_before_it_is_used(modules):
    user = import_user()
    assert not {*MODULES} & {*sys.modules}
    assert user.plot() == "--"
    assert "a_plotter" in sys.modules and "a_compiler" not in sys.modules


def test_a_class_knows_its_instances(modules):
    user = import_user()
    assert not isinstance(3, user.Compiled)
    assert "a_compiler" not in sys.modules
    made = user.Compiled(of=3)
    import a_compiler

    assert type(made) is a_compiler.Compiled and made.of == 3
    assert isinstance(made, user.Compiled)
    assert not isinstance(3, user.Compiled)


def test_others_import_the_real_module(modules):
    import_user()
    import a_plotter

    assert a_plotter.__file__.endswith("a_plotter.py")


def test_what_is_used_within_is_imported_at_once(modules):
    with deferred_imports(MODULES):
        import a_user

        assert a_user.plot() == "--"
    import a_plotter

    assert a_plotter.line(1) == "-"


def test_a_module_that_is_there_stays(modules):
    import a_plotter

    with deferred_imports(MODULES):
        assert sys.modules["a_plotter"] is a_plotter
    assert sys.modules["a_plotter"] is a_plotter


def test_a_name_that_the_module_does_not_have(modules):
    with deferred_imports(MODULES):
        import a_plotter
    with pytest.raises(AttributeError, match="a_plotter"):
        a_plotter.circle  # noqa: B018

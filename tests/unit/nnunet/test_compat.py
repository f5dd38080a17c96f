"""afpbench.nnunet.compat: packages that import torchvision must import, in a fresh process too."""

import importlib.util

import pytest
from fresh_process import printed

from afpbench.nnunet import compat

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
)


@needs_torchvision
def test_torchvision_imports_in_a_fresh_process():
    code = (
        "from afpbench.nnunet.compat import ensure_torchvision_operators as ensure\n"
        "ensure(); print(ensure())\n"
        "import torch, torchvision\n"
        "print(hasattr(torch.ops.torchvision, 'nms'))"
    )
    assert printed(code).split() == ["[]", "True"]  # the second call declares nothing


@needs_torchvision
def test_the_second_call_does_nothing():
    compat.ensure_torchvision_operators()
    before = list(compat._libraries)
    assert compat.ensure_torchvision_operators() == []
    assert compat._libraries == before


def test_nothing_is_declared_where_torchvision_is_absent(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compat.ensure_torchvision_operators() == []


def test_importing_compat_does_not_import_torch():
    code = "import sys, afpbench.nnunet.compat; print('torch' in sys.modules)"
    assert printed(code).strip() == "False"

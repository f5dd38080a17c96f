"""Imports that wait until they are needed.

nnU-Net and TotalSegmentator import packages for plots, tables, cross-validation, DICOM and torch.compile before they
segment an image, and the jobs here call none of that: half of the time before the first case of a job went into them.
A training's optimiser asks for torch.compile; what is for plots and tables can wait there too.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

# Module -> the classes that others import from it by name.
HEAVY = {
    "torch._dynamo": ("OptimizedModule",),
    "nnunetv2.training.logging.nnunet_logger": ("MetaLogger",),  # seaborn and Matplotlib
    "sklearn.model_selection": ("KFold",),
    "pandas": (),
    "dicom2nifti": (),
}
TRAINING = {  # and planning one; its optimiser imports the first in the end, which asks for the others' files
    "torch._dynamo": HEAVY["torch._dynamo"],
    "seaborn": (),
    "matplotlib.pyplot": (),
    "sklearn.model_selection": HEAVY["sklearn.model_selection"],
    "pandas": (),
}


@contextlib.contextmanager
def deferred_imports(modules: Mapping[str, Sequence[str]] = HEAVY) -> Iterator[None]:
    """What is imported for the first time within gets these modules only when it uses something of them.

    A module that is there already stays. Nothing is taken away: a stand-in imports the real module at the first use of
    an attribute or class, and afterwards everyone else imports the real one.
    """
    stand_ins = {name: _Module(name) for name in modules if name not in sys.modules}
    for name, module in stand_ins.items():
        for attribute in modules[name]:
            setattr(module, attribute, _Class(attribute, (), {"__module__": name}))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _real(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _Module):
        del sys.modules[name]
    return importlib.import_module(name)


class _Module(ModuleType):
    """Stands for a module; any attribute is the real one's."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # Python's own questions, such as for a loader
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _Class(type):
    """Stands for a class: its instances are the real one's, of which there are none before its module is imported."""

    def __call__(cls, *arguments, **named):
        return getattr(_real(cls.__module__), cls.__name__)(*arguments, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        module = sys.modules.get(cls.__module__)
        return module is not None and isinstance(instance, getattr(module, cls.__name__))

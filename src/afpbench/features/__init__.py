"""Frozen networks whose features a loss compares. Importing this package imports nothing heavy."""

from importlib import import_module

_EXPORTS = {"FeatureNetwork": ".base", "load": ".base"}

__all__ = ["FeatureNetwork", "load"]


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Loss terms at work. Importing the package imports nothing heavy; a study file names them by study/kinds/losses."""

from importlib import import_module

_EXPORTS = {
    "CompositeLoss": ".composite",
    "build_loss": ".composite",
    "check_gradient": ".composite",
    "LossContext": ".base",
    "LossTerm": ".base",
}

__all__ = ["CompositeLoss", "LossContext", "LossTerm", "build_loss", "check_gradient"]


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Loss terms. Importing the package imports nothing heavy; `losses.schemas` needs the standard library only."""

from importlib import import_module

_EXPORTS = {
    "TERMS": ".composite",
    "CompositeLoss": ".composite",
    "build_loss": ".composite",
    "check_gradient": ".composite",
    "LossContext": ".base",
    "LossTerm": ".base",
    "SCHEMAS": ".schemas",
}

__all__ = ["SCHEMAS", "TERMS", "CompositeLoss", "LossContext", "LossTerm", "build_loss", "check_gradient"]


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""What `afpbench doctor` looks at: one module for each part of an installation."""

from .finding import LEVELS, Finding

__all__ = ["LEVELS", "Finding"]

"""The errors a user can meet. Each message says what, where, found against expected, and the next step."""


class AfpbenchError(Exception):
    """Base of every error that afpbench raises on purpose."""

    def __init__(self, what: str, *, found: object = None, expected: object = None, hint: str = ""):
        """
        what: the problem and where it is: the case, file or config key.
        found, expected: the two values that disagree, where there are such.
        hint: what the user can do next.
        """
        parts = [what]
        if found is not None:
            parts.append(f"found: {found}")
        if expected is not None:
            parts.append(f"expected: {expected}")
        if hint:
            parts.append(f"hint: {hint}")
        super().__init__("\n  ".join(parts))


class ConfigError(AfpbenchError):
    """The study file asks for something that cannot be."""


class DataError(AfpbenchError):
    """An image, label map or case on disk is not what it should be."""


class ModelError(AfpbenchError):
    """A network's folder, checkpoint or output is not what it should be."""


class TrainingError(AfpbenchError):
    """A training cannot go on: a NaN loss, a loss without gradient, a corrupt checkpoint."""


def one_line(error: AfpbenchError) -> str:
    """An error as a line among the problems of a study file."""
    return "; ".join(part.strip() for part in str(error).splitlines())

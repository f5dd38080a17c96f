"""The errors a user can meet. Each message says what, where, found against expected, and the next step."""

from pathlib import Path


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


class UnusableFile(DataError):
    """A file that a study made and that cannot be used any more: cut off, edited, gone, or not to be read.

    path: the file. cause: what is wrong with it. readable: whether it was read, so that its content is to blame.
    """

    def __init__(self, path: Path, cause: str, *, remove: Path | None = None, readable: bool = True):
        """remove: what has to go so that the next run makes it; by default the file itself."""
        self.path, self.cause, self.readable = path, cause, readable
        first = "put back a copy of it" if readable else "see to it that it can be read (`ls -l` says what it is)"
        again = f"remove {remove or path} and run the study again: the job that makes it runs anew, a training too"
        super().__init__(f"{path} cannot be used", found=cause, hint=f"{first}, or {again}")


class ModelError(AfpbenchError):
    """A network's folder, checkpoint or output is not what it should be."""


class TrainingError(AfpbenchError):
    """A training cannot go on: a NaN loss, a loss without gradient, a corrupt checkpoint."""


def one_line(error: AfpbenchError) -> str:
    """An error as a line among the problems of a study file."""
    return "; ".join(part.strip() for part in str(error).splitlines())

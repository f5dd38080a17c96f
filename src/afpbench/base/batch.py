"""Cases done one after another: one that fails ends nothing, and all that failed are told at the end."""

import contextlib
from collections.abc import Iterable, Iterator

from .errors import AfpbenchError, DataError
from .log import logger


class Batch:
    """The cases of one piece of work, each done inside `with batch.case(case):`. Threads may share it.

    what: how messages call the work. cases: all of it. failed: case -> error, of those that failed so far.
    """

    def __init__(self, what: str, cases: Iterable[str]):
        self.what = what
        self.cases = list(cases)
        self.failed: dict[str, Exception] = {}

    @contextlib.contextmanager
    def case(self, case: str) -> Iterator[None]:
        """Remember and log what ends this case. An error that is raised on purpose says all without its traceback."""
        try:
            yield
        except Exception as error:
            self.failed[case] = error
            logger.error("%s: case %s failed", self.what, case, exc_info=not isinstance(error, AfpbenchError))

    @property
    def all_failed(self) -> bool:
        """Whether there is a case and every one failed, which speaks of one cause for all."""
        return bool(self.cases) and len(self.failed) == len(self.cases)

    def cause(self, case: str) -> str:
        """Why a case failed."""
        return _words(self.failed[case])

    def causes(self) -> dict[str, str]:
        """Case -> why it failed, in the order of the cases."""
        return {case: self.cause(case) for case in self.cases if case in self.failed}

    def finish(self, kept: str) -> None:
        """Raise a DataError that names every failed case with its cause; of a single case, its own error.

        kept: what there is of the others, in words.
        """
        if self.failed and len(self.cases) == 1:
            raise next(iter(self.failed.values()))
        if self.failed:
            lines = [f"{case}: {cause}".replace("\n", "\n  ") for case, cause in self.causes().items()]
            raise DataError(
                "\n  ".join([f"{self.what}: {len(lines)} of {len(self.cases)} cases failed", *lines]),
                hint=f"mend these cases or leave them out, and run it again; {kept}",
            )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, AfpbenchError) else f"{type(error).__name__}: {error}"

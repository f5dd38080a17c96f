"""The table of costs (the paper's Table 4)."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..table import PUBLISHED, Table


class Cost(Table):
    """Memory and time of training and of inference, from the records of both."""

    name = "cost"
    implementation = "afpbench.tables.cost:cost_files"
    uses = ("costs", "syntheses")
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "epochs": {
            "description": "Epochs of nnU-Net's 250 iterations for which the training time is shown. Where another "
            "number of iterations was run, the time is projected from the time of one iteration, and marked.",
            "type": "integer",
            "minimum": 1,
            "default": 1000,
        },
        "published": PUBLISHED,
    }

    def problems(self) -> Iterable[str]:
        """Rows that are not there, and a table without a row that is trained."""
        yield from super().problems()
        if not any(row in self.task.trained for row in self.options["rows"]):
            yield f"{self.place}: none of its rows is trained, so nothing has a cost; hint: remove the table"

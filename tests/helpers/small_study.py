"""A valid study without tables, to put some into."""

import copy
from typing import Any

import yaml

from afpbench.study.kinds.registry import extensions

_STUDY = """
tasks:
  lung:
    data: {source: phantom, region: thorax, cases: 20}
    spacing_mm: [3.0, 3.0, 3.0]
    splits: {train: 8, validation: 2, test: 8}
    segmenters: {navi: {kind: trained, classes: {airway: [airway_lumen]}}}
    structures:
      airways: {segmenter: navi, classes: [airway]}
      vessels: {segmenter: navi, classes: [airway], tree: true}
    variants:
      l1: {generator: nnunet, loss: [{term: l1}]}
      mse: {generator: nnunet, loss: [{term: mse}]}
    reference: l1
"""


def study_with(tables: dict[str, Any]) -> dict[str, Any]:
    """The study with these tables in its task `lung`, and with the extension files in use."""
    study = yaml.safe_load(_STUDY)
    study["extensions"] = [str(path) for path in extensions()]
    study["tasks"]["lung"]["tables"] = copy.deepcopy(tables)
    return study

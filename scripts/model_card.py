from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.prediction.card import write_card
from afpbench.study.records import read_record

given, params = snakemake.input, snakemake.params
write_card(
    Path(given.plans).parent,
    {**params.about, "precision": params.precision},
    read_record(given.mr_range[0]),
    read_record(given.calibration[0]) if given.calibration else None,
)

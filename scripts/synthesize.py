from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.hardware import Runtime
from afpbench.inference.chunks import run_chunk
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.study.records import read_record

given, params, record = snakemake.input, snakemake.params, Path(snakemake.output[0])
options, runtime = params.options, Runtime(params.device, params.precision, snakemake.threads)
networks = [Generator(Path(plans).parent, options, runtime) for plans in given.plans]
lines = [read_record(path) for path in given.calibration] or [None] * len(networks)
members = list(zip(networks, lines, strict=True))
ensemble = Ensemble(members, options["mirror"], options["combine"], options["uncertainty"])
run_chunk(
    dict(zip(params.cases, map(Path, given.prepared), strict=True)),
    record,
    lambda case, prepared, out: synthesize_case(ensemble, prepared, out, case),
)

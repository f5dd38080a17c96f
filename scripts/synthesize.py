from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import run_chunk
from afpbench.inference.synthesis import Generator, synthesize_case

params, record = snakemake.params, Path(snakemake.output[0])
generator = Generator(
    Path(snakemake.input.plans).parent, params.options, params.device, params.precision, snakemake.threads
)
run_chunk(
    dict(zip(params.cases, map(Path, snakemake.input.prepared), strict=True)),
    record,
    lambda case, prepared, out: synthesize_case(generator, prepared, out, case),
)

from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.hardware import Runtime
from afpbench.inference.chunks import run_chunk
from afpbench.inference.mirroring import Mirrored
from afpbench.inference.synthesis import synthesize_case
from afpbench.study.records import read_record

params, record = snakemake.params, Path(snakemake.output[0])
runtime = Runtime(params.device, params.precision, snakemake.threads)
generator = Mirrored(Path(snakemake.input.plans).parent, params.options, runtime)
calibration = read_record(snakemake.input.calibration[0]) if snakemake.input.calibration else None
run_chunk(
    dict(zip(params.cases, map(Path, snakemake.input.prepared), strict=True)),
    record,
    lambda case, prepared, out: {
        **synthesize_case(generator, prepared, out, case, calibration),
        "mirror": params.options["mirror"],
    },
)

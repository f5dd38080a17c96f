from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.hardware import Runtime
from afpbench.data.failures import alive
from afpbench.inference.calibration import calibrate
from afpbench.inference.mirroring import Mirrored

params = snakemake.params
runtime = Runtime(params.device, params.precision, snakemake.threads)
generator = Mirrored(Path(snakemake.input.plans).parent, params.options, runtime)
name = f"{snakemake.wildcards.task}/{snakemake.wildcards.variant}"
calibrate(name, generator, alive(snakemake.input.prepared), Path(snakemake.output[0]))

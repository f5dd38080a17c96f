from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.hardware import Runtime
from afpbench.data.failures import alive
from afpbench.inference.calibration import calibrate
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import Generator

params = snakemake.params
runtime = Runtime(params.device, params.precision, snakemake.threads)
network = Generator(Path(snakemake.input.plans).parent, params.options, runtime)
ensemble = Ensemble([(network, None)], params.options["mirror"])
name = f"{snakemake.wildcards.task}/{snakemake.wildcards.variant}"
calibrate(name, lambda mr: ensemble(mr).hu, alive(snakemake.input.prepared), Path(snakemake.output[0]))

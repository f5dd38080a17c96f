from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.base.atomic import write_json
from afpbench.data.failures import alive
from afpbench.study.records import read_record
from afpbench.volumes import mr_range

given = snakemake.input
statistics = read_record(given.normalization[0])["mr"]
write_json(snakemake.output[0], mr_range.fit(alive(given.imported), alive(given.prepared), statistics))

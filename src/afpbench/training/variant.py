"""Train one variant of a task: a generator on a loss."""

from pathlib import Path

from ..base.atomic import read_json, sha256_of
from ..base.errors import TrainingError
from ..base.hardware import Runtime
from ..nnunet import planning
from ..study.kinds.registry import GENERATORS, NETWORKS
from ..study.records import read_record
from . import run
from .judge import judge_files
from .training_set import DATASET


def train_variant(
    name: str,
    training_set: Path,
    normalization: Path,
    variant: dict,
    networks: dict[str, dict],
    start: Path | None,
    work: Path,
    out: Path,
    runtime: Runtime,
    label_values: dict[str, list[int]] | None = None,
) -> None:
    """Train and leave a model folder at `out`.

    name: how messages call it. training_set: the folder that `training_set.build` wrote. normalization:
    normalization.json. variant: its entry in the study; with `judge`, options of judge.Judge, where structures of whole
    validation cases are judged. networks: feature networks by name, for `features.load`.
    start: a checkpoint to take the first weights from (`init_from`). work: rolling state that outlives a killed job.
    label_values: of the names in patch sampling and loss regions, the label values in the cases' label maps.
    """
    if not (training_set / DATASET).is_dir():
        raise TrainingError(f"{name}: no training set", found=str(training_set), expected=f"a folder with {DATASET}")
    statistics, judge = read_record(normalization), variant.get("judge")
    settings = {
        "name": name,
        "generator": variant["generator"],
        "loss": variant["loss"],
        "training": variant["training"],
        "networks": networks,
        "label_values": label_values or {},
        "mr_statistics": statistics["mr"],
        "ct_statistics": statistics["ct"],
        "start": str(start) if start else None,
        "precision": runtime.precision,
        "seed": runtime.seed,
        "inputs": _digests(training_set, normalization, networks, start, judge),
        **({"judge": judge} if judge else {}),
    }
    generator = read_json(training_set / DATASET / f"{planning.PLANS}.json")["generator"]
    trainer = GENERATORS[generator["kind"]].trainer
    run.train(trainer, training_set / DATASET, settings, work, out, runtime)


def _digests(
    training_set: Path, normalization: Path, networks: dict[str, dict], start: Path | None, judge: dict | None
) -> dict[str, str]:
    """What the training depends on beside its settings: a changed input starts a new training, not a resume."""
    dataset = training_set / DATASET
    files = {"training set": dataset / "digest.json", "plan": dataset / f"{planning.PLANS}.json"}
    files["normalization"] = normalization
    for name, network in networks.items():
        for path in NETWORKS[network["kind"]].weight_files(network):
            files[f"{name}: {path.parent.name}/{path.name}"] = path
    if start is not None:
        files["start"] = start
    if judge is not None:
        files |= judge_files(judge)
    return {name: sha256_of(path) for name, path in files.items()}

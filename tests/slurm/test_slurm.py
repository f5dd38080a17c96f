"""A study through a real SLURM with the shipped profile, and trainings that SLURM kills. `make slurm` runs this."""

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import conda_rig, copy_project, environments_of, planned_jobs, snakemake
from slurm_run import COMMAND, PROFILE, through_slurm

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
HERE = Path(__file__).parent
TARGET = "results/thorax/models/variants/afp/fold_0/checkpoint_final.pth"
LOCAL_RULES = {"all", "splits"}
GPU_RULES = {"train_segmenter", "train_variant", "synthesize", "segment_real", "segment"}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The folder of a running two-node cluster."""
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"a SLURM can be started by root where it is installed (`make slurm`); missing: {missing}")
    folder = tmp_path_factory.mktemp("cluster")
    try:
        subprocess.run([HERE / "start.sh", folder], check=True, timeout=120)
        yield folder
    finally:
        subprocess.run([HERE / "stop.sh", folder], check=True, timeout=60)


def scontrol(*arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], check=True, capture_output=True, text=True, timeout=30).stdout


def submitted(output: str) -> dict[str, str]:
    """SLURM's job id -> the rule (`rule_x`) or group (`group_x_...`) that Snakemake submitted."""
    found = re.findall(r"submitted with SLURM jobid (\d+) \(log: \S*/logs/slurm/([^/]+)/", output)
    return dict(found)


@pytest.fixture(scope="session")
def runs(cluster, tmp_path_factory):
    """The study run locally, and through SLURM in conda environments (the stand-in's): two folders, and what Snakemake
    printed in the second."""
    folders = [copy_project(tmp_path_factory.mktemp(name) / "project") for name in ("local", "slurm")]
    for folder in folders:
        shutil.copyfile(HERE.parent / "e2e" / "smallest.yaml", folder / "study.yaml")
    local = snakemake(folders[0], "--cores", "2", "--configfile", "study.yaml")
    assert local.returncode == 0, local.stdout[-5000:]
    through = through_slurm(folders[1], "--use-conda", **conda_rig(folders[1]))
    assert through.returncode == 0, through.stdout[-5000:]
    return *folders, through.stdout


def test_every_job_went_through_sbatch(runs, cluster):
    _, folder, output = runs
    every = yaml.safe_load((folder / "profiles/slurm/config.yaml").read_text())["groups"]
    planned = planned_jobs(output)  # of these rules, the study needs some: no maps of SD, for one
    groups = {rule: group for rule, group in every.items() if rule in planned}
    names = submitted(output).values()
    singles = {name.removeprefix("rule_") for name in names if name.startswith("rule_")}
    grouped = {rule for rule, group in groups.items() if any(name.startswith(f"group_{group}_") for name in names)}
    assert singles | grouped | LOCAL_RULES == set(planned_jobs(output))
    assert not (singles | grouped) & LOCAL_RULES
    finished = re.findall(r"^JobId=(\d+) .*JobState=COMPLETED", (cluster / "log" / "jobs.txt").read_text(), re.M)
    assert set(submitted(output)) <= set(finished)


def test_the_chains_of_all_cases_are_one_job(runs):
    _, _, output = runs
    assert planned_jobs(output)["import_case"] == 4
    assert [name for name in submitted(output).values() if name.startswith("group_cases_")] != []
    assert len([name for name in submitted(output).values() if name.startswith("group_cases_")]) == 1


def test_jobs_of_networks_and_no_other_ask_for_a_gpu(runs):
    _, _, output = runs
    for number, name in submitted(output).items():
        job = scontrol("show", "job", number)
        on_gpu = name.removeprefix("rule_") in GPU_RULES
        assert ("TresPerJob=gres:gpu:1" in job) == on_gpu, name
        assert f"Partition={'gpu' if on_gpu else 'cpu'}\n" in job.replace(" ", "\n"), name


def test_results_equal_a_local_runs_to_the_last_byte(runs):
    local, through, _ = runs
    for pattern in ("metrics/**/*.csv", "tables/*", "statistics/*.csv", "segmenters/*.csv"):
        files = sorted(path.relative_to(local) for path in (local / "results/thorax").glob(pattern) if path.is_file())
        assert files, pattern
        for name in files:
            assert (through / name).read_bytes() == (local / name).read_bytes(), name


def test_every_job_ran_in_its_conda_environment(runs, project):
    """`--use-conda` and the profile together, jobs of groups too."""
    _, folder, output = runs
    named = {}
    for path in (project / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            named[rule.partition(":")[0]] = re.search(r"envs/([\w-]+\.yaml)", rule)[1]
    jobs = {rule: count for rule, count in planned_jobs(output).items() if rule not in LOCAL_RULES}
    expected = Counter(named[rule] for rule, count in jobs.items() for _ in range(count))
    environments, calls = environments_of(folder), (folder / "conda.log").read_text().splitlines()
    assert expected["imaging.yaml"] >= 16 and expected["nnunet.yaml"] >= 3  # four steps of four cases; trainings
    for name, count in expected.items():
        assert calls.count(f"activate {environments[name]}") >= count, name


# --- trainings that SLURM ends


def text(log: Path) -> str:
    """A log that Snakemake may just have removed, for another attempt."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def epochs(log: Path) -> list[int]:
    return [int(number) for number in re.findall(r"epoch (\d+)/\d+", text(log))]


def wait_until(condition, process, seconds=900):
    """The first true value of the condition while the process lives."""
    limit = time.monotonic() + seconds
    while not (value := condition()):
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.1)
    return value


def start_training(folder: Path, iterations: int, gpus: int = 1):
    """A longer training of the study's variant through SLURM: (Snakemake's process, the rule's log, what it prints).

    In no conda environment: only what the study asks for is another than in the run before.
    """
    study = yaml.safe_load((folder / "study.yaml").read_text())
    options = {"iterations": iterations, "iterations_per_epoch": 20, "augmentation": "none", "gpus": gpus}
    study["tasks"]["thorax"]["variants"]["afp"]["training"] = options
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    log, printed = folder / "results/thorax/logs/train/afp.log", folder / "printed.log"
    log.unlink(missing_ok=True)
    with open(printed, "w") as file:
        process = subprocess.Popen(
            [*COMMAND, TARGET, *PROFILE, "--rerun-triggers", "params"],
            cwd=folder, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    return process, log, printed


def submitted_trainings(printed: Path) -> list[str]:
    return [number for number, rule in submitted(printed.read_text()).items() if rule == "rule_train_variant"]


def test_a_training_that_slurm_ends_goes_on_from_its_checkpoint(runs):
    """First `scancel`, which Snakemake answers with a retry; then the node goes down, and SLURM itself requeues.

    It is a training in two processes, for two GPUs of one node.
    """
    _, folder, _ = runs
    process, log, printed = start_training(folder, iterations=400, gpus=2)  # 20 epochs: still there when the node goes

    def trainings():
        return submitted_trainings(printed)

    wait_until(lambda: 3 in epochs(log), process)
    (first,) = trainings()
    subprocess.run(["scancel", first], check=True, timeout=30)
    second = wait_until(lambda: trainings()[1:], process)[0]
    wait_until(lambda: "going on from" in text(log) and len(epochs(log)) > 2, process)
    assert min(epochs(log)) > 1
    reached = max(epochs(log))
    memory = [re.search(r" *TRES=.*mem=([\d.]+\w)", scontrol("show", "job", job)).group(1) for job in (first, second)]
    assert memory == ["32000M", "62.50G"]  # 64000 MB, as SLURM writes it
    job = scontrol("show", "job", second)
    assert "TresPerJob=gres:gpu:2" in job and "NumNodes=1 " in job
    node = re.search(r"BatchHost=(\w+)", job).group(1)
    scontrol("update", f"nodename={node}", "state=down", "reason=test")
    try:
        wait_until(lambda: "Restarts=1" in scontrol("show", "job", second), process)
        scontrol("update", f"jobid={second}", "starttime=now")  # SLURM would wait two minutes
        assert process.wait(timeout=1800) == 0, printed.read_text()[-3000:]
    finally:
        process.terminate()
        # Not before: what is left of the job on this node would refuse the same job.
        scontrol("update", f"nodename={node}", "state=resume")
    assert len(trainings()) == 2  # the requeued job kept its number
    assert "going on from" in text(log)
    assert min(epochs(log)) >= reached - 1 > 1 and max(epochs(log)) == 20
    lines = (folder / TARGET).parents[1].joinpath("curves.csv").read_text().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(20))


@pytest.mark.skipif("AFPBENCH_LONG_TESTS" not in os.environ, reason="SLURM takes minutes; set AFPBENCH_LONG_TESTS=1")
def test_a_training_that_reaches_its_time_limit_goes_on_from_its_checkpoint(runs):
    _, folder, _ = runs
    process, log, printed = start_training(folder, iterations=20_000)
    try:
        wait_until(lambda: 3 in epochs(log), process)
        (first,) = submitted_trainings(printed)
        scontrol("update", f"jobid={first}", "timelimit=1")
        second = wait_until(lambda: submitted_trainings(printed)[1:], process)[0]
        assert "JobState=TIMEOUT" in scontrol("show", "job", first)
        wait_until(lambda: "going on from" in text(log) and len(epochs(log)) > 2, process)
        assert min(epochs(log)) > 1
        assert "JobState=RUNNING" in scontrol("show", "job", second)
    finally:
        process.kill()  # at SIGTERM it would wait for its jobs
        subprocess.run(["scancel", *submitted_trainings(printed)], check=True, timeout=30)

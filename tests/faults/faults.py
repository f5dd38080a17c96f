"""Faults, tried for real on the smallest study: what was tried, what survived, what was lost.

    python tests/faults/faults.py [--kills 20] [--only NAME ...] [--out FILE] [--work FOLDER]

Every scenario starts from a copy of the project, hurts a run, gives the same command again, and compares every number
and table with those of a run that nothing disturbed. Disks of its own (a full one, a read-only one) need root.
Exit code 1 where a scenario did not end as it should. The table is that of docs/reliability.md.
"""

import argparse
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

from runs import Run, job_pids, jobs_of, kill, wait_for, workplace

LONG = ("training: {iterations: 4, iterations_per_epoch: 2", "training: {iterations: 400, iterations_per_epoch: 20")
EARLY = "results/thorax/normalization/normalization.json"  # everything before the first training
MODEL = "results/thorax/models/variants/afp/fold_0/checkpoint_final.pth"
AIMED = ("register_case", "train_segmenter", "training_set", "train_variant", "synthesize", "segment", "row_metrics",
         "table", "figure_surfaces", "report")  # fmt: skip
CURE = 'find results -newermt now -exec touch -d "$(date -Ins)" {} +'  # files from the future are from now
SCENARIOS = {}


def scenario(tried):
    """Register a function(work, reference, options) -> (survived, lost); it raises AssertionError where not."""

    def register(function):
        SCENARIOS[function.__name__] = (tried, function)
        return function

    return register


def same(run: Run, reference: Run, names=None) -> int:
    """Assert that what a study is judged by is byte for byte the reference's; the number of files compared."""
    mine, others = run.digests(), reference.digests()
    if names is not None:
        mine, others = ({name: files.get(name) for name in names} for files in (mine, others))
    assert mine and mine == others, sorted(name for name in others if mine.get(name) != others[name])
    return len(mine)


def finish(run: Run, *arguments: str) -> str:
    """Give the command again; what it printed."""
    assert run.run(*arguments) == 0, run.printed()[-2000:]
    return run.printed()


@contextmanager
def disk(run: Run, size: str):
    """A small disk in the place of `results`."""
    folder = run.folder / "results"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@scenario("Undisturbed, twice")
def twice(work, reference, options):
    run = Run("twice", work)
    finish(run)
    count = same(run, reference)
    assert run.same_weights(reference)
    return f"{count} files (metrics, statistics, tables, splits) byte-identical, weights equal", "nothing"


def at_work(process, rule):
    return lambda: rule in jobs_of(process)


@scenario("SIGKILL of Snakemake and all jobs: half of them at random moments, half at work on one rule after the other")
def killed(work, reference, options):
    """A study that ends before all kills are used is compared and begun again."""
    run, hit, done, whole = Run("killed", work), Counter(), 0, 0
    draw = random.Random(options.seed)
    for number in range(options.kills):
        process = run.start()
        if number % 2:
            aimed = AIMED[number // 2 % len(AIMED)]
            if wait_for(process, at_work(process, aimed)):
                time.sleep(draw.uniform(0, 1))
        else:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=draw.uniform(options.shortest, options.longest))
        if process.poll() is None:
            hit.update(jobs_of(process) or ["between jobs"])
            kill(process)
            done += 1
            run.unlock()
        else:
            assert process.returncode == 0, run.printed()[-2000:]
            same(run, reference)
            shutil.rmtree(run.task.parent)
            whole += 1
    finish(run)
    count = same(run, reference)
    assert run.same_weights(reference)
    left = [path for path in run.task.rglob(".tmp-*")]
    where = ", ".join(f"{name} {number}" for name, number in hit.most_common())
    return (
        f"{done} kills in {whole + 1} studies (at work: {where}); {count} files byte-identical to the undisturbed "
        "run's, weights equal",
        f"the jobs that were at work; {len(left)} temporary files stay behind",
    )


@scenario("A training killed (SIGKILL), then a flipped bit in its newest checkpoint")
def corrupt_checkpoint(work, reference, options):
    undisturbed, run = (Run(f"corrupt{i}", work, reference) for i in range(2))
    for each in (undisturbed, run):
        each.edit(*LONG)
    finish(undisturbed, MODEL)
    log = run.task / "logs" / "train" / "afp.log"
    log.unlink()
    process = run.start(MODEL)
    assert wait_for(process, lambda: log.exists() and "epoch 5/20" in log.read_text()), run.printed()[-2000:]
    kill(process)
    run.unlock()
    (newest,) = run.task.rglob("checkpoint_latest.pth")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    finish(run, MODEL)
    text = log.read_text()
    assert "is corrupt" in text and "going on from" in text, text[-2000:]
    epoch = int(re.search(r"going on from .*, epoch (\d+) of 20", text).group(1))
    assert run.same_weights(undisturbed)
    return "the log warns, training goes on from the one before, weights equal to uninterrupted training", (
        f"one epoch of training (went on at epoch {epoch} of 20)"
    )


@scenario("A loss that becomes NaN (learning rate 1e30)")
def nan_loss(work, reference, options):
    run = Run("nan", work, reference)
    run.edit(LONG[0], LONG[1] + ", learning_rate: 1.0e+30")
    assert run.run(MODEL) != 0
    text = run.printed()
    found = re.search(r"ERROR (.*the loss is not finite.*)\n(.*cases .*)\n", text)
    assert found, text[-2000:]
    assert not (run.task / "models/segmenters/navi/fold_0/checkpoint_final.pth").exists()
    return f"stops, leaves no model, and names the place and the batch: {found.group(1)}, {found.group(2).strip()}", (
        "the training since its last checkpoint, which the message names where there is one"
    )


@scenario("Disk full (a disk of 1 MB), then a larger one")
def disk_full(work, reference, options):
    run = Run("full", work)
    with disk(run, "1m") as folder:
        assert run.run(EARLY) != 0
        told = re.search(r"No space left on device|[Dd]isk quota|cannot write", run.printed() + logs(run))
        assert told, run.printed()[-2000:]
        remount(folder, "size=500m")
        finish(run, EARLY)
        same(run, reference, ["splits/splits.json", "normalization/normalization.json"])
    return f"stops ({told.group(0)}); the same command goes on once there is room; results byte-identical", (
        "the jobs that were writing"
    )


@scenario("Results read-only in the middle of a run")
def read_only(work, reference, options):
    run = Run("readonly", work)
    with disk(run, "500m") as folder:
        finish(run, "results/thorax/cases/thorax_000/prepared")
        remount(folder, "ro")
        assert run.run(EARLY) != 0
        told = re.search(r"Read-only file system", run.printed() + logs(run))
        assert told, run.printed()[-2000:]
        remount(folder, "rw")
        finish(run, EARLY)
        same(run, reference, ["splits/splits.json", "normalization/normalization.json"])
    return "stops (Read-only file system); goes on once it is writable; results byte-identical", "nothing"


@scenario("Out of memory in the jobs (ulimit -v)")
def out_of_memory(work, reference, options):
    run = Run("memory", work)
    code = run.run(EARLY, before=f"ulimit -v {options.memory_kb}; ")
    assert code != 0, "the jobs had enough memory: lower --memory-kb"
    told = re.search(r"MemoryError|failed to map segment|bad_alloc|[Cc]annot allocate|can't start new thread"
                     r"|OpenBLAS.*", run.printed() + logs(run))  # fmt: skip
    assert told, (run.printed() + logs(run))[-3000:]
    run.unlock()
    finish(run, EARLY)
    same(run, reference, ["splits/splits.json", "normalization/normalization.json"])
    return (
        f"the job fails ({told.group(0)[:60]}); with memory the same command goes on; results byte-identical",
        "that job",
    )


@scenario("One job crashes (SIGKILL of one registration), with --keep-going")
def crashed_job(work, reference, options):
    run = Run("crash", work)
    process = run.start(EARLY, "--keep-going")
    assert wait_for(process, lambda: job_pids(process, "register_case"))
    for pid in job_pids(process, "register_case")[:1]:
        os.kill(pid, signal.SIGKILL)
    assert process.wait() != 0
    prepared = len(list(run.task.glob("cases/*/prepared/mask.nii.gz")))
    assert prepared == 3, prepared
    finish(run, EARLY)
    same(run, reference, ["splits/splits.json", "normalization/normalization.json"])
    return "the other 3 of 4 cases are prepared to the end; the same command makes the one that is missing", "that job"


@scenario("Two runs started at once in one folder")
def two_runs(work, reference, options):
    run = Run("two", work)
    first = run.start(EARLY)
    assert wait_for(first, lambda: jobs_of(first))
    second = run.start(EARLY)
    assert second.wait() != 0
    assert "cannot be locked" in run.printed() or "LockException" in run.printed(), run.printed()[-2000:]
    assert first.wait() == 0
    same(run, reference, ["splits/splits.json", "normalization/normalization.json"])
    return (
        "the second stops at once (the directory cannot be locked); the first is undisturbed, byte-identical",
        "nothing",
    )


@scenario("The clock jumps back by an hour in the middle (files from the future)")
def clock(work, reference, options):
    run = Run("clock", work)
    finish(run, EARLY)
    ahead = time.time() + 3600
    for path in [*run.task.rglob("*")]:
        os.utime(path, (ahead, ahead), follow_symlinks=False)
    assert run.run() != 0
    told = re.search(r"has older modification time .* than input", run.printed())
    assert told, run.printed()[-2000:]
    run.unlock()
    subprocess.run(["bash", "-c", CURE], cwd=run.folder, check=True)
    repeated = sorted(set(re.findall(r"^Job \d+: thorax: (importing|registering|preparing)", finish(run), re.M)))
    count = same(run, reference)
    return f"stops and names both files; after `{CURE}` goes on; {count} files byte-identical", (
        f"time: repeated were {', '.join(repeated)}" if repeated else "the job that ended when it was noticed"
    )


def logs(run: Run) -> str:
    """Everything in the rules' logs."""
    return "\n".join(path.read_text(errors="replace") for path in run.task.rglob("*.log"))


def machine() -> str:
    load = ", ".join(f"{value:.0f}" for value in os.getloadavg())
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores (load {load}), Python {platform.python_version()}"


def table(rows: list[tuple]) -> str:
    lines = ["| scenario | tried | survived | lost | seconds |", "|---|---|---|---|---:|"]
    lines += [
        f"| `{name}` | {tried} | {survived} | {lost} | {seconds:.0f} |" for name, tried, survived, lost, seconds in rows
    ]
    return "\n".join([machine(), "", *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--shortest", type=float, default=4, help="seconds before a kill, at least")
    parser.add_argument("--longest", type=float, default=20, help="seconds before a kill, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--memory-kb", type=int, default=700_000, help="address space of a process in out_of_memory")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="where the table is written, beside the terminal")
    parser.add_argument("--work", help="where the runs are made, and kept; a temporary folder otherwise")
    options = parser.parse_args()
    work = workplace(options.work)
    reference = Run.__new__(Run)
    reference.folder = work / "reference"
    if not (reference.task / "tables").exists():
        reference = Run("reference", work)
        finish(reference)
    rows, failed = [], 0
    for name in options.only:
        tried, function = SCENARIOS[name]
        begin = time.monotonic()
        try:
            survived, lost = function(work, reference, options)
        except AssertionError as error:
            survived, lost, failed = f"**NO**: {str(error)[:300]!r}", "", failed + 1
        rows.append((name, tried, survived, lost, time.monotonic() - begin))
        print(table(rows[-1:]), flush=True)
        if options.out:
            options.out.write_text(table(rows) + "\n")
    if options.work is None and not failed:
        shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

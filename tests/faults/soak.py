"""A large study with jobs that do next to nothing: does the workflow itself hold out?

    python tests/faults/soak.py [--cases 200] [--variants 12] [--cores 2] [--work FOLDER]

The scripts of the copied project are replaced by one that only makes the outputs, so that what is measured is
Snakemake on this DAG: time and memory of planning, memory of the Snakemake process over the run, seconds per job in
each quarter of the jobs, and the files that stay behind.
"""

import argparse
import re
import subprocess
import time
from pathlib import Path

import yaml
from runs import Run, workplace

TRIVIAL = """from pathlib import Path

for name in [*snakemake.output, *snakemake.log]:
    path = Path(str(name))
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    else:
        path.mkdir(parents=True, exist_ok=True)
        (path / "made.json").write_text("{}")
"""


def enlarge(run: Run, cases: int, variants: int) -> None:
    """The smallest study with more cases and variants, and with scripts that only make their outputs."""
    path = run.folder / "study.yaml"
    study = yaml.safe_load(path.read_text())
    task = study["tasks"]["thorax"]
    task["data"]["cases"] = cases
    validation, test = max(1, cases // 10), max(1, cases // 4)
    task["splits"] = {"train": cases - validation - test, "validation": validation, "test": test}
    one = task["variants"]["afp"]
    task["variants"] = {f"v{number:02d}": {**one, "label": f"Variant {number}"} for number in range(variants)}
    task |= {"reference": "v00", "controls": ["real_ct", "mr_linear", "mean_ct"]}
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    for script in (run.folder / "scripts").glob("*.py"):
        script.write_text(TRIVIAL)


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB (1e6 bytes)."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found.group(1)) * 1024 / 1e6 if found else 0.0


def watch(process: subprocess.Popen, run: Run) -> tuple[list[float], list[float]]:
    """Seconds at which jobs had finished, and the memory of Snakemake, sampled until it ends."""
    begin, finished, memory = time.monotonic(), [], []
    while process.poll() is None:
        time.sleep(0.5)
        done = run.printed().count("Finished jobid")
        finished += [time.monotonic() - begin] * (done - len(finished))
        if value := memory_mb(process.pid):
            memory.append(value)
    return finished, memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--variants", type=int, default=12)
    parser.add_argument("--dry", action="store_true", help="plan only")
    parser.add_argument("--work", help="where the run is made, and kept; a temporary folder otherwise")
    options = parser.parse_args()
    run = Run("soak", workplace(options.work))
    enlarge(run, options.cases, options.variants)

    begin = time.monotonic()
    _, memory = watch(run.start("-n", "--quiet", "rules"), run)
    seconds = time.monotonic() - begin
    if not memory:
        raise SystemExit(run.printed()[-3000:])
    print(f"{options.cases} cases x {options.variants} variants: planned in {seconds:.0f} s, {max(memory):.0f} MB")
    if options.dry:
        return 0

    (run.folder / "printed.log").write_text("")
    process = run.start("--latency-wait", "0")
    finished, memory = watch(process, run)
    if process.returncode != 0:
        raise SystemExit(run.printed()[-3000:])
    quarter = len(finished) // 4
    pace = [(finished[(i + 1) * quarter - 1] - finished[i * quarter]) / quarter for i in range(4)]
    print(f"{len(finished)} jobs in {finished[-1]:.0f} s")
    print("seconds per job in each quarter of the jobs: " + ", ".join(f"{value:.2f}" for value in pace))
    print(f"memory of Snakemake: {memory[len(memory) // 10]:.0f} MB near the start, {max(memory):.0f} MB at most")
    kept = [path for path in (run.folder / ".snakemake").rglob("*") if path.is_file()]
    strange = [path for path in (run.folder / "results").rglob(".tmp-*")]
    print(
        f"{len(kept)} files in .snakemake, {sum(p.stat().st_size for p in kept) / 1e6:.1f} MB; {len(strange)} temporary"
    )
    begin = time.monotonic()
    if run.run() != 0 or "Nothing to be done" not in run.printed():
        raise SystemExit(run.printed()[-3000:])
    print(f"the same command again: nothing to do, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

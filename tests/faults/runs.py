"""Studies that are started, killed and compared: what the scripts of this folder share."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROJECT = TESTS.parent
STUDY = TESTS / "e2e" / "smallest.yaml"
TREE = ("Snakefile", "workflow", "scripts", "src", "config", "profiles", "envs")
COMPARED = ("metrics/**/*.csv", "tables/*", "statistics/*.csv", "segmenters/*.csv", "splits/*", "normalization/*")


class Run:
    """A copy of the project in a folder of its own, with a study in it."""

    def __init__(self, name: str, root: Path, source: "Run | None" = None):
        """source: another run whose folder, results and all, is copied with the times of its files."""
        self.folder = root / name
        if source is not None:
            shutil.copytree(source.folder, self.folder, symlinks=True)
            return
        self.folder.mkdir(parents=True)
        for part in TREE:
            origin = PROJECT / part
            if origin.is_dir():
                shutil.copytree(origin, self.folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copyfile(origin, self.folder / part)
        shutil.copyfile(STUDY, self.folder / "study.yaml")

    @property
    def task(self) -> Path:
        return self.folder / "results" / "thorax"

    def edit(self, old: str, new: str) -> None:
        """Change one place of the study file."""
        path = self.folder / "study.yaml"
        text = path.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{path}: {old!r} stands there {text.count(old)} times")
        path.write_text(text.replace(old, new))

    def start(self, *arguments: str, before: str = "") -> subprocess.Popen:
        """Snakemake in a process group of its own. before: shell commands that go first (`ulimit ...`)."""
        words = ["snakemake", *arguments, "--cores", "2", "--configfile", "study.yaml"]
        variables = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        variables.pop("PYTHONPATH", None)
        output = open(self.folder / "printed.log", "a")  # noqa: SIM115  (the process writes to it)
        command = ["bash", "-c", f'{before}exec "$@"', "bash", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )

    def run(self, *arguments: str, before: str = "") -> int:
        """Run Snakemake to its end; its exit code. What it printed is in `printed()`."""
        (self.folder / "printed.log").write_text("")
        return self.start(*arguments, before=before).wait()

    def printed(self) -> str:
        return (self.folder / "printed.log").read_text()

    def unlock(self) -> None:
        self.run("--unlock")

    def digests(self) -> dict[str, str]:
        """Name -> sha256 of every file that a study is judged by."""
        files = [path for pattern in COMPARED for path in self.task.glob(pattern) if path.is_file()]
        return {
            path.relative_to(self.task).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(files)
        }

    def weights(self, model: str = "variants/afp") -> dict:
        import torch

        path = self.task / "models" / model / "fold_0" / "checkpoint_final.pth"
        return torch.load(path, map_location="cpu", weights_only=True)["network_weights"]

    def same_weights(self, other: "Run") -> bool:
        import torch

        mine, others = self.weights(), other.weights()
        return mine.keys() == others.keys() and all(torch.equal(mine[key], others[key]) for key in mine)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL for Snakemake and every process below it, as when the machine loses power."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def jobs_of(process: subprocess.Popen) -> list[str]:
    """The rules' scripts that are at work in the process group of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getpgid(int(entry.name)) != process.pid:
                continue
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found += re.findall(r"/tmp\w+\.(\w+)\.py", words)
    return sorted(set(found))


def job_pids(process: subprocess.Popen, script: str) -> list[int]:
    """Process ids of the jobs of one script in a run's process group."""
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == process.pid:
                words = (entry / "cmdline").read_bytes().decode()
                pids += [int(entry.name)] if re.search(rf"/tmp\w+\.{script}\.py", words) else []
        except OSError:
            continue
    return pids


def wait_for(process: subprocess.Popen, condition, seconds: float = 600) -> bool:
    """Wait until the condition holds; False where the process ended first."""
    limit = time.monotonic() + seconds
    while process.poll() is None:
        if condition():
            return True
        if time.monotonic() > limit:
            kill(process)
            raise SystemExit("waited too long for a condition")
        time.sleep(0.05)
    return False


def workplace(where: str | None) -> Path:
    return Path(where) if where else Path(tempfile.mkdtemp(prefix="afpbench-faults-"))

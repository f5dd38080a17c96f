"""The machine: processor, cores, memory, GPU, and the disk of the results."""

import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...base import hardware
from .finding import Finding

GB = 1e9
MEMORY_GB = 8  # with which the default study runs on two cores
DISK_GB = 2, 20  # too little for any study; little for one of patients
CGROUP = Path("/sys/fs/cgroup")
GPU_SIGNS = ("/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg")  # Nvidia, AMD, Windows' subsystem for Linux
LARGE_ALLOWANCE = 2**60  # bytes: how control groups write "no limit" in numbers


def find(results: Path) -> Iterator[Finding]:
    """results: the study's results folder, which need not be there."""
    yield processor()
    yield cores(len(os.sched_getaffinity(0)), cpu_allowance(CGROUP))
    yield memory(memory_gb())
    yield gpu()
    yield disk(results)


def processor() -> Finding:
    """Whether trainings run in bfloat16: by a factor faster where the processor has instructions for it."""
    model = hardware._cpu_model()
    if hardware._has_bfloat16():
        return Finding("ok", "processor", f"{model}, with bfloat16: `precision: auto` trains in it, on a CPU")
    text = f"{model}, without bfloat16: `precision: auto` trains in float32, about twice as long, on a CPU"
    return Finding("note", "processor", text, "`precision: bfloat16` would be about 14 times slower here")


def cores(usable: int, allowance: float | None) -> Finding:
    """usable: cores that this process may use. allowance: how many of them a container gets; None without one."""
    if allowance is not None and allowance < usable:
        text = f"{usable} are seen, but this container gets the time of {allowance:g}"
        return Finding("note", "cores", text, f"--cores {max(1, int(allowance))}")
    return Finding("ok", "cores", str(usable))


def cpu_allowance(cgroup: Path) -> float | None:
    """The cores that a control group (version 2) grants: `cpu.max` has microseconds of each period, or `max`."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def memory_gb() -> float | None:
    """The memory of the machine, or of the container where that is less, in GB (1e9 bytes); None where nothing says."""
    sizes = []
    try:
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        sizes.append(int((CGROUP / "memory.max").read_text()))
    except (OSError, ValueError):  # no such file, or `max`
        pass
    known = [size for size in sizes if 0 < size < LARGE_ALLOWANCE]
    return min(known) / GB if known else None


def memory(size_gb: float | None) -> Finding:
    """size_gb: as `memory_gb` gives it."""
    if size_gb is None:
        return Finding("note", "memory", "not known")
    if size_gb < MEMORY_GB:
        hint = "fewer jobs at a time: --cores 1"
        return Finding("note", "memory", f"{size_gb:.1f} GB; the default study is sized for {MEMORY_GB}", hint)
    return Finding("ok", "memory", f"{size_gb:.1f} GB")


def gpu() -> Finding:
    """PyTorch is asked only where there are signs of a GPU: its import takes seconds."""
    if not (any(Path(sign).exists() for sign in GPU_SIGNS) or shutil.which("nvidia-smi")):
        return Finding("note", "gpu", "none: trainings run on the CPU, which suits the phantom and quick studies only")
    if importlib.metadata.version("torch").endswith("+cpu"):
        hint = "pip install torch from PyPI, see docs/how-to/run-on-a-gpu.md"
        return Finding("problem", "gpu", "there is a GPU, but PyTorch is a build for CPUs", hint)
    import torch

    if not torch.cuda.is_available():
        text = f"there is a GPU, but PyTorch {torch.__version__} cannot use it"
        return Finding(
            "problem", "gpu", text, "`nvidia-smi` says which CUDA the driver has: docs/how-to/run-on-a-gpu.md"
        )
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return Finding("ok", "gpu", ", ".join(f"{one.name}, {one.total_memory / GB:.0f} GB" for one in found))


def disk(results: Path) -> Finding:
    """The free space where the results lie or will lie, and whether it can be written to."""
    there = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    free_gb = shutil.disk_usage(there).free / GB
    text = f"{free_gb:.0f} GB free for {results}"
    if not os.access(there, os.W_OK):
        return Finding("problem", "disk", f"{there} cannot be written to", "see to its rights, or change `results`")
    if free_gb < DISK_GB[0]:
        return Finding("problem", "disk", text, "free some, or let `results` name another folder")
    if free_gb < DISK_GB[1]:
        return Finding("note", "disk", f"{text}: enough for phantoms", "docs/scaling.md says what patients take")
    return Finding("ok", "disk", text)

"""The one place that decides device, precision and threads. Nothing else says "cuda"."""

import contextlib
import ctypes
import functools
import math
import os
import platform
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .log import logger


@dataclass(frozen=True)
class Runtime:
    """What a job computes with, and the seed of what it draws.

    device: see `device`. precision: see `autocast_dtype`. threads: CPU threads of the job.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 1
    seed: int = 0


def device(requested: str = "auto"):
    """Return the torch.device for `auto`, `cpu` or `cuda`."""
    import torch

    from .errors import ConfigError

    if requested == "auto":
        requested = "cuda" if torch.cuda.is_available() else "cpu"
    if requested == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "runtime.device: a CUDA device was asked for",
            found="no CUDA device that this PyTorch can use",
            expected="a GPU and a CUDA build of PyTorch",
            hint="set runtime.device to 'auto' or 'cpu', or install a CUDA build of PyTorch",
        )
    return torch.device(requested)


def has_gpu() -> bool:
    """Whether the system shows an NVIDIA GPU, without loading PyTorch: what a study is told before it runs."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # the second is WSL's


def require_gpus(device, count: int) -> None:
    """Raise ConfigError where a training on CUDA asks for more GPUs than this job sees."""
    import torch

    from .errors import ConfigError

    if device.type == "cuda" and torch.cuda.device_count() < count:
        raise ConfigError(
            "training.gpus: more GPUs than this job sees",
            found=f"{torch.cuda.device_count()} of {count}",
            expected="as many on one machine",
            hint="ask for them (in SLURM `gpu`, see docs/how-to/run-on-slurm.md), or lower training.gpus",
        )


def autocast_dtype(requested: str, device_type: str):
    """Return the torch dtype for automatic mixed precision, or None for plain float32.

    `auto` takes float16 on a GPU (as nnU-Net does), bfloat16 on a CPU that has instructions for it, else float32: by
    the processor's flags and not by timing, so that noise never decides the numbers of a training.
    """
    import torch

    if requested == "auto":
        if device_type == "cuda":
            return torch.float16
        return torch.bfloat16 if _has_bfloat16() else None
    if requested == "bfloat16" and device_type == "cpu" and not _has_bfloat16():
        _warn_of_emulation()
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[requested]


def _has_bfloat16() -> bool:
    return bool(_BFLOAT16 & _cpu_flags())


@functools.cache
def _warn_of_emulation() -> None:
    """Once in a process."""
    logger.warning(
        "precision bfloat16: this processor (%s) has no instructions for it and emulates it, about 14 times slower "
        "than float32; hint: runtime.precision: auto",
        _cpu_model(),
    )


def format_name(dtype) -> str:
    """`float32`, `bfloat16` or `float16`: the name of what `autocast_dtype` returned."""
    return str(dtype or "float32").removeprefix("torch.")


@contextlib.contextmanager
def autocast(device_type: str, dtype):
    """torch.autocast for `dtype`, or nothing where it is None."""
    import torch

    if dtype is None:
        yield
    else:
        with torch.autocast(device_type, dtype=dtype):
            yield


def fast_convolutions(network):
    """Let a network on a CPU compute its 3D convolutions by oneDNN, and return it; on a GPU nothing changes.

    PyTorch leaves a single small patch to a much slower kernel of its own; with this a 32 x 40 x 56 patch through an
    8-channel U-Net on one thread takes a quarter of the time. Results differ by rounding only.
    Convolutions of one voxel are matrix products in PyTorch already, and leave the many logits of a segmenter in the
    order of its label maps.
    """
    import torch

    if next(network.parameters()).device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return network
    for module in (m for m in network.modules() if type(m) is torch.nn.Conv3d and math.prod(m.kernel_size) > 1):
        if module.padding_mode == "zeros" and not isinstance(module.padding, str):
            module._conv_forward = functools.partial(_onednn, module)
    return network.to(memory_format=torch.channels_last_3d)


def _onednn(module, data, weight, bias):
    import torch

    if torch.is_autocast_enabled("cpu") or data.dtype != torch.float32:
        return type(module)._conv_forward(module, data, weight, bias)
    return torch.mkldnn_convolution(data, weight, bias, module.padding, module.stride, module.dilation, module.groups)


def choose_algorithms(device_type: str) -> None:
    """On a CPU those that give the same numbers each time; on a GPU, as nnU-Net does, the fastest.

    The last digits of a training on a GPU vary in either case: some of its algorithms have no deterministic form.
    """
    import torch

    search_convolutions(device_type)
    torch.use_deterministic_algorithms(device_type != "cuda", warn_only=True)
    # Nothing here reads memory that it has not written, and to fill it first takes 5 to 10 % of a training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def search_convolutions(device_type: str) -> None:
    """On a GPU let cuDNN time its algorithms for each new shape and keep the fastest; on a CPU nothing changes."""
    import torch

    torch.backends.cudnn.benchmark = device_type == "cuda"


def send(array, device):
    """A numpy array as a tensor on a device: to a GPU from pinned memory, without waiting for the copy."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def fetch(tensor) -> Callable[[], Any]:
    """Start to copy a tensor into memory. Returns a function that waits for the copy and gives it as a numpy array.

    From a GPU the copy goes into pinned memory, behind what computes the tensor, so that neither makes the caller wait.
    """
    import torch

    copy = tensor.to("cpu", non_blocking=True)
    if tensor.device.type != "cuda":
        return copy.numpy
    done = torch.cuda.Event()
    done.record()

    def array():
        done.synchronize()
        return copy.numpy()

    return array


def set_threads(threads: int) -> None:
    """Hold torch and the OpenMP/BLAS libraries of this process to `threads` threads, and let it keep its memory."""
    import torch

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    torch.set_num_threads(threads)
    _keep_memory()


def _keep_memory() -> None:
    """Let glibc reuse large blocks instead of asking the kernel for each anew (elsewhere nothing changes).

    Above 32 MB every tensor is new memory whose pages the kernel must find and clear; the 118 logits of
    TotalSegmentator's patches take several times as long for it. See mallopt(3).
    """
    mmap_max, trim_threshold = -4, -1
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MB (1e6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def peak_training_memory_mb() -> float:
    """Peak memory of the GPU where one is used, else of this process, in MB (1e6 bytes)."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated() / 1e6
    return peak_memory_mb()


# Those that decide how fast convolutions are, and in which number format they run.
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
_WIDE = {"avx512f"} | _BFLOAT16
_INSTRUCTIONS = {"avx2"} | _WIDE


def describe() -> dict:
    """The machine in words, for records: processor, cores, Python, torch and GPU where there is one."""
    import torch

    return {
        "processor": _cpu_model(),
        "cores": os.cpu_count(),
        "instructions": sorted(_INSTRUCTIONS & _cpu_flags()),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _cpu_flags() -> set[str]:
    """The processor's flags, less those of instructions that PyTorch or oneDNN are told to leave alone."""
    flags: set[str] = set()
    for line in _cpuinfo().splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    if os.environ.get("ATEN_CPU_CAPABILITY", "").lower() in ("avx2", "default"):
        return flags - _WIDE
    isa = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if isa.startswith("AVX512"):
        return flags if isa.endswith(("BF16", "FP16", "AMX", "AMX_FP16")) else flags - _BFLOAT16
    return flags - _WIDE if isa.startswith(("SSE", "AVX2")) or isa == "AVX" else flags


def _cpu_model() -> str:
    for line in _cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

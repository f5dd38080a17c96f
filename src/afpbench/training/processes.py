"""One training in several processes of one machine, one for each GPU: what nnU-Net's distributed training needs.

Every process does the same on its share of the batch; rank 0 speaks and writes. On a CPU the processes share its cores.
"""

import datetime
import logging
import sys
from collections.abc import Callable, Mapping

import torch
import torch.distributed as dist
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException, get_context, spawn

from ..base import hardware, log
from ..base.errors import AfpbenchError

# Of one that waits for the slowest, such as in the validation of whole cases; one that dies ends the others at once.
PATIENCE = datetime.timedelta(hours=2)
LOCALHOST = "127.0.0.1"


def run(processes: int, device: torch.device, function: Callable, *arguments):
    """Return function(*arguments), called here, or in `processes` new ones that form a group; then rank 0's value.

    function: importable by name; its arguments can be pickled. Raises the AfpbenchError of the first process that
    raises one, and torch's own error where one dies otherwise; either ends all of them.
    """
    if processes == 1:
        return function(*arguments)
    hardware.require_gpus(device, processes)
    answers = get_context("spawn").SimpleQueue()
    meeting_point = dist.TCPStore(LOCALHOST, 0, is_master=True, wait_for_workers=False)  # 0: any port that is free
    group = (processes, device.type, meeting_point.port)
    try:
        spawn(_member, (*group, answers, function, arguments), nprocs=processes)
    except (ProcessExitedException, ProcessRaisedException) as failure:
        while not answers.empty():
            if isinstance(error := answers.get(), AfpbenchError):
                raise error from failure
        raise
    return answers.get()


def _member(number: int, processes: int, device_type: str, port: int, answers, function, arguments) -> None:
    log.configure()
    if number:
        log.logger.setLevel(logging.WARNING)
    if device_type == "cuda":
        torch.cuda.set_device(number)
    backend = "nccl" if device_type == "cuda" else "gloo"
    store = dist.TCPStore(LOCALHOST, port, is_master=False)
    dist.init_process_group(backend, store=store, rank=number, world_size=processes, timeout=PATIENCE)
    try:
        value = function(*arguments)
    except AfpbenchError as error:
        answers.put(error)
        sys.exit(1)
    if number == 0:
        answers.put(value)
    dist.destroy_process_group()


def rank() -> int:
    """The number of this process in its group; 0 where it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """The number of processes of the group; 1 where there is none."""
    return dist.get_world_size() if dist.is_initialized() else 1


def gather(value) -> list:
    """The values of all processes by rank, in every process. value: can be pickled."""
    if count() == 1:
        return [value]
    values = [None] * count()
    dist.all_gather_object(values, value)
    return values


def average(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """The mean of each value over the processes. values: the same keys in each, and None in all or none."""
    rows = gather(dict(values))
    known = [key for key, value in values.items() if value is not None]
    return {**values, **{key: sum(float(row[key]) for row in rows) / len(rows) for key in known}}


def average_gradients(parameters) -> None:
    """Put the mean over the processes in the place of each parameter's gradient."""
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= count()

"""nnU-Net's data loader, with one look at the process's thread pools instead of one per batch."""

from threadpoolctl import ThreadpoolController


def find_thread_pools_once() -> None:
    """Let nnU-Net's loader of this process, and of those forked from it, limit the pools that there are now.

    It holds the libraries to one thread while it makes a batch, and looks for them in the process's map of memory each
    time: on a small patch that takes as long as the cropping. Call it when everything is imported.
    """
    from nnunetv2.training.dataloading import data_loader

    data_loader.threadpool_limits = ThreadpoolController().limit

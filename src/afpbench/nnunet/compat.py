"""Let nnU-Net, timm and TotalSegmentator import beside a PyTorch that torchvision's compiled part does not fit.

torchvision's wheel is linked to one PyTorch build. Beside another (a CPU PyTorch next to the CUDA wheel) its library
does not load, and `import torchvision` then fails with "operator torchvision::nms does not exist", and with it every
package that imports it. None of them calls these operators here, so that it is enough to declare them.
"""

import importlib.util
from pathlib import Path

OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_libraries: list[object] = []  # a torch.library.Library takes its declarations with it when it dies


def ensure_torchvision_operators() -> list[str]:
    """Declare torchvision's operators where its own library cannot; return the names declared by this call.

    Call it before the first import of nnunetv2, timm or totalsegmentator, in every process. It does nothing where
    torchvision is absent or whole, and nothing the second time. A declared operator has no implementation: calling it
    is an error, as it would be without the declaration.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return []
    import torch

    if _loads_own_library(Path(spec.submodule_search_locations[0])):
        return []
    absent = [name for name in OPERATORS if not hasattr(torch.ops.torchvision, name)]
    if absent:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in absent:
            library.define(OPERATORS[name])
        _libraries.append(library)
    return absent


def _loads_own_library(package: Path) -> bool:
    """Whether torchvision's compiled operators load into this PyTorch (this is also what its own import does)."""
    import torch

    for path in (*package.glob("_C*.so"), *package.glob("_C*.pyd")):
        try:
            torch.ops.load_library(str(path))
        except OSError:
            continue
        return True
    return False

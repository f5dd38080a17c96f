"""Write docs/gallery/README.md and its pictures: every loss, feature network, segmenter and generator there is.

Run it in the project's environment: python docs/gallery/make.py [NAME ...]
NAME: the beginning of pictures' names, such as loss or network_nnunet, to draw only those; `text` draws none. A new
kind needs no line here.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

from afpbench.study.kinds.registry import GENERATORS, LOSSES, NETWORKS, SEGMENTERS

HERE = Path(__file__).parent
GROUPS = {  # group -> registry, ending of its pictures, how-to, words
    "loss": (
        LOSSES,
        "png",
        ("Losses", "add-a-loss.md"),
        "The maps show the step that lowers the loss, in one coronal slice: red makes a voxel brighter, blue darker. "
        "Each map has its own scale. The bars share out the loss's values for the three faults: what it minds most. "
        "Losses of features look through the [shipped networks](../../pretraining/README.md), the perceptual loss "
        "through a MedicalNet with random weights, since its own are not part of the repository.",
    ),
    "network": (
        NETWORKS,
        "png",
        ("Feature networks", "add-a-feature-network.md"),
        "Of each layer (with its number of feature maps) the map that varies most. `nnunet` is the network in "
        "TotalSegmentator's role; `medicalnet` and `naviairway` have random weights in their authors' format, and "
        "`torchscript` averages.",
    ),
    "segmenter": (
        SEGMENTERS,
        "png",
        ("Segmenters", "add-a-segmenter.md"),
        "`totalsegmentator`, `nnunet` (airways) and `trained` (lesions) are the shipped networks. `distilled` shows "
        "what its network learns from: a teacher's classes, joined. `naviairway` shows its post-processing on true "
        "airways with a cut: lost (blue), the largest piece (light blue), found again (orange). `files` are the true "
        "labels.",
    ),
    "generator": (
        GENERATORS,
        "svg",
        ("Generators", "add-a-generator.md"),
        "Read from the networks themselves, with default options; nnU-Net's depth and features follow from its plan, "
        "here four stages from 32 features up.",
    ),
}
HEAD = """# Gallery

<!-- Made by docs/gallery/make.py; the words are the docstrings of src/afpbench/study/kinds. -->

What a study file can choose from, with a picture of each on one thorax of [the phantom](../explanation/phantom.md).
`afpbench list losses` (or `networks`, `segmenters`, `generators`) prints the options.

![The real CT and three faulty ones](faults.png)

*The losses below compare the first with the others.*
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for group, (registry, ending, (title, how_to), words) in GROUPS.items():
        parts.append(f"## {title}\n\n{words} [One of your own](../how-to/{how_to}).\n")
        for name in registry:
            cite = f"\n\n*{registry[name].citation}*" if registry[name].citation else ""
            parts.append(
                f"### {group.capitalize()} `{name}`\n\n"
                f"{registry[name].description()}\n\n![{name}]({group}_{name}.{ending}){cite}\n"
            )
    return "\n".join(parts)


def draw(names: tuple[str, ...]) -> None:
    """The pictures whose names begin with one of these."""
    import generator_diagrams
    import loss_pictures
    import matplotlib
    import network_pictures
    import torch

    matplotlib.use("Agg")
    torch.use_deterministic_algorithms(True)
    work = {"faults.png": loss_pictures.draw_faults}
    work |= {f"generator_{name}.svg": partial(generator_diagrams.draw, name) for name in GENERATORS}
    work |= {f"segmenter_{name}.png": partial(network_pictures.draw_segmenter, name) for name in SEGMENTERS}
    with tempfile.TemporaryDirectory() as folder:
        found = network_pictures.network_specifications(Path(folder))
        work |= {f"network_{name}.png": partial(network_pictures.draw_network, found[name]) for name in NETWORKS}
        specifications = loss_pictures.specifications(Path(folder) / "medicalnet.pth")
        work |= {f"loss_{name}.png": partial(loss_pictures.draw, name, specifications) for name in LOSSES}
        for file, make in work.items():
            if file.startswith(names):
                make(HERE / file)


if __name__ == "__main__":
    draw(tuple(sys.argv[1:]) or ("",))
    (HERE / "README.md").write_text(page(), encoding="utf-8")

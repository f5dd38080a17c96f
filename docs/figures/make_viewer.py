"""Draw docs/figures/viewer.png: `afpbench view` with a case of a finished phantom study, in Chromium.

Run it in the project's environment: python docs/figures/make_viewer.py results
"""

import asyncio
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

from browser import browser_tab, find_browser  # noqa: E402

from afpbench.viewer.folder import ResultsFolder  # noqa: E402
from afpbench.viewer.pages import Pages  # noqa: E402
from afpbench.viewer.server import Server  # noqa: E402

VIEW = "task=pelvis&row=nnunet_l1_afp_totalseg&plane=coronal&overlay=1"


async def photograph(address: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with browser_tab(find_browser(), Path(folder)) as tab:
            await tab.open(f"{address}#{VIEW}", 1300, 800)
            await tab.until("document.body.dataset.ready === 'yes'", seconds=600)
            await asyncio.sleep(2)
            await tab.picture(path)
    Image.open(path).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(
        path, optimize=True
    )  # in half of the bytes


def draw(folder: ResultsFolder, path: Path) -> None:
    """The picture of a results folder's viewer, as PNG."""
    with Server(Pages(folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asyncio.run(photograph(server.address, path))
        server.shutdown()


if __name__ == "__main__":
    draw(ResultsFolder(Path(sys.argv[1])), HERE / "viewer.png")

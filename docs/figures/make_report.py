"""Draw docs/figures/report.png: ranks, wins and slices in the report of a finished phantom study, in Chromium.

Run it in the project's environment: python docs/figures/make_report.py results/report.html
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

from browser import browser_tab, find_browser  # noqa: E402

WIDTH, HEIGHT = 1300, 1500
FIGURES = "document.querySelector('#pelvis-figures')"
ROW, SLICE = "nnU-Net / AFP TotalSeg", "Coronal, y ="
CHOOSE = f"""document.documentElement.style.scrollbarWidth = "none";
const labels = [...{FIGURES}.querySelectorAll(".switches label")];
labels.find((label) => label.textContent === "{ROW}").click();
labels.filter((label) => label.dataset.of === "{SLICE}")[1].click();
{FIGURES}.scrollIntoView();
scrollBy(0, {FIGURES}.getBoundingClientRect().top - 16);"""
BOTTOM = f"Math.round({FIGURES}.querySelector('.scale + .note').getBoundingClientRect().bottom) + 12"


async def photograph(page: Path, path: Path) -> None:
    """From the heading of a task's figures to the end of its first case's slices."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with browser_tab(find_browser(), Path(folder)) as tab:
            await tab.open(page.resolve().as_uri(), WIDTH, HEIGHT)
            await tab.until("document.readyState === 'complete'")
            await tab.value(CHOOSE)
            await asyncio.sleep(1)
            await tab.picture(path)
            shot = Image.open(path).convert("RGB").crop((0, 0, 1180, await tab.value(BOTTOM)))
    shot.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    asyncio.run(photograph(Path(sys.argv[1]), HERE / "report.png"))

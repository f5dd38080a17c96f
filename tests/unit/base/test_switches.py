"""Pictures to choose from without a script: what is chosen first, what is missing, and what a browser shows."""

import asyncio
import base64
import re
from importlib import resources
from io import BytesIO

import matplotlib
import numpy as np
import pytest
from browser import browser_tab, find_browser
from PIL import Image

from afpbench.base import html
from afpbench.base.switches import Axis, Frame, Option, error_scale, switches
from afpbench.figures.panel import COUNTS

EVIL = '<script>alert("x")</script>'
AXES = [Axis("Axial, z =", [3, 5, 8], 2.0), Axis("Coronal, y =", [7], 1.0)]
STYLE = resources.files("afpbench.base").joinpath("style.css").read_text()
BROWSER = find_browser()


def test_the_first_option_is_chosen_in_its_middle_slice():
    made = switches("t", "Slices", AXES, [Option("A", [Frame("A", ["x", "y"])]), Option("B", [Frame("B", ["x", "y"])])])
    chosen = re.findall(r'<input [^>]*aria-label="([^"]*)" checked>', made)
    assert chosen == ["Axial, z = 5", "Image A"]
    assert re.findall(r'class="(axis\d k\d)"', made) == ["axis0 k0", "axis0 k1", "axis0 k2", "axis1 k0"]
    assert len(set(re.findall(r'id="([^"]+)"', made))) == 6 and made.count("checked") == 2
    assert (
        '<div class="cut axis0" style="--n: 3; --aspect: 2"><img alt="A; Axial, z = 3, 5, 8, one of them shown" src='
        in made
    )


def test_what_is_missing_is_said_in_its_place():
    made = switches("t", "Slices", AXES, [Option("A", [Frame("A", [])])])
    assert made.count(">missing</div>") == 2 and "<img" not in made


def test_markup_in_a_text_is_text():
    axis = Axis(EVIL, [EVIL], 1.0)
    assert "<script" not in switches(EVIL, EVIL, [axis], [Option(EVIL, [Frame(EVIL, ['"><script>'])])])


def test_the_style_has_a_rule_for_every_slice():
    """The first slice needs none: a strip lies at its start."""
    ruled = set(re.findall(r"\.switches > \.k(\d):checked ~ \.options \{ --k: \1; \}", STYLE))
    assert ruled == {str(number) for number in range(1, max(COUNTS.values()))}


def test_the_scale_has_the_colours_of_the_errors():
    stops = re.search(r"p\.scale span \{.*linear-gradient\(to right, ([^)]*)\)", STYLE)[1].split(", ")
    colours = matplotlib.colormaps["RdBu_r"](np.linspace(0, 1, len(stops)), bytes=True)[:, :3].tolist()
    shown = [[int(stop[place : place + 2], 16) for place in (1, 3, 5)] for stop in stops]
    assert np.abs(np.subtract(shown, colours)).max() <= 3
    assert error_scale(300).startswith('<p class="note scale">−300 HU ')


# --- in a browser

SHOWN = """[...document.querySelectorAll(".cut")].filter((cut) => cut.offsetWidth).map((cut) => {
  const [outer, inner] = [cut, cut.firstChild].map((part) => part.getBoundingClientRect());
  return [cut.firstChild.alt.split(";")[0], Math.round((outer.x - inner.x) / outer.width)];
})"""  # the title of each frame that is seen, and the number of the slice that is


def webp(width, height):
    content = BytesIO()
    Image.new("L", (width, height)).save(content, "WEBP")
    return base64.b64encode(content.getvalue()).decode()


async def look(page, profile, width):
    async with browser_tab(BROWSER, profile) as tab:
        await tab.open(page.as_uri(), width)
        await tab.until("document.images.length === 8 && [...document.images].every((image) => image.complete)")
        assert await tab.value(SHOWN) == [["Real CT", 1], ["MR", 1]]
        assert await tab.value("document.documentElement.scrollWidth") <= width
        assert (
            await tab.value("Math.max(...[...document.querySelectorAll('.cut')].map((cut) => cut.offsetWidth))") > 300
        )
        await tab.value("document.querySelector('input:checked').focus()")
        await tab.press("ArrowRight")
        assert await tab.value(SHOWN) == [["Real CT", 2], ["MR", 2]]
        await tab.press("ArrowRight")  # on to the second axis, which has one slice
        assert await tab.value(SHOWN) == [["Real CT", 0], ["MR", 0]]
        await tab.value("[...document.querySelectorAll('label')].at(-1).click()")
        assert await tab.value(SHOWN) == [["L1", 0], ["Error", 0]]
        await tab.value("document.querySelector('label').click()")
        assert await tab.value(SHOWN) == [["L1", 0], ["Error", 0]] and tab.problems == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1300, 390])
def test_keys_and_clicks(tmp_path, width):
    strips = [webp(120, 20), webp(20, 20)]
    options = [Option("Real CT", [Frame("Real CT", strips), Frame("MR", strips)])]
    options.append(Option("A row with a long name " * 3, [Frame("L1", strips), Frame("Error", strips)]))
    page = tmp_path / "page.html"
    page.write_text(html.page("Slices", [switches("t", "Slices", AXES, options)]))
    asyncio.run(look(page, tmp_path / "profile", width))

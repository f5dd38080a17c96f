"""The viewer's page in a browser without a window: images, values, keys, and what is missing."""

import asyncio

import pytest
from browser import browser_tab, find_browser
from viewed_results import make_label_results, make_results, serving, with_channels

BROWSER = find_browser()
PANELS = """[...document.querySelectorAll(".panel:not([hidden])")].map((panel) =>
  ["h2", ".value", ".view p"].map((part) => panel.querySelector(part).textContent.trim()))"""
PLACE = "document.querySelector('#place').textContent"
SETTLED = """document.body.dataset.ready === "yes" &&
  [...document.querySelectorAll(".panel:not([hidden])")].every((panel) => panel.dataset.state !== "loading")"""


async def look(address: str, of_channels: str, folder, width: int) -> None:
    async with browser_tab(BROWSER, folder) as tab:
        await tab.open(f"{address}#case=p1&overlay=1", width)
        await tab.until(SETTLED, seconds=240)
        in_the_middle = [  # of label 0
            ["MR", "300", ""],
            ["Real CT", "10 HU", ""],
            ["nnU-Net / L1", "50 HU", ""],
            ["nnU-Net / L1  error", "+40 HU", ""],
        ]
        assert await tab.value(PANELS) == in_the_middle
        assert await tab.value("document.documentElement.scrollWidth") <= width
        assert await tab.value("document.querySelector('#notice').textContent") == (
            "This task is not finished: 1 of 4 synthetic CTs are there, 1 failed."
        )
        assert await tab.value(
            "[...document.querySelectorAll('#legend button')].map((entry) => entry.textContent)"
        ) == [
            "Bones",
            "other labels",
        ]

        for key in ("ArrowUp", "ArrowLeft", "ArrowLeft"):
            await tab.press(key)
        assert [value for _, value, _ in await tab.value(PANELS)] == [
            "300 · Bones (hip_left)",
            "10 HU · Bones (hip_left)",
            "50 HU · Bones (hip_left)",
            "+40 HU",
        ]

        if width > 700:  # no phone has a wheel
            place = await tab.value(PLACE)
            await tab.turn_wheel("canvas")
            await tab.until(f"{PLACE} !== {place!r}")
            assert (await tab.value(PLACE)).split(", z")[0] == place.split(", z")[0]  # another slice

        await tab.press("j")  # the next row, which failed
        await tab.until(SETTLED)
        await tab.until(f"({PANELS}).length === 4 && ({PANELS})[2][0].startsWith('nnU-Net / AFP')")
        assert (await tab.value(PANELS))[2:] == [
            ["nnU-Net / AFP  no labels: not made yet", "", "failed: no memory"],
            ["nnU-Net / AFP  error", "", "failed: no memory"],
        ]
        await tab.press("e")
        await tab.press("b")
        await tab.until(f"({PANELS}).length === 3")
        assert await tab.value("[document.querySelector('#low').value, document.querySelector('#high').value]") == [
            "-500",
            "1300",
        ]
        await tab.press("n")  # a case of which nothing is made
        await tab.until("location.hash.includes('case=p2') && " + SETTLED)
        await tab.until(f"({PANELS}).every((panel) => panel[2] === 'not made yet')")

        assert tab.problems == []
        assert tab.requests
        assert [url for url in tab.requests if not url.startswith((address, "data:", "blob:"))] == []
        if width > 700:
            await look_at_channels(of_channels, tab)


async def look_at_channels(address: str, tab) -> None:
    """The same case with an MR of two channels, in the same browser."""
    await tab.open(f"{address}#case=p1&errors=0")
    await tab.until(f"location.href.startsWith({address!r}) && {SETTLED}", seconds=240)
    assert [panel[:2] for panel in await tab.value(PANELS)] == [
        ["MR t1", "300"],
        ["MR t2", "600"],
        ["Real CT", "10 HU"],
        ["nnU-Net / L1", "50 HU"],
    ]
    names = "[...document.querySelector('#channel').options].map((entry) => entry.text)"
    assert await tab.value(names) == ["all channels", "t1", "t2"]
    for _ in range(2):
        await tab.press("m")
    await tab.until(f"({PANELS}).length === 3 && ({PANELS})[0][0] === 'MR t2' && {SETTLED}")
    assert await tab.value("document.querySelector('#channel').value") == "t2"
    assert "channel=t2" in await tab.value("location.hash")
    assert tab.problems == []


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1300, 390])
def test_the_page(tmp_path, width):
    make_results(tmp_path / "two")
    with (
        serving(make_results(tmp_path / "results")) as server,
        serving(with_channels(tmp_path / "two", "t1", "t2")) as other,
    ):
        asyncio.run(look(server.address, other.address, tmp_path / "profile", width))


async def look_at_label_maps(address: str, folder) -> None:
    async with browser_tab(BROWSER, folder) as tab:
        await tab.open(address, 1300)
        await tab.until(SETTLED, seconds=240)
        assert await tab.value(PANELS) == [["Real CT", "Bones (hip_left)", ""], ["nnU-Net / L1", "", ""]]
        assert await tab.value("document.querySelector('#notice').textContent") == "1 of 2 label maps failed."
        assert await tab.value("document.querySelector('#legend').textContent") == "Bonesother labels"
        await tab.press("j")
        await tab.until(f"({PANELS})[1][0] === 'nnU-Net / AFP'")
        assert (await tab.value(PANELS))[1] == ["nnU-Net / AFP", "", "failed: no such file"]
        assert tab.problems == []


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_label_maps_alone(tmp_path):
    with serving(make_label_results(tmp_path / "results")) as server:
        asyncio.run(look_at_label_maps(server.address, tmp_path / "profile"))

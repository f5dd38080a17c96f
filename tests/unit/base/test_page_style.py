"""The pages' style in a browser."""

import asyncio
from importlib import resources

import pytest
from browser import browser_tab, find_browser

STYLE = resources.files("afpbench.base").joinpath("style.css").read_text()


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason="no Chromium here")
def test_a_wide_table_loses_no_column_in_print(tmp_path):
    """Nine columns of a difference with its interval, on the 186 mm that a page of A4 has: on paper nothing scrolls."""
    cells = "<td>−177.31 [−192.00, −150.11]</td>" * 9
    body = (
        f"<main><div class=wide><table><tbody><tr><th>nnU-Net / AFP Navi + HAL</th>{cells}</tr></tbody></table></div>"
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{body}")

    async def look() -> tuple[list[int], str]:
        async with browser_tab(find_browser(), tmp_path) as tab:
            await tab.open(page.as_uri(), 703)
            await tab.until("document.readyState === 'complete'")
            widths = []
            for media in ("screen", "print"):
                await tab.call("Emulation.setEmulatedMedia", media=media)
                widths.append(await tab.value("document.querySelector('.wide').scrollWidth"))
            return widths, await tab.value("getComputedStyle(document.querySelector('.wide')).overflowX")

    (screen, printed), overflow = asyncio.run(look())
    assert screen > 703 >= printed and overflow == "visible"

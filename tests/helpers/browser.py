"""Chromium without a window, driven through its debugging protocol: what a page shows and says, and its keys."""

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip


def find_browser() -> str | None:
    """The browser's program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page. problems: what its console calls an error, and what it may not load. requests: what it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket, self._number, self._answers = socket, 0, {}
        self.problems: list[str] = []
        self.requests: list[str] = []

    async def listen(self) -> None:
        async for message in self._socket:
            event = message.json()
            if "id" in event:
                self._answers[event["id"]].set_result(event)
            elif event["method"] == "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            elif event["method"] == "Runtime.exceptionThrown":
                self.problems.append(str(event["params"]["exceptionDetails"].get("exception", event["params"])))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                self.problems.append(event["params"]["entry"]["text"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        result = await answer
        assert "error" not in result, result
        return result["result"]

    async def open(self, address: str, width: int = 1300, height: int = 900) -> None:
        """Load a page at a size in pixels."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700
        )
        await self.call("Page.navigate", url=address)

    async def value(self, script: str) -> Any:
        """What an expression in JavaScript is in the page."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    async def until(self, script: str, seconds: float = 60) -> None:
        """Wait until an expression is true in the page, which says of no problem meanwhile."""
        end = time.monotonic() + seconds
        while not await self.value(script):
            assert not self.problems, self.problems
            assert time.monotonic() < end, f"not within {seconds} s: {script}; {self.problems}"
            await asyncio.sleep(0.1)

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if len(key) == 1 else "")

    async def turn_wheel(self, selector: str) -> None:
        """One notch down, over the middle of the first such element."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = [
            await self.value(f"{box}.{start} + {box}.{size} / 2") for start, size in (("x", "width"), ("y", "height"))
        ]
        await self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=100)

    async def picture(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def browser_tab(program: str, folder: Path) -> AsyncIterator[Tab]:
    """A tab of a browser of its own, whose profile lies in `folder`."""
    process = subprocess.Popen(
        [program, f"--user-data-dir={folder}", *ARGUMENTS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = await _when(lambda: (folder / "DevToolsActivePort").read_text().split()[0])
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = [entry for entry in await answer.json() if entry["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                listener = asyncio.create_task(tab.listen())
                yield tab
                listener.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its own processes, which write into the folder
        process.wait()


async def _when(read: Callable[[], str], seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            return read()
        except (OSError, IndexError):
            assert time.monotonic() < end, "the browser did not start"
            await asyncio.sleep(0.1)

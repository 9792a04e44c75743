"""A headless Chromium, driven over its debugging protocol: no driver, no further dependency."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser():
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser of its own."""

    def __init__(self, folder: Path, size=(1280, 1080)) -> None:
        width, height = size
        self.folder = folder
        self.process = subprocess.Popen(
            [
                find_browser(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                f"--user-data-dir={folder}",
                f"--window-size={width},{height}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.number = 0

    async def __aenter__(self):
        found = await self._wait_for(self._page, "Chromium's page")
        self.socket = await websocket_connect(found, max_message_size=1 << 27)
        await self.ask("Page.enable")
        return self

    async def __aexit__(self, *_):
        self.socket.close()
        self.process.terminate()
        self.process.wait(30)

    def _page(self):
        port = self.folder / "DevToolsActivePort"
        if not port.exists() or not port.read_text().strip():
            return None
        url = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
        with urlopen(url, timeout=10) as answer:
            pages = json.load(answer)
        return next((one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page"), None)

    async def _wait_for(self, look, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                found = await IOLoop.current().run_in_executor(None, look)
            except OSError:
                found = None
            if found is not None:
                return found
            await self._pause()
        raise TimeoutError(f"{what} did not appear within {seconds} s")

    async def _pause(self):
        from asyncio import sleep

        await sleep(0.2)

    async def ask(self, method, **params):
        """Send a command and return its result."""
        self.number += 1
        number = self.number
        await self.socket.write_message(
            json.dumps({"id": number, "method": method, "params": params})
        )
        while True:
            message = await self.socket.read_message()
            if message is None:
                raise ConnectionError("the browser has closed the connection")
            found = json.loads(message)
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]

    async def evaluate(self, script):
        """Return what a script gives."""
        found = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    async def open(self, url, script, seconds=60):
        """Open a page and wait until a script gives something true, which is returned."""
        await self.ask("Page.navigate", url=url)
        return await self.until(script, seconds)

    async def until(self, script, seconds=60):
        """Wait until a script gives something true, which is returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = await self.evaluate(script)
            if found:
                return found
            await self._pause()
        raise TimeoutError(f"{script} gave nothing within {seconds} s")

    async def screenshot(self, path: Path):
        """Write a picture of the page as PNG."""
        found = await self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


TEXT = """(() => {
  const walk = (node) => node.nodeType === 3 ? node.textContent : [
    ...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes
  ].filter((one) => !['STYLE', 'SCRIPT'].includes(one.nodeName)).map(walk).join(' ');
  return document.body ? walk(document.body) : '';
})()"""
"""Returns all text of a page, that in shadow roots included."""

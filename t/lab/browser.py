"""A real browser: Chromium without a window, driven over its DevTools protocol through a pair of pipes.

The environment says which: CHROMIUM. Every complaint of a page is kept: errors of scripts, messages of the console, what
Content-Security-Policy forbade, what could not be loaded."""
from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import Any

from httpdlab import scaled, wait_for

CHROMIUM = os.environ.get("CHROMIUM", "chromium")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
         "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--hide-scrollbars", "--mute-audio", "--force-color-profile=srgb", "--lang=en-US",
         "--remote-debugging-pipe",
         "--allow-pre-commit-input")    # else what is clicked before the first frame is drawn is dropped
# Chromium reads commands from descriptor 3 and writes to descriptor 4, whatever ours are.
EXEC = """
import os, sys
read, write = (os.dup(os.dup(os.dup(int(n)))) for n in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


# What Chromium says of a page that is just being replaced by another.
REPLACED = ("Inspected target navigated or closed", "Execution context was destroyed", "Cannot find context with specified id",
            "Cannot find default execution context")


class Replaced(AssertionError):
    """A command was for a page that has gone; the next one is for the page in its place."""


class Browser:
    """One Chromium with a profile of its own. Close it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="browser.")
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        with open(f"{self.folder}/stderr", "wb") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", EXEC, str(read_there), str(write_there),
                 CHROMIUM, *FLAGS, f"--user-data-dir={self.folder}/profile", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                pass_fds=(read_there, write_there), env={**os.environ, "HOME": self.folder, "TZ": "UTC"})
        os.close(read_there)
        os.close(write_there)
        self._in = os.fdopen(write_here, "wb", buffering=0)
        self._out = os.fdopen(read_here, "rb", buffering=0)
        self._answers: dict[int, dict] = {}
        self._pages: dict[str, Page] = {}
        self._last = 0
        self._changed = threading.Condition()   # guards these three
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = b""
        while data := self._out.read(1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                with self._changed:
                    if "id" in message:
                        self._answers[message["id"]] = message
                        self._changed.notify_all()
                    elif page := self._pages.get(message.get("sessionId", "")):
                        page.note(message["method"], message["params"])
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def send(self, method: str, parameters: dict | None = None, session: str | None = None) -> dict[str, Any]:
        """What a command of the protocol answers."""
        with self._changed:
            self._last += 1
            number = self._last
            command = {"id": number, "method": method, "params": parameters or {}}
            if session:
                command["sessionId"] = session
            self._in.write(json.dumps(command).encode() + b"\0")
            self._changed.wait_for(lambda: number in self._answers or self._ended, scaled(60))
            answer = self._answers.pop(number, None)
        if answer is None:
            with open(f"{self.folder}/stderr", encoding="utf-8", errors="replace") as f:
                raise AssertionError(f"{CHROMIUM} did not answer {method}\n{f.read()[-3000:]}")
        if "error" in answer:
            replaced = any(words in answer["error"]["message"] for words in REPLACED)
            raise (Replaced if replaced else AssertionError)(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url: str, width: int = 1200, height: int = 900, dark: bool = False, script: bool = True,
             beside: Page | None = None) -> Page:
        """A new page, which shares nothing with others, or cookies with the one `beside` it, and is closed with that; returns
        when it is loaded."""
        context = beside.context if beside else self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session, context)
        with self._changed:
            self._pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        if not script:
            page.send("Emulation.setScriptExecutionDisabled", {"value": True})
        page.look(width, height, dark)
        page.go(url)
        return page

    def close(self) -> None:
        try:
            self.send("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(scaled(10))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._in.close()
        self._reader.join(scaled(10))
        self._out.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Page:
    """A page in a browser."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.browser = browser
        self.session = session
        self.context = context
        self.complaints: list[str] = []
        self.loads = 0

    def note(self, method: str, parameters: dict) -> None:
        """An event, on the thread that reads them."""
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{parameters['type']}: {json.dumps(parameters['args'])}")
        elif method == "Log.entryAdded":
            entry = parameters["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")

    def send(self, method: str, parameters: dict | None = None) -> dict[str, Any]:
        return self.browser.send(method, parameters, self.session)

    def close(self) -> None:
        """With all its connections."""
        self.browser.send("Target.disposeBrowserContext", {"browserContextId": self.context})

    def go(self, url: str) -> None:
        before = self.loads
        said = self.send("Page.navigate", {"url": url})
        assert "errorText" not in said, said
        wait_for(f"{url} to load", lambda: self.loads > before, 30)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """How large it is, and which colours its owner likes."""
        self.send("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        self.send("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def value(self, expression: str) -> Any:
        """Of an expression in JavaScript."""
        said = self.send("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait(self, what: str, expression: str) -> Any:
        """The value, once it is true; of the page that comes in place of this one, too."""
        def value() -> Any:
            try:
                return self.value(expression)
            except Replaced:
                return None
        return wait_for(what, value, 20)

    def text(self, selector: str) -> str:
        """What a reader sees of the first such element."""
        return self.value(f"document.querySelector({json.dumps(selector)}).innerText.trim()")

    def click(self, selector: str) -> None:
        """With the mouse, on the first such element that is shown. Chromium delays what is done on a page behind another."""
        self.send("Page.bringToFront")
        x, y = self.value(f"""(() => {{
            const all = [...document.querySelectorAll({json.dumps(selector)})];
            const element = all.find((one) => one.offsetParent);
            element.scrollIntoView({{ block: "center", behavior: "instant" }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent",
                      {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1})

    def follow(self, selector: str) -> None:
        """Click what leads to another page; returns when that is loaded, so that nothing of it moves any more."""
        before = self.loads
        self.click(selector)
        wait_for(f"the page behind {selector}", lambda: self.loads > before, 20)

    def type(self, selector: str, text: str) -> None:
        """Instead of what is in a field."""
        self.click(selector)
        self.value(f"document.querySelector({json.dumps(selector)}).select()")
        self.send("Input.insertText", {"text": text})

    def press(self, key: str) -> None:
        code = {"Enter": 13, "ArrowLeft": 37, "Escape": 27}[key]
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                                                 **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {})})

    def screenshot(self, file: str, whole: bool = True, of: str | None = None) -> None:
        """As a PNG; of the first element of a selector, with a margin."""
        clip = {}
        if of:
            x, y, width, height = self.value(f"""(() => {{ const box = document.querySelector({json.dumps(of)}).getBoundingClientRect();
                return [box.x + scrollX, box.y + scrollY, box.width, box.height]; }})()""")
            clip = {"clip": {"x": max(0, x - 16), "y": max(0, y - 16), "width": width + 32, "height": height + 32, "scale": 1}}
        said = self.send("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole, **clip})
        with open(file, "wb") as f:
            f.write(base64.b64decode(said["data"]))

"""make screenshots: the page of the manager with three mirrors under load, as pictures for the README.

One mirror is healthy, one has a limit that is used up again and again, and one goes down after a while. SCREENSHOT_TIME
says for how many seconds they are watched first (default 630, for a chart that is full). Writes manager-light.png and
manager-dark.png, and manager-phone.png, which is only to look at, into the folder of the first argument. optipng, if it is
there, makes them smaller."""
import math
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t", "lab"))

from browser import Browser                     # noqa: E402
from httpdlab import Httpd, location            # noqa: E402
from recorder import Recorder, ok               # noqa: E402

TIME = float(os.environ.get("SCREENSHOT_TIME", "630"))
DOWN_AT = 0.7                                   # of the time
PAGE = "/mirrors"
tick = threading.Event()


def slow(delay):
    """Answers after about `delay` seconds, now and then much later."""
    count = iter(range(1 << 60))

    def answer(sock, message):
        n = next(count)
        tick.wait(delay * (1 + n % 7 / 4) * (8 if n % 50 == 0 else 1))
        return ok(sock, message)
    return answer


def load(httpd, path, rate, over):
    """Requests for `path`, `rate(t)` in a second, until it is over."""
    with httpd.client() as client:
        start = due = time.monotonic()
        while not over.wait(max(0, due - time.monotonic())):
            due = max(due + 1 / rate(due - start), time.monotonic() - 0.1)     # what is late by more is left out
            assert client.get(path).status == 200


def configuration(origin, staging, canary, search):
    return "\n".join([
        location("/shop/", origin, f'ProxyMirror "{staging.url}" name=staging sample_ratio=75%'),
        location("/api/", origin, f'ProxyMirror "{canary.url}" name=canary enable_limit_count=true count=600 time_window=30'),
        location("/search/", origin, f'ProxyMirror "{search.url}" name=search retry=20s'),
        f'<Location "{PAGE}">\nSetHandler proxy-mirror-manager\n</Location>'])


def watch(httpd, browser, search, over):
    """Loads it, and returns the page that has watched that, and the threads that go on loading."""
    page = browser.open(f"http://127.0.0.1:{httpd.port}{PAGE}")
    rates = {"/shop/": lambda t: 42 + 14 * math.sin(t / 53) + 6 * math.sin(t / 7),
             "/api/": lambda t: 31 + 5 * math.sin(t / 29),
             "/search/": lambda t: 18 + 4 * math.sin(t / 41) + 2 * math.sin(t / 11)}
    threads = [threading.Thread(target=load, args=(httpd, path, rate, over)) for path, rate in rates.items()]
    for thread in threads:
        thread.start()
    tick.wait(TIME * DOWN_AT)
    search.close()
    tick.wait(TIME * (1 - DOWN_AT))
    for state in ("up", "limited"):             # when its limit was just reached
        while page.value("mirrors.get('canary').state") != state:
            tick.wait(0.2)
    return page, threads


def shoot(page, folder):
    """The pictures, all within a few seconds; those for the README are of what fits on a screen that is high."""
    files = []
    for name, width, height, dark in (("light", 1100, 1390, False), ("dark", 1100, 1390, True), ("phone", 390, 800, False)):
        page.look(width, height, dark)
        page.value("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.value("mirrors.forEach((one) => { one.seen = true; one.draw(); })")    # those below as well
        page.screenshot(file := f"{folder}/manager-{name}.png", whole=name == "phone")
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: it scrolls sideways"
        files.append(file)
    return files


def main():
    origin, staging, canary, search = (Recorder(60, answer) for answer in (ok, slow(0.004), slow(0.002), slow(0.003)))
    httpd = Httpd(configuration(origin, staging, canary, search))
    browser = Browser()
    over = threading.Event()
    try:
        httpd.start()
        page, threads = watch(httpd, browser, search, over)
        files = shoot(page, sys.argv[1])
        over.set()
        for thread in threads:
            thread.join()
        assert not page.complaints, page.complaints
    finally:
        over.set()
        browser.close()
        httpd.finish(True)
        httpd.clean()
    for file in files:
        if shutil.which("optipng"):
            subprocess.run(["optipng", "-quiet", "-o3", file], check=True)
        print(f"{file}: {os.path.getsize(file)} bytes")


if __name__ == "__main__":
    main()

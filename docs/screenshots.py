"""make screenshots: the page of the manager as pictures: three mirrors under load, and a comparison.

Of the three mirrors, one is healthy, one has a limit that is used up again and again, and one goes down after a while.
SCREENSHOT_TIME says for how many seconds they are watched first (default 630, for a chart that is full). The comparison is of
a shop whose new version has two faults, beside noise. Writes manager-light.png, manager-dark.png, comparison-light.png and
comparison-dark.png, and manager-phone.png, which is only to look at, into the folder of the first argument; further arguments
are `manager` or `comparison`, for these alone. optipng, if it is there, makes them smaller."""
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t", "lab"))

from browser import Browser                     # noqa: E402
from httpdlab import Httpd, location            # noqa: E402
from recorder import Recorder, answer, ok       # noqa: E402

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
        location("/api/", origin, f'ProxyMirror "{canary.url}" name=canary enable_limit_count=true count=600 time_window=30'),
        location("/shop/", origin, f'ProxyMirror "{staging.url}" name=staging sample_ratio=75%'),
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
    """The pictures, all within a few seconds; those for the README end with the first mirror."""
    files = []
    for name, width, height, dark in (("light", 1100, 1000, False), ("dark", 1100, 1000, True), ("phone", 390, 800, False)):
        page.look(width, height, dark)
        if name != "phone":                     # to the end of the first mirror
            end = page.value("Math.ceil(document.querySelector('article').getBoundingClientRect().bottom + scrollY) + 12")
            page.look(width, end, dark)
        page.value("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.value("mirrors.forEach((one) => { one.seen = true; one.draw(); })")    # those below as well
        page.screenshot(file := f"{folder}/manager-{name}.png", whole=name == "phone")
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: it scrolls sideways"
        files.append(file)
    return files


# ---- the comparison ----

def shop(version):
    """Answers as the old or the new version of a shop does; the new one rounds some prices, and has lost a member."""
    def respond(sock, message):
        number = int(message.target.rpartition("/")[2])
        cents = number % 40 * 35
        item = {"id": number, "name": f"Item {number}", "price": cents / 100, "stock": number % 9,
                "offer": str(uuid.uuid4()), "generated_at": time.time_ns() // 1000000}
        if version == "new":
            item = dict(reversed(item.items()))                     # another order does not count
            item["price"] = (cents + (number % 12 == 5)) / 100
            if number % 30 == 7:
                del item["stock"]
        return answer("200 OK", json.dumps(item).encode(), ("Content-Type: application/json", f"X-Node: {version}-1"))(sock, message)
    return respond


def compared(httpd):
    page = httpd.get(f"{PAGE}/mirrors/new-version/comparison", ["Host: localhost"])
    data = json.loads(page.body)
    return data["compared"] + sum(data["skipped"].values())


def ask_shop(httpd, count):
    """Slowly enough for the comparer, whose share of a processor is small."""
    with httpd.client() as client:
        for number in range(count):
            assert client.get(f"/items/{number}", [f"X-Request-Id: {uuid.uuid4()}"]).status == 200
            tick.wait(0.004)
    while compared(httpd) < count:
        tick.wait(0.1)


def comparison(browser, folder):
    old, new, reference = (Recorder(60, shop(version)) for version in ("old", "new", "old"))
    httpd = Httpd("\n".join([
        location("/items/", old, f'ProxyMirror "{new.url}" name=new-version compare=all compare_values=full',
                 f'ProxyMirror "{reference.url}" name=old-version role=reference',
                 "ProxyMirrorCompare header/X-Node ignore", "ProxyMirrorCompare body/generated_at within 5s"),
        f'<Location "{PAGE}">\nSetHandler proxy-mirror-manager\n</Location>']))
    files = []
    try:
        httpd.start()
        ask_shop(httpd, 1200)
        page = browser.open(f"http://127.0.0.1:{httpd.port}{PAGE}")
        page.wait("the findings", "document.querySelectorAll('.findings > li').length > 1")
        page.value("document.querySelector('.findings details[data-key=examples]').open = true")
        page.value("document.querySelector('details[data-key=noise]').open = true")
        for name in ("light", "dark"):
            page.look(1100, 1390, name == "dark")
            page.value("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            page.screenshot(file := f"{folder}/comparison-{name}.png", of="#c-new-version")
            files.append(file)
        assert not page.complaints, page.complaints
    finally:
        httpd.finish(True)
        httpd.clean()
    return files


# ---- three mirrors ----

def three_mirrors(browser, folder):
    origin, staging, canary, search = (Recorder(60, respond) for respond in (ok, slow(0.004), slow(0.002), slow(0.003)))
    httpd = Httpd(configuration(origin, staging, canary, search))
    over = threading.Event()
    try:
        httpd.start()
        page, threads = watch(httpd, browser, search, over)
        files = shoot(page, folder)
        over.set()
        for thread in threads:
            thread.join()
        assert not page.complaints, page.complaints
    finally:
        over.set()
        httpd.finish(True)
        httpd.clean()
    return files


def main():
    folder, *wanted = sys.argv[1:]
    browser = Browser()
    files = []
    try:
        for name, make in (("comparison", comparison), ("manager", three_mirrors)):
            if not wanted or name in wanted:
                files += make(browser, folder)
    finally:
        browser.close()
    for file in files:
        if shutil.which("optipng"):
            subprocess.run(["optipng", "-quiet", "-o3", file], check=True)
        print(f"{file}: {os.path.getsize(file)} bytes")


if __name__ == "__main__":
    main()

"""Which charts are drawn of the tables, if their figures are there."""
from . import svg
from .measure import Figures

OURS, NGINX = "httpd + mod_proxy_mirror", "nginx + mirror"


def write(out, tables):
    """Writes what can be drawn into a folder; returns [(file name, title)]."""
    by = {t.title: t.figures for t in tables}
    drawn = []
    for name, draw in (("cpu.svg", cpu), ("throughput.svg", throughput), ("mirrors.svg", mirrors),
                       ("growth.svg", growth)):
        made = draw(by)
        if made:
            title, text = made
            with open(f"{out}/{name}", "w") as f:
                f.write(text)
            drawn.append((name, title))
    return drawn


def cpu(by):
    """Added CPU of a copy, beside the floor and nginx."""
    f = by.get("GET at full speed", {})
    rows = [(label, f[key], colour) for label, key, colour in (
        ("wrk alone (the floor)", "floor", 2), (OURS, "httpd_mirror", 0),
        (OURS + ", pipeline=16", "httpd_pipeline", 0), (NGINX, "nginx_mirror", 1),
        (NGINX + ", answers without body", "nginx_mirror_empty", 1)) if f.get(key) and f[key].values]
    if len(rows) < 2:
        return None
    marks = [(2.5 * f["floor"].median, "2.5 x floor")] if "floor" in f else []
    title = "Processor time that a mirrored GET adds"
    return title, svg.bars(title, "microseconds for each copy, all processes of the proxy; whiskers: lowest and "
                           "highest round; less is better", [("", rows)], marks=marks)


def throughput(by):
    """Throughput with a mirror, of that without, for each kind of mirror."""
    groups = []
    for heading, case in (("healthy mirror", "GET at full speed"), ("mirror that answers after 1 s", "Slow mirror"),
                          ("mirror that is not there", "Dead mirror"), ("mirror that never answers", "Hanging mirror")):
        f = by.get(case, {})
        rows = [(label, Figures(100 * v for v in f[key].values), colour) for label, key, colour in (
            (OURS, "httpd_mirror ratio", 0), (NGINX, "nginx_mirror ratio", 1),
            (NGINX + ", answers without body", "nginx_mirror_empty ratio", 1)) if key in f]
        if rows:
            groups.append((heading, rows))
    if len(groups) < 2:
        return None
    title = "What is left of the client's throughput"
    return title, svg.bars(title, "per cent of the same proxy without a mirror, everything on the same machine; "
                           "more is better", groups, digits=0, marks=[(100, "unmirrored")])


def mirrors(by):
    """How added CPU grows with the number of mirrors."""
    f = by.get("Several mirrors", {})
    series = [(label, f[key], colour) for label, key, colour in ((OURS.replace("httpd + ", ""), "httpd_mirror", 0),
                                                                 (NGINX, "nginx_mirror", 1)) if f.get(key)]
    if not series or len(series[0][1]) < 2:
        return None
    title = "Processor time that several mirrors add"
    return title, svg.lines(title, "microseconds for each request of the client, for all its copies together", series,
                            "mirrors")


def growth(by):
    """How the memory of a child grows with the copies in flight."""
    points = by.get("Copies in flight", {}).get("memory", [])
    if len(points) < 3:
        return None
    title = "Memory of a child with copies in flight"
    return title, svg.lines(title, "resident megabytes of one child, connections to the mirror included; the mirror "
                            "takes one second", [("resident MB", points, 0)], "copies in flight")

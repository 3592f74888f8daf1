"""Small charts in SVG: bars and lines, with the lowest and highest of the rounds drawn as whiskers."""
from html import escape

WIDTH, LEFT, RIGHT = 760, 250, 70
FONT = "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\""
INK, FAINT, GRID = "#1f2933", "#66727f", "#e3e7eb"
COLOURS = ("#b3432b", "#2f6f9f", "#8a97a3", "#5b8c5a")


def _text(x, y, text, anchor="start", size=13, fill=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def _over(text):
    """A text that stays readable on top of lines."""
    return text.replace("<text ", '<text stroke="#ffffff" stroke-width="4" stroke-linejoin="round" '
                        'paint-order="stroke" ', 1)


def _line(x1, y1, x2, y2, stroke=INK, width=1.0, dash=""):
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"{dash}/>')


def _page(title, subtitle, height, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" {FONT} role="img" aria-label="{escape(title, quote=True)}">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
                      _text(20, 28, title, size=16, weight="600"), _text(20, 48, subtitle, size=12, fill=FAINT),
                      *parts, "</svg>"]) + "\n"


def step(most, steps=6):
    """A round distance for so many grid lines up to most."""
    unit = 10.0 ** -6
    while True:
        for factor in (1, 2, 5):
            if unit * factor * steps >= most:
                return unit * factor
        unit *= 10


def _number(v):
    return f"{v:.10g}"


def bars(title, subtitle, groups, digits=1, marks=()):
    """groups: [(heading or "", [(label, Figures, colour index)])]; marks: [(value, text)] as dashed lines."""
    rows = [bar for _, bs in groups for bar in bs]
    most = max([f.high for _, f, _ in rows] + [m for m, _ in marks])
    distance, plot = step(most), WIDTH - LEFT - RIGHT
    most = max(most, distance)
    parts, labels, y = [], [], 78 if marks else 66
    top = y

    def x(v):
        return LEFT + plot * v / most
    bottom = top + sum((22 if heading else 4) + 26 * len(bs) for heading, bs in groups) + 4
    v = 0.0
    while v <= most * 1.0001:
        parts += [_line(x(v), top, x(v), bottom, GRID), _text(x(v), bottom + 16, _number(v), "middle", 11, FAINT)]
        v += distance
    for heading, bs in groups:
        if heading:
            parts.append(_text(20, y + 16, heading, weight="600", size=12))
        y += 22 if heading else 4
        for label, f, colour in bs:
            parts.append(_text(LEFT - 10, y + 15, label, "end", 12))
            parts.append(f'<rect x="{x(0):.1f}" y="{y + 3}" width="{max(x(f.median) - x(0), 1):.1f}" height="17" '
                         f'fill="{COLOURS[colour]}"/>')
            if len(f.values) > 1:
                parts += [_line(x(f.low), y + 11.5, x(f.high), y + 11.5), _line(x(f.low), y + 8, x(f.low), y + 15),
                          _line(x(f.high), y + 8, x(f.high), y + 15)]
            labels.append(_over(_text(x(f.high) + 8, y + 16, f"{f.median:.{digits}f}", size=12, weight="600")))
            y += 26
    for value, text in marks:
        parts += [_line(x(value), top, x(value), bottom, FAINT, 1.2, "4 3"),
                  _text(x(value), top - 6, text, "middle", 11, FAINT)]
    return _page(title, subtitle, bottom + 32, parts + labels)


def lines(title, subtitle, series, x_title):
    """series: [(label, [(x, Figures)], colour index)]; both axes are linear and begin at 0."""
    left, right, top, height = 64, 190, 70, 250
    most_x = max(x for _, points, _ in series for x, _ in points)
    most_y = max(f.high for _, points, _ in series for _, f in points)
    distance = step(most_y, 5)
    most_y = distance * -(-most_y // distance)

    def px(x):
        return left + (WIDTH - left - right) * x / most_x

    def py(y):
        return top + height * (1 - max(y, 0) / most_y)
    parts, v = [], 0.0
    while v <= most_y * 1.0001:
        parts += [_line(left, py(v), WIDTH - right, py(v), GRID),
                  _text(left - 8, py(v) + 4, _number(v), "end", 11, FAINT)]
        v += distance
    for x in sorted({x for _, points, _ in series for x, _ in points}):
        parts.append(_text(px(x), top + height + 18, _number(x), "middle", 11, FAINT))
    parts.append(_text((left + WIDTH - right) / 2, top + height + 38, x_title, "middle", 12, FAINT))
    ends = []
    for label, points, colour in series:
        c = COLOURS[colour]
        path = " ".join(f"{px(x):.1f},{py(f.median):.1f}" for x, f in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{c}" stroke-width="2"/>')
        for x, f in points:
            parts += [_line(px(x), py(f.low), px(x), py(f.high), c),
                      f'<circle cx="{px(x):.1f}" cy="{py(f.median):.1f}" r="3.5" fill="{c}"/>']
        ends.append((py(points[-1][1].median), f"{label} {points[-1][1].median:.0f}", c))
    last = None
    for y, label, c in sorted(ends):                # labels at the ends of the lines, not on top of one another
        y = y if last is None else max(y, last + 16)
        parts.append(_text(WIDTH - right + 10, y + 4, label, size=12, fill=c, weight="600"))
        last = y
    return _page(title, subtitle, top + height + 52, parts)

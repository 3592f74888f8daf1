"""Tables with their goals, on the terminal and in Markdown."""
import datetime

from .measure import Figures


class Goal:
    def __init__(self, text, value, met):
        """met: True, False, or None when it could not be measured."""
        self.text, self.value, self.met = text, value, met

    def word(self):
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


class Table:
    """One case: a title, what was done, rows of text, goals, notes, and figures by name for the charts."""

    def __init__(self, title, about, columns):
        self.title, self.about, self.columns = title, about, columns
        self.rows, self.goals, self.notes, self.figures = [], [], [], {}

    def row(self, *cells):
        self.rows.append([str(c) for c in cells])

    def point(self, name, x, y):
        """One more point of a line of a chart: a single measurement."""
        self.figures.setdefault(name, []).append((x, Figures([y])))

    def goal(self, text, figures, limit, at_most=True, digits=2, unit=""):
        """A goal for the median of figures (None: not measured)."""
        if figures is None or not figures.values:
            self.goals.append(Goal(text, "-", None))
            return
        def is_met(value):
            return value <= limit if at_most else value >= limit
        met = is_met(figures.median)
        if is_met(round(figures.median, digits)) != met:
            digits += 1                             # or what is printed says otherwise
        self.goals.append(Goal(text, figures.text(digits, unit), met))

    def plain_goal(self, text, value, met):
        self.goals.append(Goal(text, value, met))

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def skipped(self, skipped):
        for name, why in skipped.items():
            self.note(f"skipped: {name}, as {why}")

    # --- out

    def terminal(self):
        out = [f"== {self.title}", f"   {self.about}", ""]
        if self.rows:
            widths = [max(len(r[i]) for r in [self.columns] + self.rows) for i in range(len(self.columns))]
            for r in [self.columns, ["-" * w for w in widths]] + self.rows:
                cells = [r[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(r[1:], widths[1:])]
                out.append("   " + "  ".join(cells).rstrip())
            out.append("")
        out += [f"   {g.word():12}  {g.text}: {g.value}" for g in self.goals]
        out += [f"   {n}" for n in self.notes]
        return "\n".join(out) + "\n"

    def markdown(self):
        out = [f"## {self.title}", "", self.about, ""]
        if self.rows:
            out.append("| " + " | ".join(self.columns) + " |")
            out.append("| --- |" + " ---: |" * (len(self.columns) - 1))
            out += ["| " + " | ".join(r) + " |" for r in self.rows]
            out.append("")
        if self.goals:
            out += ["| goal | measured | |", "| --- | ---: | --- |"]
            out += [f"| {g.text} | {g.value} | {g.word()} |" for g in self.goals]
            out.append("")
        out += [f"- {n}" for n in self.notes]
        if self.notes:
            out.append("")
        return "\n".join(out)


def results(lab, tables, charts, seconds):
    """The whole of results.md."""
    today = datetime.date.today().isoformat()
    versions = ", ".join(f"{k} {v}" for k, v in lab.versions().items())
    out = ["# Results", "",
           f"Made by `make bench` on {today} in {seconds / 60:.0f} minutes; how is told in [README.md](README.md). "
           "Each figure is the median of the rounds, with the lowest and highest in brackets.", "",
           f"- machine: {lab.machine()}; origin, mirror, proxy and client all on it",
           f"- versions: {versions}"]
    if lab.revision():
        out.append(f"- revision: {lab.revision()}")
    out.append("")
    out += [f"![{title}]({name})\n" for name, title in charts]
    out += [t.markdown() for t in tables]
    return "\n".join(out).rstrip() + "\n"

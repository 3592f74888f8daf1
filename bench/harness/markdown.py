"""Tables in Markdown, as report.py writes them."""
import re


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def is_rule(line):
    """The line between the names of the columns and the rows."""
    return set(line) <= set("|-: ")


def sections(text):
    """{title: {first cell: {column: cell}}}, of all tables of a section."""
    found = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        title, rows, columns = part.splitlines()[0].strip(), {}, None
        for line in part.splitlines()[1:]:
            if not line.startswith("|"):
                columns = None
            elif columns is None:
                columns = cells(line)
            elif not is_rule(line):
                rows[cells(line)[0]] = dict(zip(columns, cells(line)))
        found[title] = rows
    return found

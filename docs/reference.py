"""The reference: mod_proxy_mirror.xml joined with the tables of the module, as one XML tree.

The XML has the descriptions; docs/tables prints types, defaults, ranges and requirements. `load`
returns the joined tree and the mismatches. writers.py renders the tree."""
from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

MANUAL = "docs/mod_proxy_mirror.xml"
VERSION = "mod_proxy_mirror 0.1.0 and later"
SIZES = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))
TIMES = ((3600000000, "h"), (60000000, "min"), (1000000, "s"), (1000, "ms"))
# Tables of words: the id of the table, the member of the output of docs/tables, and the word for one.
WORDS = (("table-outcomes", "outcomes", "outcome"), ("table-verdicts", "verdicts", "verdict"),
         ("table-skips", "skips", "reason to skip"), ("table-kinds", "kinds", "kind of difference"))


def words(element: Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def code(text: str) -> Element:
    element = Element("code")
    element.text = text
    return element


def cell(*content: str | Element, tag: str = "td") -> Element:
    """A cell of text and elements."""
    out = Element(tag)
    for part in content:
        if isinstance(part, Element):
            out.append(part)
        elif len(out):
            out[-1].tail = (out[-1].tail or "") + part
        else:
            out.text = (out.text or "") + part
    return out


def row(*cells: Element) -> Element:
    out = Element("tr")
    out.extend(cells)
    return out


def is_rows(table: Element) -> list[Element]:
    return [r for r in table.findall("tr") if r[0].tag == "td"]


# ---- what the tables say of an attribute

def in_units(value: int, units: tuple) -> str:
    """A size or time in the largest unit that has a whole number of it; 0 has no unit."""
    return next((f"{value // size}{unit}" for size, unit in units if value and value % size == 0),
                str(value))


def range_of(attribute: dict) -> list[str | Element]:
    low, high = attribute["min"], attribute["max"]
    choices = [part for word in attribute["choices"] for part in (", ", code(word))][1:]
    texts = {
        "number": f"{low} to {high}",
        "size": f"at most {in_units(high, SIZES)}",
        "time": f"{in_units(low, TIMES)} to {in_units(high, TIMES)}",
        "string": f"{low} to {high} characters" if low else f"at most {high} characters",
        "secret": f"{low} to {high} characters",
        "list": f"{low} to {high} items",
        "servers": f"{low} to {high} servers",
        "texts": f"at most {high} strings",
        "ratio": "0 to 1, or 0% to 100%",
    }
    if attribute["type"] == "host":
        return [*choices, ", or a host"]
    return choices or [texts.get(attribute["type"], "")]


def default_of(attribute: dict) -> str | Element:
    if attribute["default"] is not None:
        return code(attribute["default"])
    return "none" if attribute["word"] else "required"


def requirement(attribute: dict) -> list[str | Element]:
    """The condition of an effect, as a sentence. `a=x|y` are alternatives; a bare name stands for any
    value but the default."""
    if not attribute["needs"]:
        return []
    name, _, values = attribute["needs"].partition("=")
    if not values:
        return [" Only with ", code(name), "."]
    parts = [part for value in values.split("|") for part in (" or ", code(f"{name}={value}"))][1:]
    return [" Only with ", *parts, "."]


# ---- the joined tree

class Join:
    def __init__(self, root: Element, tables: dict) -> None:
        self.root, self.tables, self.problems = root, tables, []
        self.attributes = {a["name"]: a for a in tables["attributes"]}
        self.directives = {d["name"]: d for d in tables["directives"]}
        heads = [re.match(r"# HELP (\S+) .*\n# TYPE \S+ (\S+)\n", text)
                 for text in tables["metrics"]]
        self.metrics = {m.group(1): m.group(2) for m in heads if m}

    def compare(self, kind: str, described: list[str], declared: list[str]) -> None:
        self.problems += [f"{MANUAL}: {kind} {name} of the module is not described"
                          for name in declared if name not in described]
        self.problems += [f"{MANUAL}: {kind} {name} is not in the module"
                          for name in described if name not in declared]
        self.problems += [f"{MANUAL}: {kind} {name} is described twice"
                          for name in sorted(set(described)) if described.count(name) > 1]

    def fill_attributes(self) -> None:
        described, details = [], {}
        for section in self.root.findall("section[@id='details']/section"):
            for name in words(section.find("title")).split(", "):
                details[name] = section.get("id")
        for section in self.root.findall("section[@id='attributes']/section"):
            table = section.find("table")
            rows = is_rows(table)
            for r in rows:
                name = words(r[0])
                described.append(name)
                if len(r) != 2 or not words(r[1]):
                    self.problems.append(f"{MANUAL}: attribute {name} has no description")
                elif name in self.attributes:
                    self.fill_attribute(r, self.attributes[name], details.get(name))
            heads = ("Attribute", "Type", "Default", "Range", "Description")
            table.insert(0, row(*(cell(head, tag="th") for head in heads)))
        self.compare("attribute", described, list(self.attributes))

    def fill_attribute(self, r: Element, attribute: dict, details: str | None) -> None:
        if details:
            link = Element("a", href=f"#{details}")
            link.append(r[0][0])
            r[0].remove(r[0][0])
            r[0].append(link)
        for part in requirement(attribute):
            if isinstance(part, Element):
                r[1].append(part)
            elif len(r[1]):
                r[1][-1].tail = (r[1][-1].tail or "").rstrip() + part
            else:
                r[1].text = (r[1].text or "").rstrip() + part
        r.insert(1, cell(attribute["type"]))
        r.insert(2, cell(default_of(attribute)))
        r.insert(3, cell(*range_of(attribute)))

    def fill_directives(self) -> None:
        named = []
        for element in self.root.findall("directivesynopsis"):
            name = words(element.find("name"))
            named.append(name)
            for part in ("description", "syntax", "contextlist", "usage"):
                if not words(element.find(part)):
                    self.problems.append(f"{MANUAL}: directive {name} has no {part}")
            told = self.directives.get(name)
            if told is None:
                continue
            contexts = [words(c) for c in element.findall("contextlist/context")]
            if ("directory" in contexts) != told["directory"] or "server config" not in contexts:
                self.problems.append(f"{MANUAL}: directive {name} has other contexts in the module")
            self.fill_directive(element, name, told["help"])
        self.compare("directive", named, list(self.directives))

    @staticmethod
    def fill_directive(element: Element, name: str, told: str) -> None:
        """The text of help ends with the range and the default: `..., 4 to 256 (default 8)`."""
        found = re.search(r"(?:, (\S+ to \S+))? \(default ([^)]*)\)$", told)
        place = list(element).index(element.find("syntax")) + 1
        if found:
            default = Element("default")
            default.text = f"{name} {found.group(2)}" if found.group(1) else found.group(2)
            element.insert(place, default)
        if found and found.group(1):
            bounds = Element("range")
            bounds.text = found.group(1)
            element.insert(place + 1, bounds)
        for tag, text in (("status", "External"), ("compatibility", VERSION)):
            new = Element(tag)
            new.text = text
            element.insert(list(element).index(element.find("usage")), new)

    def fill_metrics(self) -> None:
        table = self.root.find(".//table[@id='table-metrics']")
        table[0].insert(1, cell("Type", tag="th"))
        named = [words(r[0]) for r in is_rows(table)]
        for r in is_rows(table):
            r.insert(1, cell(self.metrics.get(words(r[0]), "?")))
        self.compare("metric", named, list(self.metrics))

    def check_words(self) -> None:
        for name, member, kind in WORDS:
            rows = is_rows(self.root.find(f".//table[@id='{name}']"))
            self.compare(kind, [words(r[0]) for r in rows], self.tables[member])
            self.problems += [f"{MANUAL}: {kind} {words(r[0])} has no meaning"
                              for r in rows if not words(r[1])]

    def check_links(self) -> None:
        ids = {e.get("id") for e in self.root.iter() if e.get("id")}
        ids |= {words(d.find("name")).lower() for d in self.root.findall("directivesynopsis")}
        links = [a.get("href", "") for a in self.root.iter("a")]
        self.problems += [f"{MANUAL}: a link leads to {link}, which is not in it"
                          for link in links if link.startswith("#") and link[1:] not in ids]


def load(top: str, program: str) -> tuple[Element, list[str]]:
    """The joined tree, and the problems. `program` prints the tables of the module."""
    out = subprocess.run([program], capture_output=True, text=True, check=True,
                         env={**os.environ, "LC_ALL": "C"})
    try:
        root = ElementTree.parse(f"{top}/{MANUAL}").getroot()
    except ElementTree.ParseError as e:
        return Element("modulesynopsis"), [f"{MANUAL}: is not well-formed: {e}"]
    join = Join(root, json.loads(out.stdout))
    join.fill_attributes()
    join.fill_directives()
    join.fill_metrics()
    join.check_words()
    join.check_links()
    return root, join.problems

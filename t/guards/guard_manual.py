"""Every attribute, directive and outcome is in README.md and in the manual, docs/mod_proxy_mirror.xml; the first two in
conf/proxy_mirror.conf as well. Defaults are everywhere what the sources say."""
import os
import re
import xml.etree.ElementTree as ElementTree
import tree

MANUAL, CONF = "docs/mod_proxy_mirror.xml", "conf/proxy_mirror.conf"
ATTRIBUTES, DIRECTIVES, OUTCOMES = "modules/mirror_attributes.c", "modules/mirror_config.c", "modules/mirror.h"

# what it is, the file that declares it, how it is declared there, how each text names it
KINDS = [
    ("attribute", ATTRIBUTES, r'^\s*\{\s*"(\w+)"\s*,', {"README.md": r"`{}\b", CONF: r"(?<![\w-]){}="}),
    ("directive", DIRECTIVES, r'\bAP_INIT_\w+\(\s*"(\w+)"', {"README.md": r"`{}\b", CONF: r"^[ \t#]*{}[ \t]"}),
    ("outcome", OUTCOMES, r'\bX\(\w+,\s*"(\w+)"\)', {"README.md": r"`{}\b"}),
]
# the directive's first word is the host, without its name
UNNAMED = [("host", CONF)]
# what a directive's part of the manual has
PARTS = ["description", "syntax", "contextlist", "status", "compatibility", "usage"]

problems, checked = [], []


def text_of(path):
    if os.path.isfile(f"{tree.ROOT}/{path}"):
        return tree.read(path)
    problems.append(f"{path}: is missing")
    return ""


def words(element):
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def fields(row):
    """The fields of an initializer, parted at the commas outside strings and parentheses."""
    depth, parts = 0, [""]
    for token in re.findall(r'"(?:\\.|[^"\\])*"|.', row, re.S):
        depth += (token == "(") - (token == ")")
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def defaults():
    """Name and default of each row of the table of attributes; None: it has none. The default is the third to last."""
    for m in re.finditer(r'^\s*\{\s*"(\w+)"\s*,([^{}]*)\}', tree.code(text_of(ATTRIBUTES), strings=True), re.M):
        row = fields(m.group(2))
        initial = row[-3] if len(row) == 5 else ""
        if initial != "NULL" and not re.fullmatch(r'"[^"]*"', initial):
            problems.append(f"{ATTRIBUTES}: the guard cannot read the default of {m.group(1)}")
        else:
            yield m.group(1), None if initial == "NULL" else initial[1:-1]


def look_for_names(named):
    """`named`: what the manual has of each kind."""
    for kind, source, pattern, forms in KINDS:
        names = re.findall(pattern, tree.code(text_of(source), strings=True), re.M)
        if not names:
            problems.append(f"{source}: no {kind} found; the guard looks for {pattern}")
        checked.append(f"{len(names)} {kind}s")
        for path, form in forms.items():
            text = text_of(path)
            problems.extend(f"{path}: {kind} {name} of {source} is not in it" for name in names
                            if (name, path) not in UNNAMED and not re.search(form.format(name), text, re.M))
        problems.extend(f"{MANUAL}: {kind} {name} of {source} is not in it" for name in names if name not in named[kind])
        problems.extend(f"{MANUAL}: {kind} {name} is not in {source}" for name in named[kind] if name not in names)


def compare_defaults(rows):
    """`rows`: the cells of the manual's table of attributes, by name. A default is code there; what is none is words. A line
    of the sample configuration with nothing but one attribute in it repeats the default."""
    lines = dict(re.findall(r"^#?ProxyMirrorDefaults (\w+)=(\S+)$", text_of(CONF), re.M))
    for name, initial in defaults():
        cell = rows[name][2] if len(rows.get(name, [])) == 5 else None
        code = cell.find("code") if cell is not None else None
        if name in rows and (cell is None or not words(cell)):
            problems.append(f"{MANUAL}: attribute {name} has not five cells, or nothing as its default")
        elif cell is not None and initial is None and code is not None and len(words(cell)) == len(words(code)):
            problems.append(f"{MANUAL}: attribute {name} has the default {words(cell)}; {ATTRIBUTES} has none")
        elif cell is not None and initial is not None and (code is None or words(cell) != initial):
            problems.append(f"{MANUAL}: attribute {name} has the default {words(cell)}; {ATTRIBUTES} has {initial}")
        if lines.get(name) != initial:
            problems.append(f"{CONF}: attribute {name} has the default {lines.get(name)}; {ATTRIBUTES} has {initial}")


def check_directives(directives):
    """`directives`: their elements in the manual, by name. Help texts end with the default."""
    helps = dict(re.findall(r'\bAP_INIT_\w+\(\s*"(\w+)"[^"]*"[^"]*\(default ([^)"]+)\)"',
                            tree.code(text_of(DIRECTIVES), strings=True)))
    for name, element in directives.items():
        problems.extend(f"{MANUAL}: directive {name} has no {part}" for part in PARTS if not words(element.find(part)))
        default = words(element.find("default")).replace(f"{name} ", "").split(",")[0] or None
        if default != helps.get(name):
            problems.append(f"{MANUAL}: directive {name} has the default {default}; {DIRECTIVES} has {helps.get(name)}")


try:
    root = ElementTree.fromstring(text_of(MANUAL))
except ElementTree.ParseError as e:
    problems.append(f"{MANUAL}: is not well-formed: {e}")
    root = ElementTree.Element("modulesynopsis")
rows, outcomes = ({words(row[0]): list(row) for row in root.findall(f".//table[@id='{table}']/tr") if row[0].tag == "td"}
                  for table in ["table-attributes", "table-outcomes"])
directives = {words(d.find("name")): d for d in root.findall("directivesynopsis")}
look_for_names({"attribute": rows, "directive": directives, "outcome": outcomes})
compare_defaults(rows)
check_directives(directives)
ids = {e.get("id") for e in root.iter() if e.get("id")}
problems += [f"{MANUAL}: a link leads to {a.get('href')}, which is not in it" for a in root.iter("a")
             if a.get("href", "").startswith("#") and a.get("href")[1:] not in ids]

tree.finish("manual", sorted(set(problems)), ", ".join(checked) + " are in the manual, with their defaults")

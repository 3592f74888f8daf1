"""Relative links of the texts lead to files of the project, and to headings that are there; those of packaged texts to packaged
files (packaging/docs)."""
import fnmatch
import os
import re
import tree

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)|\b(?:href|src|srcset)=\"([^\"\s]+)\"")
CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`", re.M | re.S)


def anchors(path):
    """The names of a text's headings: in small letters, without punctuation, with a hyphen for each blank; of a page its ids."""
    text = tree.read(path)
    if path.endswith(".html"):
        return set(re.findall(r'\bid="([^"]+)"', text))
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def packaged():
    """The files that packaging/docs copies; empty in a package, which does not have it."""
    words = re.search(r"^tar -c (.*?)\|", tree.read("packaging/docs").replace("\\\n", " ") if "packaging/docs" in there else "", re.M)
    patterns = words.group(1).split() if words else []
    return {path for path in there for p in patterns if fnmatch.fnmatchcase(path, p) and path.count("/") == p.count("/")
            or path.startswith(f"{p}/")}


problems, checked = [], 0
there = set(tree.paths())
folders = {os.path.dirname(path) for path in there}
shipped = packaged()
for path in tree.matching(r".*\.(md|html)"):
    text = tree.read(path)
    if path.endswith(".md"):
        text = CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    for m in LINK.finditer(text):
        link = m.group(1) or m.group(2)
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        checked += 1
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        where = f"{path}:{tree.line_of(text, m.start())}: {link}"
        if file not in there and file not in folders:
            problems.append(f"{where}: leads nowhere")
        elif path in shipped and file not in shipped and file not in {os.path.dirname(p) for p in shipped}:
            problems.append(f"{where}: is not in packages (packaging/docs)")
        elif anchor and anchor not in anchors(file):
            problems.append(f"{where}: {file} has no such heading")

tree.finish("links", problems, f"{checked} links lead somewhere" if checked else "")

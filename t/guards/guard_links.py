"""Relative links of the texts lead to files of the project, and to headings that are there."""
import os
import re
import tree

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`", re.M | re.S)


def anchors(text):
    """The names of a text's headings: in small letters, without punctuation, with a hyphen for each blank."""
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


problems, checked = [], 0
there = set(tree.paths())
folders = {os.path.dirname(path) for path in there}
for path in tree.matching(r".*\.md"):
    text = CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), tree.read(path))
    for m in LINK.finditer(text):
        target, _, anchor = m.group(1).partition("#")
        if re.match(r"\w+:", target):
            continue
        checked += 1
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        where = f"{path}:{tree.line_of(text, m.start())}: {m.group(1)}"
        if file not in there and file not in folders:
            problems.append(f"{where}: leads nowhere")
        elif anchor and anchor not in anchors(tree.read(file)):
            problems.append(f"{where}: {file} has no such heading")

tree.finish("links", problems, f"{checked} links lead somewhere" if checked else "")

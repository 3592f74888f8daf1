"""A function fits a screen (46 lines in the module, 60 elsewhere), a file has one theme (500 lines)."""
import re
import tree

MODULE, FUNCTION, FILE = 46, 60, 500


def functions(text):
    """Name, first line and number of lines of every function: its body is closed by a brace in the first column."""
    lines = tree.code(text).split("\n")
    first = None
    for n, line in enumerate(lines, 1):
        if re.match(r"[A-Za-z_]", line) and not line.rstrip().endswith(";"):
            head = first = n
            opened = False
        if first and re.match(r"\{", line) or re.match(r"\w.*\)\s*\{\s*$", line):
            head, opened = first, True
        if line.startswith("}") and first:
            words = re.findall(r"(\w+)\s*\(", " ".join(lines[head - 1:head + 3]))
            if opened and words:
                yield words[0], head, n - head + 1
            first = None


problems, checked = [], 0
for path in tree.matching(r".*\.[ch]"):
    limit = MODULE if re.match(r"modules/|mod_proxy_mirror", path) else FUNCTION
    for name, line, length in functions(tree.read(path)):
        checked += 1
        if length > limit:
            problems.append(f"{path}:{line}: {name}() has {length} lines, more than {limit}; part it")
for path in tree.matching(r".*\.([ch]|py|sh|js|css)|bootstrap|t/lanes/\w+|t/guards/run|\.ci/run|bench/\w+"):
    length = tree.read(path).count("\n")
    if length > FILE:
        problems.append(f"{path}: {length} lines, more than {FILE}; split it along its own seam")

tree.finish("size", problems, f"{checked} functions fit a screen" if checked else "")

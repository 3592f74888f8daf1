"""Every line that goes to httpd's log has a tag of ours, PM0012, which leads to one place in the sources."""
import re
import tree

CALL = re.compile(r"\bap_log_[prc]?error\s*\(")
STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')


def arguments(text, start):
    """The text between the parenthesis before `start` and the one that closes it."""
    depth = 1
    for m in re.compile(r'"(?:\\.|[^"\\\n])*"|[()]').finditer(text, start):
        depth += {"(": 1, ")": -1}.get(m.group(), 0)
        if depth == 0:
            return text[start:m.start()]
    return text[start:]


problems, calls, tags = [], 0, {}
for path in tree.matching(r"(modules/\w+/\w+|mod_proxy_mirror)\.[ch]"):
    text = tree.code(tree.read(path), strings=True)
    for call in CALL.finditer(text):
        calls += 1
        place = f"{path}:{tree.line_of(text, call.start())}"
        string = STRING.search(arguments(text, call.end()))
        tag = string and re.match(r"(PM\d{4}): \S", string.group(1))
        if not tag:
            problems.append(f"{place}: the format of a log call begins with a tag, \"PM1234: what happened\"")
        elif tag.group(1) in tags:
            problems.append(f"{place}: {tag.group(1)} is also the tag of {tags[tag.group(1)]}")
        else:
            tags[tag.group(1)] = place
    for number in re.finditer(r"APLOGNO\w*|\bAH\d{5}\b", text):
        problems.append(f"{path}:{tree.line_of(text, number.start())}: {number.group()}: AH numbers are httpd's own")

free = next(n for n in range(1, 10000) if f"PM{n:04}" not in tags)
if any("also the tag" in p or "begins with a tag" in p for p in problems):
    problems.append(f"the first tag that is free is PM{free:04}")
tree.finish("tags", problems, f"{calls} log calls, each with a tag of its own" if calls else "")

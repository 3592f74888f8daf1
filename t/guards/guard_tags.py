"""Every line that goes to httpd's log has a tag of ours, PM0012, which leads to one place in the sources, and to one row of
docs/messages.md, which has its level and its text."""
import re
import tree

CALL = re.compile(r"\bap_log_[prc]?error\s*\(")
STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')
PAGE = "docs/messages.md"
ROW = re.compile(r"^\| `(PM\d{4})` \| ([a-z, ]+) \| ([^|\n]+) \| [^|\n]+ \|$", re.M)
PARTS = re.compile(r'(?:"(?:\\.|[^"\\\n])*"\s*|\bAPR_\w+_FMT\s*)+')
LEVELS = {"EMERG": "emerg", "ALERT": "alert", "CRIT": "crit", "ERR": "error", "WARNING": "warn", "NOTICE": "notice",
          "INFO": "info", "DEBUG": "debug"}


def arguments(text, start):
    """The text between the parenthesis before `start` and the one that closes it."""
    depth = 1
    for m in re.compile(r'"(?:\\.|[^"\\\n])*"|[()]').finditer(text, start):
        depth += {"(": 1, ")": -1}.get(m.group(), 0)
        if depth == 0:
            return text[start:m.start()]
    return text[start:]


def level_of(given):
    """The levels of a log call, in httpd's words of the log."""
    return ", ".join(sorted({LEVELS[n] for n in re.findall(r"\bAPLOG_(\w+)", given) if n in LEVELS}))


def text_of(given):
    """A pattern for the text of a log call: anything may stand for a value."""
    parts = re.sub(r"APR_\w+_FMT", '"d"', PARTS.search(given).group())
    text = "".join(STRING.findall(parts)).replace('\\"', '"')[len("PM0000: "):]
    return ".+".join(re.escape(piece) for piece in re.split(r"(?:%[.*\d]*(?:[lh]*)[a-zA-Z])+", text))


problems, calls, tags, messages = [], 0, {}, {}
for path in tree.matching(r"(modules/\w+/\w+|mod_proxy_mirror)\.[ch]"):
    text = tree.code(tree.read(path), strings=True)
    for call in CALL.finditer(text):
        calls += 1
        place = f"{path}:{tree.line_of(text, call.start())}"
        given = arguments(text, call.end())
        string = STRING.search(given)
        tag = string and re.match(r"(PM\d{4}): \S", string.group(1))
        if not tag:
            problems.append(f"{place}: the format of a log call begins with a tag, \"PM1234: what happened\"")
        elif tag.group(1) in tags:
            problems.append(f"{place}: {tag.group(1)} is also the tag of {tags[tag.group(1)]}")
        else:
            tags[tag.group(1)] = place
            messages[tag.group(1)] = level_of(given), text_of(given)
    for number in re.finditer(r"APLOGNO\w*|\bAH\d{5}\b", text):
        problems.append(f"{path}:{tree.line_of(text, number.start())}: {number.group()}: AH numbers are httpd's own")

page = tree.read(PAGE)
rows = set()
for row in ROW.finditer(page):
    tag, level, text = row.groups()
    place = f"{PAGE}:{tree.line_of(page, row.start())}: {tag}"
    if tag in rows:
        problems.append(f"{place} has a row above")
    elif tag not in messages:
        problems.append(f"{place} is in no source")
    else:
        if level != messages[tag][0]:
            problems.append(f"{place} has the level {messages[tag][0]} in {tags[tag]}, not {level}")
        if not re.fullmatch(messages[tag][1], text.replace("`", "")):
            problems.append(f"{place} has another text in {tags[tag]}")
    rows.add(tag)
problems += [f"{tags[tag]}: {tag} has no row in {PAGE}" for tag in sorted(set(tags) - rows)]

free = next(n for n in range(1, 10000) if f"PM{n:04}" not in tags)
if any("also the tag" in p or "begins with a tag" in p for p in problems):
    problems.append(f"the first tag that is free is PM{free:04}")
tree.finish("tags", problems, f"{calls} log calls, each with a tag of its own and a row in {PAGE}" if calls else "")

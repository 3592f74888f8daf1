"""Calls and words that have no place here, each with what to use instead."""
import re
import tree

# in C, outside comments and strings
IN_C = [
    (r"\bv?sprintf\s*\(", "apr_snprintf, or apr_psprintf"),
    (r"\b(strcpy|strcat|gets)\s*\(", "apr_cpystrn, or memcpy with a length that was checked"),
    (r"\bato(i|l|ll|f)\s*\(", "apr_strtoi64, and look at errno and at what follows"),
    (r"\bstrtok(_r)?\s*\(", "apr_strtok, or a loop: it writes into what it reads"),
    (r"\bvolatile\b", "a mutex, or apr_atomic_*"),
    (r"\bap_register_(in|out)put_filter(_protocol)?\s*\(", "mirror_filter_*: what has a name, an .htaccess file can name"),
    (r"\b(setjmp|longjmp|alloca|system|popen)\s*\(", "nothing: it has no place in a server"),
]
# parts of names in C: words that httpd and the RFCs do not use
IN_NAMES = {
    "answer": "response, reply or result", "answers": "responses", "answered": "responded",
    "ask": "query or request", "asks": "queries", "asked": "queried or requested",
    "tell": "report, log or publish", "tells": "reports", "told": "reported or logged", "say": "report", "said": "reported",
    "wanted": "requested", "quest": "lookup", "hungry": "wants_helper", "haste": "abrupt",
}
# the name of a reason to skip in JSON, metrics and log
PUBLIC = {"NO_ANSWER", "MIRROR_SKIP_NO_ANSWER"}
# in everything below t/
IN_TESTS = [(r"\b[un]?(nano)?sleep\s*\(|^\s*sleep\s+[\d$]", "wait for a condition, with a limit of time"),
            (r"^(from|import) test_\w+", "a module of t/lab: what several tests use")]
# everywhere
ANYWHERE = [(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", "do it, or open an issue")]


def look(path, text, rules):
    return [f"{path}:{tree.line_of(text, m.start())}: {m.group().strip().rstrip('(')}: {instead}"
            for rule, instead in rules for m in re.finditer(rule, text, re.M)]


def look_at_names(path, text):
    for m in re.finditer(r"[A-Za-z]\w*", text):
        for part in set(m.group().lower().split("_")) & IN_NAMES.keys() if m.group() not in PUBLIC else ():
            yield f"{path}:{tree.line_of(text, m.start())}: {m.group()}: {part}: {IN_NAMES[part]}"


problems, checked = [], 0
for path in tree.paths():
    text = tree.read(path)
    problems += look(path, text, ANYWHERE)
    if path.endswith((".c", ".h")):
        checked += 1
        problems += look(path, tree.code(text), IN_C)
        problems += look_at_names(path, tree.code(text))
    if path.startswith("t/"):
        problems += look(path, text, IN_TESTS)

tree.finish("words", problems, f"{checked} C files without a forbidden word" if checked else "")

"""No fact is in two hand-written pages: no sentence or cell of one is like one of another."""
import difflib
import re
import xml.etree.ElementTree as ElementTree
import tree

LIMIT = 0.6         # share of the words, in order, that two sentences have in common
SHORTEST = 10       # words of a sentence that is compared
PAGES = r"[A-Z]+\.md|docs/.*\.md|(bench|modules|packaging)/(.*/)?README\.md"
GENERATED = ["docs/reference.md"]
MANUAL = "docs/mod_proxy_mirror.xml"
FENCE = re.compile(r"^```.*?^```$|^ {4}\S[^\n]*$|<!--.*?-->|<[^>\n]+>", re.M | re.S)
QUOTE = re.compile(r"^\| `PM\d{4}` \|[^|\n]*\|[^|\n]*", re.M)    # the text of a log message


def of_page(text):
    """Paragraphs, items and cells, each as one string."""
    text = QUOTE.sub("", FENCE.sub("", text))
    text = re.sub(r"\]\([^)]*\)", "]", text)
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|^(?=\|)", text, flags=re.M):
        yield from part.split("|") if part.startswith("|") else [part]


def of_manual(text):
    for element in ElementTree.fromstring(text).iter():
        if element.tag in ("p", "li", "td", "dd", "description"):
            yield "".join(element.itertext())


def sentences(path):
    parts = of_manual(tree.read(path)) if path == MANUAL else of_page(tree.read(path))
    for part in parts:
        for sentence in re.split(r"(?<=[.!?:;])\s+", part):
            words = re.findall(r"\w+", sentence.lower())
            if len(words) >= SHORTEST:
                yield path, " ".join(sentence.split()), words


found = [s for path in tree.matching(PAGES) + tree.matching(re.escape(MANUAL))
         if path not in GENERATED for s in sentences(path)]
number = {}
bits = [sum({1 << number.setdefault(word, len(number)) for word in words}) for _, _, words in found]
problems = []
for n, (path, text, words) in enumerate(found):
    for m in range(n + 1, len(found)):
        other, again, others = found[m]
        # distinct words bound the ratio from above, but for words that repeat
        shared = bin(bits[n] & bits[m]).count("1") if other != path else 0
        if shared < 0.4 * (len(words) + len(others)) / 2:
            continue
        ratio = difflib.SequenceMatcher(None, words, others, False).ratio()
        if ratio > LIMIT:
            problems.append(f"{path}: {text!r} is like ({ratio:.2f}) {again!r} of {other}: "
                            "say it once, and link")

tree.finish("alike", problems, f"{len(found)} sentences, each in one page" if found else "")

"""No source file, unit test, fuzz target or page is forgotten in Makefile.am."""
import os
import tree

WHERE = [
    ("SOURCES", r"(modules/\w+/\w+|\w+)\.[ch]", "libmirror_la_SOURCES"),
    ("UNIT_TESTS", r"t/unit/\w+/test_\w+\.c", "UNIT_TESTS"),
    ("FUZZ_TARGETS", r"t/fuzz/fuzz_\w+\.c", "FUZZ_TARGETS"),
]
PAGES = r"(docs|modules/\w+)/[\w-]+\.md"
problems, checked = [], 0
for variable, pattern, place in WHERE:
    named = {name if name.endswith((".c", ".h")) else f"{name}.c" for name in os.environ[variable].split()}
    there = set(tree.matching(pattern))
    checked += len(there)
    problems += [f"{path}: is not in {place} of Makefile.am" for path in sorted(there - named)]
    problems += [f"{path}: is in {place} of Makefile.am, but not in the tree" for path in sorted(named - there)]
for path in tree.matching(r"t/fuzz/fuzz_\w+\.c"):
    corpus = "t/fuzz/corpus/" + path[len("t/fuzz/fuzz_"):-2]
    if not tree.matching(corpus + "/.+"):
        problems.append(f"{path}: {corpus} is empty; `make check` has nothing to replay")

named = set(os.environ["PAGES"].split())
problems += [f"{path}: is not in DOCS or WING_READMES of Makefile.am" for path in tree.matching(PAGES) if path not in named]

tree.finish("sources", problems, f"{checked} sources are in Makefile.am" if checked else "")

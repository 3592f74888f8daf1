"""Each room has tests: t/unit/WING/test_ROOM.c, or a line in t/rooms.txt. With --print, the table of all. And modules/README.md names
each file of the sources in its table, and no other."""
import re
import sys
import tree

LIST = "t/rooms.txt"
TABLE = "modules/README.md"


def lines():
    """Room and what it has, of each line."""
    for number, line in enumerate(tree.read(LIST).splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            room, *rest = line.split(None, 1)
            yield number, room, (rest or [""])[0]


rooms = {path[len("modules/"):-2]: [] for path in tree.matching(r"modules/\w+/\w+\.c")}
there, problems = set(tree.paths()), []
for room, tests in rooms.items():
    own = "unit/{}/test_{}.c".format(*room.split("/"))
    if f"t/{own}" in there:
        tests.append(own)
for number, room, rest in lines():
    where = f"{LIST}:{number}: {room}"
    if room not in rooms:
        problems.append(f"{where} is no room")
        continue
    if rooms[room]:
        problems.append(f"{where} has {rooms[room][0]} already")
    if rest.startswith("- ") and len(rest) > 12:
        rooms[room].append(rest)
        continue
    for test in rest.split():
        if f"t/{test}" not in there:
            problems.append(f"{where} names {test}, which is not there")
        elif not re.fullmatch(r"(functional/.*/test_\w+\.py|unit/.*/test_\w+\.c|fuzz/fuzz_\w+\.c)", test):
            problems.append(f"{where} names {test}, which is no test")
        rooms[room].append(test)
problems += [f"modules/{room}.c: has no unit test of its name, and no line in {LIST}" for room, tests in rooms.items() if not tests]
sources = {path[len("modules/"):]: path for path in tree.matching(r"modules/\w+/\w+\.(c|h|js|css|svg)")}
named = set(re.findall(r"`([\w./]+)`", "".join(re.findall(r"^\|.*", tree.read(TABLE).partition("| to change |")[2].partition("\n## ")[0], re.M))))
problems += [f"{TABLE}: names {name}, which is not there" for name in sorted(named) if re.search(r"\.\w+$", name)
             and name not in sources and f"admin/{name}" not in sources and not name.startswith("../")]
problems += [f"{TABLE}: does not name {name}" for name in sources if name not in named and name.removeprefix("admin/") not in named]
if "--print" in sys.argv:
    print("\n".join(f"{room:24}{test}" if test == tests[0] else f"{'':24}{test}" for room, tests in rooms.items() for test in tests))
else:
    tree.finish("rooms", problems, f"{len(rooms)} rooms with tests" if rooms else "")

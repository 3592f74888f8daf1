"""A guard that cannot fail guards nothing: each is run over a copy of the tree in which one thing was broken, and has
to name it."""
import os
import shutil
import subprocess
import sys
import tempfile
import tree

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = "int long_one(void)\n{\n" + "    ;\n" * 90 + "}\n"
MANUAL = "docs/mod_proxy_mirror.xml"
TALL = "/* tall */\n" * 501

# guard, file that is appended to (or made), what is appended (or what is replaced, and by what), what the guard must say
BREAKS = [
    ("includes", "modules/capture/capture.h", "\n", "has no header"),
    ("includes", "modules/send/sender.c", '#include "capture/head.h"\n', "includes capture/head.h; send may include"),
    ("includes", "modules/send/sender.c", '#include "send/pool.c"\n', "a .c file is no header"),
    ("includes", "modules/base/queue.h", '#include "copy/copy.h"\n', "base may include"),
    ("includes", "modules/send/pool_state.h", '#include "send/gate.h"\n', "in a circle"),
    ("includes", "modules/base/queue.h", "#include <http_core.h>\n", "base/queue.c: includes http_core.h through"),
    ("includes", "modules/send/response.c", "# include <util_filter.h>\n", "send/response.c: includes util_filter.h"),
    ("includes", "modules/base/mirror.h", "#include <string.h>\n", "base/mirror.h: includes string.h"),
    ("includes", "modules/base/loop.h", '#include "base/loop.h"\n', "base/loop.h: includes itself"),
    ("includes", "modules/send/pool.c", "#include <nghttp2/nghttp2.h>\n", "only send/http2_state.h"),
    ("includes", "modules/base/loop.c", '#include "suite.h"\n', "base/loop.c: includes suite.h of t/lab"),
    ("size", "modules/base/queue.c", LONG, "long_one() has 93 lines"),
    ("size", "t/long.py", TALL, "t/long.py: 501 lines"),
    ("words", "modules/base/queue.c", "static volatile int v;\n", "volatile"),
    ("words", "mod_proxy_mirror.c", "void f(char *s) { sprintf (s, s); }\n", "sprintf"),
    ("words", "modules/copy/copy.c", "int n = atoi(s);\n", "atoi"),
    ("words", "modules/copy/copy.c", "char *a = strtok(s, t), *b = strcpy(s, t);\n", "strtok"),
    ("words", "modules/base/queue.c", 'f = ap_register_input_filter("X", in, NULL, 1);\n', "mirror_filter_"),
    ("words", "modules/copy/copy.c", "static int take_answers;\n", "take_answers: answers: responses"),
    ("words", "t/test_nap.py", "time.sle" "ep(1)\n", "wait for a condition"),
    ("words", "t/nap.sh", "  sle" "ep 1\n", "wait for a condition"),
    ("words", "README.md", "TO" "DO\n", "open an issue"),
    ("clock", "modules/base/loop.c", "apr_time_t a = apr_time_now();\n", "apr_time_now: mirror_clock_now()"),
    ("clock", "modules/send/pool.c", "time_t a = time(NULL);\n", "time: mirror_clock_now()"),
    ("clock", "modules/shared/store.c", "clockid_t a = CLOCK_REALTIME;\n", "CLOCK_REALTIME: mirror_clock_now()"),
    ("clock", "mod_proxy_mirror.c", "int a = pthread_cond_timedwait(c, m, &t);\n", "pthread_cond_timedwait: mirror"),
    ("clock", "modules/base/clock.c", ("(then - mirror", "2 * (then - mirror"), "apr_time_now: mirror_clock_now()"),
    ("tags", "modules/base/queue.c", 'ap_log_error(APLOG_MARK, APLOG_ERR, 0, f(")"), "no tag");\n', "with a tag"),
    ("tags", "modules/base/queue.c", 'ap_log_perror(M, 0, 0, p, "PM9999: a");\nap_log_rerror(M, 0, 0, r, "PM9999: b");\n',
     "PM9999 is also"),
    ("tags", "modules/base/queue.c", 'ap_log_error(M, 0, 0, s, APLOGNO(01234) "PM9998: a");\n', "httpd's own"),
    ("tags", "modules/base/queue.c", 'ap_log_error(M, 0, 0, s, "PM9997: a");\n', "PM9997 has no row in docs/messages.md"),
    ("tags", "docs/messages.md", "| `PM9996` | error | a | b |\n", "PM9996 is in no source"),
    ("tags", "docs/messages.md", "| `PM0400` | warn | a | b |\n", "PM0400 has a row above"),
    ("tags", "docs/messages.md", ("| `PM0400` | warn |", "| `PM0400` | error |"), "has the level warn"),
    ("tags", "docs/messages.md", ("mirror NAME is down: STEP", "mirror NAME is gone: STEP"), "has another text"),
    ("sources", "modules/base/stray.c", "\n", "libmirror_la_SOURCES"),
    ("sources", "t/unit/base/test_stray.c", "\n", "UNIT_TESTS"),
    ("sources", "t/fuzz/fuzz_stray.c", "\n", "FUZZ_TARGETS"),
    ("sources", "docs/stray.md", "# Stray\n", "DOCS or WING_READMES"),
    ("rooms", "modules/base/stray.c", "\n", "modules/base/stray.c: has no unit test of its name"),
    ("rooms", "t/rooms.txt", "base/nothing unit/base/test_loop.c\n", "base/nothing is no room"),
    ("rooms", "t/rooms.txt", "base/loop unit/base/test_loop.c\n", "base/loop has unit/base/test_loop.c already"),
    ("rooms", "t/rooms.txt", ("functional/admin/test_metrics.py", "functional/admin/test_metric.py"), "which is not there"),
    ("rooms", "t/rooms.txt", ("functional/admin/test_metrics.py", "lab/wire.py"), "which is no test"),
    ("rooms", "modules/README.md", ("`base/loop.c`", "`base/loops.c`"), "names base/loops.c, which is not there"),
    ("rooms", "modules/base/stray.h", "\n", "does not name base/stray.h"),
    ("paths", "docs/x.html", "see /ho" "me/me/x\n", "docs/x.html:1: /"),
    ("paths", "t/x.sh", "cd '/wo" "rk/main'\n", "t/x.sh:1: /"),
    ("manual", MANUAL, ("<td><code>ttl</code></td>", "<td><code>tl</code></td>"), "attribute ttl of the module is not described"),
    ("manual", MANUAL, ("<td><code>ttl</code></td>", "<td><code>tl</code></td>"), "attribute tl is not in the module"),
    ("manual", MANUAL, ("<td><code>ttl</code></td>", "<td><code>retry</code></td>"), "attribute retry is described twice"),
    ("manual", MANUAL, ("<td>Time that the result of a DNS lookup is used.</td>", "<td></td>"), "attribute ttl has no description"),
    ("manual", MANUAL, ("<name>ProxyMirrorSlots</name>", "<name>Slots</name>"), "directive ProxyMirrorSlots of the module"),
    ("manual", MANUAL, ("<name>ProxyMirrorSlots</name>", "<name>Slots</name>"), "directive Slots is not in the module"),
    ("manual", MANUAL, ("<syntax>ProxyMirrorSlots <var>number</var></syntax>", "<syntax/>"), "directive ProxyMirrorSlots has no syntax"),
    ("manual", MANUAL, ("<td><code>broken</code></td>", "<td><code>torn</code></td>"), "outcome broken of the module"),
    ("manual", MANUAL, ("<code>proxy_mirror_up</code>", "<code>proxy_mirror_down</code>"), "metric proxy_mirror_up of the module"),
    ("manual", MANUAL, ('href="#outcomes"', 'href="#endings"'), "a link leads to #endings"),
    ("manual", MANUAL, ("<usage>", "<hint>"), "is not well-formed"),
    ("manual", MANUAL, ("DNS lookup is used", "name lookup is used"), "docs/reference.md: is stale"),
    ("manual", "docs/reference.md", ("`1024`", "`1025`"), "docs/reference.md: is stale"),
    ("manual", "docs/cheatsheet.md", ("sample_ratio=1%", "sample_ratio=2%"), "conf/proxy_mirror.conf: is stale"),
    ("manual", "conf/proxy_mirror.conf", ("retry=10s", "retry=1s"), "conf/proxy_mirror.conf: is stale"),
    ("alike", "packaging/README.md", "\nThe mirror therefore never processes a request before the origin responds to it.\n",
     "of packaging/README.md"),
    ("alike", "modules/send/README.md", "\nThe mirror therefore never processes a request before the origin responds to it.\n",
     "of modules/send/README.md"),
    ("alike", "SECURITY.md", "\nThe mirror therefore never processes a request before the origin has responded to it.\n", "of docs/copies.md"),
    ("links", "README.md", "[x](docs/no" "where.md)\n", "docs/nowhere.md: leads nowhere"),
    ("links", "README.md", '<img src="docs/no' 'where.png">\n', "docs/nowhere.png: leads nowhere"),
    ("links", "README.md", "[x](modules/README.md#no" "where)\n", "modules/README.md has no such heading"),
    ("links", "packaging/docs", ("modules/*/README.md", ""), "config/README.md: is not in packages"),
    ("figures", "README.md", "<!-- bench: Memory -->\n| child | grown MB |\n| --- | --- |\n| 1 | -7 |\n", "bench/results.md has: | 1 |"),
    ("figures", "docs/limits.md", "<!-- bench: No such -->\n", "has no section 'No such'"),
    ("figures", "README.md", ("| Dead mirror | 0", "| Dead mirror | 1"), "bench/results.md has: | Dead mirror"),
    ("packages", "debian/changelog", ("mod-proxy-mirror (", "mod-proxy-mirror (9."), "debian/changelog: has the version 9."),
]


def run(guard, **env):
    return subprocess.run([sys.executable, f"{HERE}/guard_{guard}.py"], env={**os.environ, **env},
                          capture_output=True, text=True)


def say(guard, what, out, problems):
    if out.returncode != 1 or what not in out.stdout:
        problems.append(f"guard_{guard}.py does not fail with {what!r}: {out.stdout}{out.stderr}")


problems = []
with tempfile.TemporaryDirectory(prefix="proxy_mirror.") as copy:
    for path in tree.paths():
        os.makedirs(os.path.dirname(f"{copy}/{path}"), exist_ok=True)
        shutil.copyfile(f"{tree.ROOT}/{path}", f"{copy}/{path}")
    for guard, path, text, what in BREAKS:
        file = f"{copy}/{path}"
        before = open(file).read() if os.path.exists(file) else None
        os.makedirs(os.path.dirname(file), exist_ok=True)
        if isinstance(text, tuple):
            if text[0] not in before:
                problems.append(f"broken.py: {path} has no {text[0]!r} to be replaced")
            open(file, "w").write(before.replace(*text))
        else:
            open(file, "a").write(text)
        say(guard, what, run(guard, srcdir=copy), problems)
        if before is None:
            os.unlink(file)
        else:
            open(file, "w").write(before)

    # a module that has an attribute more than the manual
    stray = subprocess.run([os.environ["TABLES"]], capture_output=True, text=True, check=True).stdout
    with open(f"{copy}/tables", "w") as f:
        f.write("#!/bin/sh\ncat <<'END'\n" + stray.replace('"name": "ttl"', '"name": "stray"') + "\nEND\n")
    os.chmod(f"{copy}/tables", 0o755)
    say("manual", "attribute stray of the module is not described", run("manual", srcdir=copy, TABLES=f"{copy}/tables"), problems)
    if "are as clang-format" in run("format", srcdir=copy).stdout:
        with open(f"{copy}/modules/base/queue.c", "a", encoding="utf-8") as f:
            f.write("int  two_blanks;\n")
        say("format", "modules/base/queue.c: is not as clang-format leaves it", run("format", srcdir=copy), problems)

    open(f"{copy}/two.c", "w").write("int proxy_mirror_module, another_symbol;\n")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", f"{copy}/two.c", "-o", f"{copy}/two.so"],
                   check=True)
    say("symbol", "exports another_symbol", run("symbol", MODULE=f"{copy}/two.so"), problems)
guards = {name[len("guard_"):-3] for name in os.listdir(HERE) if name.startswith("guard_")}
problems += [f"guard_{g}.py: nothing in broken.py makes it fail" for g in sorted(guards - {b[0] for b in BREAKS} - {"symbol", "format"})]

tree.finish("broken", problems, f"{len(BREAKS) + 2} broken trees were all noticed")

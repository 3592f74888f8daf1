"""Deadlines, timers and durations follow mirror_clock_now(): the wall clock can be set, and is for
what people read."""
import re
import tree

# What reads the wall clock, or waits until a time of it.
WALL = re.compile(r"\b(apr_time_now|gettimeofday|ftime|time|timespec_get)\s*\(|"
                  r"\bCLOCK_(REALTIME|TAI)\w*|"
                  r"\b(apr_thread_(cond_timedwait|mutex_timedlock)|sem_timedwait|"
                  r"pthread_(mutex_timedlock|cond_timedwait|rwlock_timed(rd|wr)lock|timedjoin_np))"
                  r"\s*\(")
# A condition waits by this clock if it was made so.
MONOTONIC = re.compile(r"\bpthread_condattr_setclock\s*\([^;]*CLOCK_MONOTONIC")
# file, line of code, why
ALLOWED = [
    ("modules/base/clock.c", "return apr_time_now() + (then - mirror_clock_now());",
     "a time to be printed"),
    ("modules/base/clock.c", "apr_interval_time_t ago = apr_time_now() - wall;",
     "httpd's request_time is of that clock"),
]

problems, checked = [], 0
for path in tree.matching(r"(modules/\w+/\w+|mod_proxy_mirror)\.[ch]"):
    text = tree.code(tree.read(path))
    lines = text.split("\n")
    checked += 1
    for m in WALL.finditer(text):
        line = tree.line_of(text, m.start())
        word = m.group().rstrip("( ")
        if (path, lines[line - 1].strip()) in {(file, code) for file, code, _ in ALLOWED}:
            continue
        if word == "pthread_cond_timedwait" and MONOTONIC.search(text):
            continue
        problems.append(f"{path}:{line}: {word}: mirror_clock_now(), or a line with a reason in "
                        "guard_clock.py")

tree.finish("clock", problems,
            f"{checked} sources ask the wall clock only to print" if checked else "")

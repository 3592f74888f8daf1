"""Who may include whom: the walls between the rooms (modules/README.md)."""
import os
import re
import tree

# Rooms that nobody may call into have no door: they are entered by a hook, a thread start or a provider table.
DOORLESS = ["mirror_capture", "mirror_sender", "mirror_connect", "mirror_limit_local", "mirror_limit_redis", "mirror_limit_redis_cluster"]
# Rooms that know nothing of httpd but its log (http_log.h, which wants httpd.h before it), so that they are tested
# without a server.
WITHOUT_HTTPD = ["mirror_queue", "mirror_clock", "mirror_loop", "mirror_helpers", "mirror_address", "mirror_connect", "mirror_connection",
                 "mirror_transport",
                 "mirror_response", "mirror_limit_window", "mirror_log", "mirror_log_line", "mirror_log_writer",
                 "mirror_redis", "mirror_redis_login", "mirror_redis_reply", "mirror_spool"]
STRANGERS = [("mirror_capture.c", "mirror_sender"), ("mirror_sender.c", "mirror_capture")]
HTTPD = re.compile(r"(httpd|scoreboard|heartbeat|(http|ap|util|mod|mpm)_\w+|mpm_common)\.h")
APR = re.compile(r"(apr|apu|apr_\w+|apu_\w+)\.h")

includes = {}
for path in tree.matching(r"(modules/\w+|mod_proxy_mirror)\.[ch]"):
    text = tree.code(tree.read(path), strings=True)
    includes[os.path.basename(path)] = re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', text, re.M)


def reached(name, seen):
    """Every header of ours that `name` includes, itself or through another, with the way to it."""
    for header in includes.get(name, []):
        if header in includes and header not in seen:
            seen[header] = name
            reached(header, seen)
    return seen


problems = []
for room in DOORLESS:
    if f"{room}.h" in includes:
        problems.append(f"modules/{room}.h: nobody may call into this room, so it has no header")
for name, room in STRANGERS:
    if any(header.startswith(room) for header in [*includes.get(name, []), *reached(name, {})]):
        problems.append(f"modules/{name}: includes {room}.*; capture and sender meet only at the queue")
for room in WITHOUT_HTTPD:
    for name in (f"{room}.c", f"{room}.h"):
        for via in [name, *reached(name, {})]:
            for header in includes.get(via, []):
                log = header == "http_log.h" or header == "httpd.h" and "http_log.h" in includes[via]
                if HTTPD.fullmatch(header) and not log:
                    way = "" if via == name else f" through {via}"
                    problems.append(f"modules/{name}: includes {header}{way}; of httpd it may have only http_log.h")
for header in includes.get("mirror.h", []):
    if not APR.fullmatch(header):
        problems.append(f"modules/mirror.h: includes {header}; it may have only APR's headers")
for name in includes:
    if name.endswith(".h") and name in reached(name, {}):
        problems.append(f"modules/{name}: includes itself, through {reached(name, {})[name]}")
    problems += [f"{name}: includes {h}; a .c file is no header" for h in includes[name] if h.endswith(".c")]

tree.finish("includes", problems, f"{len(includes)} files keep to their rooms" if includes else "")

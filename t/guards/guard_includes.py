"""Who may include whom: the order of the wings, and the walls between their rooms (modules/README.md)."""
import os
import re
import tree

# A wing includes only wings of a lower rank, and itself. Wings of one rank do not include each other.
RANKS = [["base"], ["attributes", "shared"], ["redis"], ["limit"], ["settings"], ["copy", "fleet"], ["compare"], ["capture", "send"], ["admin"], ["config"]]
# Rooms that no file calls into have no header: a hook, a thread start or a provider table enters them.
DOORLESS = ["capture/capture", "send/sender", "send/opener", "limit/local", "limit/redis", "redis/redis_single", "redis/redis_cluster",
            "redis/redis_sentinel"]
# Rooms that need nothing of httpd but its log (http_log.h, which needs httpd.h before it), so they are tested without a server.
WITHOUT_HTTPD = ["base/queue", "base/clock", "base/date", "base/loop", "base/helpers", "base/address", "base/authority", "base/transport", "base/window",
                 "send/opener", "send/connection", "send/http1", "send/protocol", "send/response", "send/http2", "send/http2_state", "send/http2_session",
                 "send/http2_stream", "send/http2_head", "send/http2_memory", "send/http2_response", "send/retry", "send/lifespan", "capture/frames", "copy/log", "copy/log_line", "copy/log_writer",
                 "copy/spool", "copy/list", "redis/redis_connection", "redis/redis_login", "redis/redis_reply",
                 "compare/decode", "compare/headers", "compare/headers_read", "compare/header_form", "compare/header_list", "compare/tree",
                 "compare/tree_array", "compare/tree_descend", "compare/tree_hash", "compare/tree_number", "compare/tree_path",
                 "compare/tree_read", "compare/judge", "compare/judge_texts", "compare/glance", "compare/pieces", "compare/rows", "compare/secret_name", "compare/values", "compare/name",
                 "shared/findings", "shared/findings_noise", "shared/findings_room", "shared/findings_rows", "shared/findings_rules", "shared/findings_text", "shared/findings_values", "shared/findings_view",
                 "shared/findings_state", "shared/store", "shared/cell",
                 "settings/compare_rule", "settings/compare_rule_field", "settings/compare_rule_regex",
                 "settings/compare_rule_within"]
# What these may have as well: httpd's regular expressions.
REGEX = {"settings/compare_rule_state.h": ["ap_config.h", "ap_regex.h"]}
HTTPD = re.compile(r"(httpd|scoreboard|heartbeat|(http|ap|util|mod|mpm)_\w+|mpm_common)\.h")
# Only these use nghttp2.
NGHTTP2 = re.compile(r"send/http2_(state|head)\.h")
APR = re.compile(r"(apr|apu|apr_\w+|apu_\w+)\.h")
RANK = {wing: rank for rank, wings in enumerate(RANKS) for wing in wings}

includes = {}
for path in tree.matching(r"(modules/\w+/\w+|mod_proxy_mirror)\.[ch]"):
    text = tree.code(tree.read(path), strings=True)
    includes[path.removeprefix("modules/")] = re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', text, re.M)


def reached(name, seen):
    """Every header of ours that `name` includes, itself or through another, with the way to it."""
    for header in includes.get(name, []):
        if header in includes and header not in seen:
            seen[header] = name
            reached(header, seen)
    return seen


def room_of(name):
    return name.rsplit(".", 1)[0].removesuffix("_state")  # the inside of a room


def circle(rooms):
    """Rooms that include each other in a circle; [] if there is none."""
    state = {}

    def visit(room, way):
        state[room] = "open"
        for other in sorted(rooms.get(room, ())):
            if state.get(other) == "open":
                return way[way.index(other):] + [other]
            if other not in state:
                found = visit(other, way + [other])
                if found:
                    return found
        state[room] = "done"
        return []
    for room in sorted(rooms):
        found = visit(room, [room]) if room not in state else []
        if found:
            return found
    return []


problems, rooms = [], {}
for name, headers in includes.items():
    wing = name.split("/")[0] if "/" in name else None
    for header in headers:
        if header.endswith(".c"):
            problems.append(f"{name}: includes {header}; a .c file is no header")
        if wing and "/" not in header and os.path.exists(f"{tree.ROOT}/t/lab/{header}"):
            problems.append(f"{name}: includes {header} of t/lab, which is for tests")
        if header.startswith("nghttp2/") and not NGHTTP2.fullmatch(name):
            problems.append(f"modules/{name}: includes {header}; only send/http2_state.h and send/http2_head.h may have it")
        if "/" not in header or header not in includes:
            continue
        other = header.split("/")[0]
        rooms.setdefault(room_of(name), set()).update({room_of(header)} - {room_of(name)})
        if wing and (RANK[other] > RANK[wing] or RANK[other] == RANK[wing] and other != wing):
            problems.append(f"modules/{name}: includes {header}; {wing} may include {', '.join(w for w in RANK if RANK[w] < RANK[wing])}"
                            f" and itself")
    if name.endswith(".h") and name in reached(name, {}):
        problems.append(f"modules/{name}: includes itself, through {reached(name, {})[name]}")
for wing in sorted({name.split("/")[0] for name in includes if "/" in name} - set(RANK)):
    problems.append(f"modules/{wing}: has no rank in guard_includes.py")
found = circle(rooms)
if found:
    problems.append(f"modules: these rooms include each other in a circle: {' -> '.join(found)}")
for room in DOORLESS:
    if f"{room}.h" in includes:
        problems.append(f"modules/{room}.h: no file may call into this room, so it has no header")
for room in WITHOUT_HTTPD:
    for name in (f"{room}.c", f"{room}.h"):
        for via in [name, *reached(name, {})]:
            for header in includes.get(via, []):
                log = header == "http_log.h" or header == "httpd.h" and "http_log.h" in includes[via]
                if HTTPD.fullmatch(header) and not log and header not in REGEX.get(via, []):
                    way = "" if via == name else f" through {via}"
                    problems.append(f"modules/{name}: includes {header}{way}; of httpd it may have only http_log.h")
for header in includes.get("base/mirror.h", []):
    if not APR.fullmatch(header):
        problems.append(f"modules/base/mirror.h: includes {header}; it may have only APR's headers")

tree.finish("includes", problems, f"{len(includes)} files keep to the order of the wings" if includes else "")

-- For wrk: requests that take turns between several paths, by the clock that all programs of the machine share. BENCH_TURNS is
-- "BEGAN MILLISECONDS PATH...": at BEGAN, a second of CLOCK_MONOTONIC, the first path had its turn of so many milliseconds.
-- The last line that is written has how many requests were sent in each millisecond since then.
local ffi = require("ffi")
ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } bench_timespec;
    int clock_gettime(int clock, bench_timespec *now);
]]
local CLOCK_MONOTONIC = 1
local now = ffi.new("bench_timespec")
local began, turn, paths = os.getenv("BENCH_TURNS"):match("^(%d+) (%d+) (.+)$")
local requests, threads = {}, {}
began, turn = tonumber(began), tonumber(turn)

function setup(thread)
    threads[#threads + 1] = thread
end

function init()
    sent = {}                                       -- global, for done()
    for path in paths:gmatch("%S+") do
        requests[#requests + 1] = wrk.format("GET", path)
    end
end

function request()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, now)
    local ms = math.floor((tonumber(now.seconds) - began) * 1e3 + tonumber(now.nanoseconds) / 1e6)
    sent[ms] = (sent[ms] or 0) + 1
    return requests[math.floor(ms / turn) % #requests + 1]
end

function done(summary)
    local e, parts = summary.errors, {}
    for ms, n in pairs(threads[1]:get("sent")) do
        parts[#parts + 1] = string.format('"%d": %d', ms, n)
    end
    io.write(string.format('\n{"refused": %d, "sockets": %d, "timeouts": %d, "sent": {%s}}\n', e.status,
                           e.connect + e.read + e.write, e.timeout, table.concat(parts, ", ")))
end

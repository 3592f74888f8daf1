-- For wrk: method and body from the environment, and a last line that a program can read.
local sizes = os.getenv("BENCH_BODY") or ""

local bodies = {}
for size in sizes:gmatch("%d+") do
    bodies[#bodies + 1] = string.rep("m", tonumber(size))
end

if #bodies == 1 and #bodies[1] > 0 then
    wrk.method, wrk.body = "POST", bodies[1]
elseif #bodies > 1 then
    -- Several sizes: in turn; 0 is a GET.
    local requests, i = {}, 0
    function init()
        for n, body in ipairs(bodies) do
            requests[n] = #body > 0 and wrk.format("POST", nil, nil, body) or wrk.format("GET")
        end
    end
    function request()
        i = i % #requests + 1
        return requests[i]
    end
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "sockets": %d, "timeouts": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
        e.connect + e.read + e.write, e.timeout))
end

-- SPDX-License-Identifier: Apache-2.0
-- One request over and over, of one token or of many in turn; what it sends comes by the
-- environment, so that a token does not stand in the process list. Prints the result as
-- one line of JSON.
wrk.method = os.getenv("BENCH_METHOD")
wrk.body = os.getenv("BENCH_BODY")
if os.getenv("BENCH_TOKEN") then
    wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
end
if wrk.body then
    wrk.headers["Content-Type"] = "application/json"
end

for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^\n:]+): ([^\n]*)") do
    wrk.headers[name] = value
end

if os.getenv("BENCH_TOKENS") then -- a file, a token a line
    local requests, at = {}, 0
    for token in io.lines(os.getenv("BENCH_TOKENS")) do
        wrk.headers["Authorization"] = "Bearer " .. token
        requests[#requests + 1] = wrk.headers["Authorization"]
    end
    function request()
        at = at % #requests + 1
        wrk.headers["Authorization"] = requests[at]
        return wrk.format()
    end
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format(
        'RESULT {"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"bad_status":%d,"broken":%d}',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

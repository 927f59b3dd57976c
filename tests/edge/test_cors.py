# SPDX-License-Identifier: Apache-2.0
"""What browsers are told: nothing by default; with cors_origins, pages of those origins
may ask and read."""
import os
import sys

from arkgate import BASE, http_call, text_to_video

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import ask, request  # noqa: E402

PAGE, OTHER = "https://console.example", "http://[::1]:3000"
TASK = f"{BASE}/cgt-20200101000000-zzzzz"


def preflight(url, target=BASE, origin=PAGE, method="POST", headers="authorization,content-type"):
    lines = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}"]
    if headers:
        lines.append(f"Access-Control-Request-Headers: {headers}")
    return ask(url, request("OPTIONS", target, headers=[*lines, "Connection: close"]))[0]


def cors(answer):
    """All that the answer says to browsers."""
    return {name.lower(): value for name, value in answer.headers
            if name.lower().startswith("access-control-") or name.lower() == "vary"}


def test_off(ctx):
    """By default, whatever is asked."""
    inst = ctx.shared
    answer = preflight(inst.serve.url)
    ctx.equal(f"preflight: {answer}", (answer.status, cors(answer)), (405, {}))
    for target in ("/livez", BASE, TASK):
        answer, _ = ask(inst.serve.url, request("GET", target, inst.token, [f"Origin: {PAGE}"]))
        ctx.equal(target, cors(answer), {})
    answer, _ = ask(inst.serve.url, request("OPTIONS", BASE))
    ctx.equal("OPTIONS", (answer.status, answer.header("Allow"), cors(answer)), (405, "POST, GET", {}))


def test_list(ctx):
    inst = ctx.new(settings={"cors_origins": f"{PAGE}; {OTHER}"})
    url = inst.serve.url
    for origin in (PAGE, OTHER):
        answer = preflight(url, origin=origin)
        ctx.equal(f"{origin}: {answer}", (answer.status, answer.body), (204, b""))
        ctx.equal(origin, {k: v for k, v in cors(answer).items() if k != "access-control-expose-headers"}, {
            "access-control-allow-origin": origin, "access-control-allow-methods": "POST, GET",
            "access-control-allow-headers": "Authorization, Content-Type", "access-control-max-age": "600",
            "vary": "Origin"})
    ctx.equal("a task's methods", cors(preflight(url, TASK, method="DELETE"))["access-control-allow-methods"],
              "GET, DELETE")
    asked = "X-Secret, IDEMPOTENCY-KEY,x-client-request-id , X-Idempotency-Key,cookie"
    ctx.equal("known headers alone", cors(preflight(url, headers=asked))["access-control-allow-headers"],
              "Idempotency-Key, X-Idempotency-Key, X-Client-Request-Id")
    for headers in ("", "cookie", "," * 5000, "x" * 5000):
        ctx.true(f"none of {headers[:10]}", "access-control-allow-headers" not in cors(preflight(url, headers=headers)))
    for origin in ("https://console.example.evil", "https://evil.example", "http://console.example", PAGE + ":443",
                   PAGE + "/", "HTTPS://console.example", "null", "*", f"{PAGE};{OTHER}", f"{PAGE} {OTHER}", ""):
        answer = preflight(url, origin=origin)
        ctx.equal(f"{origin}: {answer}", (answer.status, cors(answer)), (405, {"vary": "Origin"}))
    answer = preflight(url, target="/nowhere")
    ctx.true(f"an unknown path: {answer}", answer.status in (404, 405) and
             "access-control-allow-methods" not in cors(answer))

    # what the page then asks; errors are for it too
    simple = {"access-control-allow-origin": PAGE, "access-control-expose-headers": "X-Request-Id", "vary": "Origin"}
    page = {"Origin": PAGE}
    for what, answer, status in (
            ("list", inst.serve.call("GET", BASE, inst.token, headers=page), 200),
            ("create", inst.serve.create(inst.token, text_to_video(), page), 200),
            ("bad", inst.serve.create(inst.token, {"model": 1}, page), 400),
            ("stranger", inst.serve.call("GET", BASE, "nobody", headers=page), 401),
            ("unknown", inst.serve.call("GET", TASK, inst.token, headers=page), 404),
            ("unknown path", inst.serve.call("GET", "/nowhere", headers=page), 404),
            ("method", inst.serve.call("PUT", BASE, inst.token, headers=page), 405),
            ("gate", inst.serve.call("GET", "//livez", inst.token, headers=page), 400),
            ("health", inst.serve.call("GET", "/livez", headers=page), 200)):
        ctx.equal(f"{what}: {answer}", (answer.status, cors(answer)), (status, simple))
    ctx.equal("no origin", cors(inst.serve.call("GET", BASE, inst.token)), {"vary": "Origin"})
    ctx.equal("another origin", cors(inst.serve.call("GET", BASE, inst.token, headers={"Origin": "https://evil.example"})),
              {"vary": "Origin"})
    ctx.equal("two origins", cors(ask(url, request("GET", "/livez", headers=[f"Origin: {PAGE}", f"Origin: {OTHER}"]))[0]),
              {"vary": "Origin"})
    ctx.equal("the admin listener", cors(http_call(inst.serve.admin, "GET", "/livez", headers=page)), {})
    answer, _ = ask(url, request("OPTIONS", BASE, headers=[f"Origin: {PAGE}"]))
    ctx.equal("OPTIONS that is no preflight", (answer.status, cors(answer)), (405, simple))


def test_any(ctx):
    inst = ctx.new(settings={"cors_origins": "*"})
    for origin in (PAGE, "null", "http://localhost:5173", "capacitor://localhost"):
        answer = preflight(inst.serve.url, origin=origin)
        ctx.equal(f"{origin}: {answer}", (answer.status, cors(answer)["access-control-allow-origin"]), (204, origin))
        answer = inst.serve.call("GET", BASE, inst.token, headers={"Origin": origin})
        ctx.equal(origin, (cors(answer)["access-control-allow-origin"], cors(answer)["vary"]), (origin, "Origin"))
    ctx.true("never credentials", "access-control-allow-credentials" not in cors(answer))
    ctx.true("an endless one", "access-control-allow-origin" not in
             cors(preflight(inst.serve.url, origin="https://" + "a" * 5000)))


def test_bad_setting(ctx):
    """Refused at the start, with its name and the entry at fault."""
    inst = ctx.bare()
    for value in ("console.example", "https://", "https://a.example/", "https://a.example/x", "https://A.example",
                  "https://*.example", "*;https://a.example", "https://a.example;;https://b.example", "null",
                  "https://a.example:0", "https://a.example:65536", "https://a.example:443", "http://a.example:80",
                  "https://a.example:", "https://a.example:x", "https://[::1", "https://u@a.example", "https://a b",
                  "https://a.example,https://b.example", ";", "https://" + "a" * 400):
        ran = inst.cli("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", status=None,
                       env={"ARKGATE_CORS_ORIGINS": value})
        ctx.true(f"{value}: {ran.returncode} {ran.stderr}", ran.returncode not in (0, 1) and "cors_origins" in ran.stderr
                 and "origin as browsers send it" in ran.stderr)

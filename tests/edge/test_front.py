# SPDX-License-Identifier: Apache-2.0
"""packaging/nginx.conf, the file itself with other paths and ports, in front of a gateway:
what must pass passes, slow and idle clients cost the gateway nothing, errors of nginx look
like Ark's, and no request is sent twice. With ARKGATE_TEST_FULL=1 there are 10,000 idle
clients instead of 500, and a body of 64 MiB instead of 8."""
import concurrent.futures
import json
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import signed
from arkgate import BASE, ROOT, TERMINAL, http_call, text_to_video, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proxies import Proxy  # noqa: E402
from test_tls import Authority  # noqa: E402
from wire import Wire, address, chunked, create, request  # noqa: E402

FILE = os.path.join(ROOT, "packaging/nginx.conf")
FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
IDLE = 10000 if FULL else 500
MIB = 1 << 20
BODY = json.dumps(text_to_video()).encode()
BODY_MAX = 64 * MIB
SLOW = 100
WORKERS = 16  # of the gateway: a sixth of the slow clients


def free_port(family, host):
    with socket.socket(family) as free:
        free.bind((host, 0))
        return free.getsockname()[1]


class Front(Proxy):
    """nginx with the packaged file; every line that is changed must be there, once."""

    def __init__(self, ctx, gateway_url, ca, changes=()):
        binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            raise ctx.Skip("nginx is missing: see third_party/apt.txt, set test")
        self.folder = tempfile.mkdtemp(prefix="arkgate-front-")
        os.chmod(self.folder, 0o711)  # started by root, nginx's workers are somebody else
        port, port6 = free_port(socket.AF_INET, "127.0.0.1"), free_port(socket.AF_INET6, "::1")
        self.url, self.url6 = f"https://127.0.0.1:{port}", f"https://[::1]:{port6}"
        cert, key = ca.leaf("front")
        temporary = "".join(f"    {name}_temp_path {self.folder}/{name};\n"
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(FILE, encoding="ascii") as file:
            text = file.read()
        for old, new in (("pid /run/nginx.pid", f"pid {self.folder}/pid"),
                         ("/var/log/nginx/arkgate-error.log", f"{self.folder}/error.log"),
                         ("/var/log/nginx/arkgate-access.log", f"{self.folder}/access.log"),
                         ("http {\n", "http {\n" + temporary),
                         ("listen 443 ", f"listen 127.0.0.1:{port} "), ("listen [::]:443 ", f"listen [::1]:{port6} "),
                         ("/etc/arkgate/tls/fullchain.pem", cert), ("/etc/arkgate/tls/privkey.pem", key),
                         ("server 127.0.0.1:8080 ", "server {}:{} ".format(*address(gateway_url))), *changes):
            if text.count(old) != 1:
                raise AssertionError(f"packaging/nginx.conf: {old!r} is there {text.count(old)} times")
            text = text.replace(old, new)
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(text)
        command = [binary, "-e", f"{self.folder}/error.log", "-p", self.folder, "-c", conf]
        self.tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60)
        with open(os.path.join(self.folder, "out"), "wb") as out:
            self.process = subprocess.Popen([*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out)
        self.tls = ca.client()
        try:
            wait_for("nginx listens", self._listens)
        except BaseException:
            self.stop()
            raise

    def call(self, method, target, token=None, body=None, headers=None, timeout=60):
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        return http_call(self.url, method, target, body, sent, timeout, self.tls)

    def log(self):
        with open(f"{self.folder}/access.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def memory_mib(self):
        """Of its workers, together."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            workers = file.read().split()
        total = 0
        for worker in workers:
            with open(f"/proc/{worker}/status", encoding="utf-8") as file:
                total += int(re.search(r"^VmRSS:\s*(\d+) kB", file.read(), re.M).group(1))
        return total // 1024


def install(ctx):
    if ctx._shared is None:
        inst = ctx._shared = ctx.new(credit="1000", settings={"workers": WORKERS})
        inst.ca = Authority(os.path.join(inst.folder, "tls"))
        inst.poor = inst.add_tenant("poor", "0")
    return ctx._shared


def is_arks(ctx, what, answer, status, code, kind, retry):
    """nginx's own error is of Ark's shape, with an id and a word on repeating it."""
    if not ctx.true(f"{what}: answered", answer is not None):
        return
    ctx.equal(f"{what}: {answer}", answer.status, status)
    ctx.equal(f"{what}: type", answer.header("Content-Type"), "application/json")
    error = answer.error
    ctx.equal(f"{what}: members", list(error), ["code", "message", "param", "type"])
    ctx.equal(f"{what}: code", (error["code"], error["type"]), (code, kind))
    ctx.equal(f"{what}: id", error["message"].rsplit("Request id: ")[-1], answer.header("X-Request-Id"))
    ctx.equal(f"{what}: retry", answer.header("x-should-retry"), retry)


def connections_to(url):
    """Established connections of clients to a listener here."""
    port = address(url)[1]
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(1 for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01")


def test_a_signature_that_has_the_host(ctx):
    """Its port belongs to what was signed."""
    inst = install(ctx)
    key = inst.cli_json("access-key", "add", "acme")
    target, body = "/?Action=ListAssetGroups&Version=2024-01-01", b'{"Filter":{"GroupType":"AIGC"}}'
    with Front(ctx, inst.serve.url, inst.ca) as front:
        host = front.url.split("://")[1]
        for claimed, status in ((host, 200), (host.split(":")[0] + ":8443", 401)):
            headers = signed.head((key["id"], key["secret"]), target, body, more={"host": claimed})
            answer = front.call("POST", target, body=body, headers={k: v for k, v in headers.items() if k != "host"})
            ctx.equal(f"signed for {claimed}: {answer}", answer.status, status)


def test_a_whole_flow(ctx):
    inst = install(ctx)
    with Front(ctx, inst.serve.url, inst.ca) as front:
        ctx.true(f"nginx has no objection: {front.tested.stderr}",
                 front.tested.returncode == 0 and "[emerg]" not in front.tested.stderr and
                 "[warn]" not in re.sub(r'.*the "user" directive makes sense.*', "", front.tested.stderr))
        made = front.call("POST", BASE, inst.token, BODY)
        ctx.equal(f"create: {made}", made.status, 200)
        target = f"{BASE}/{made.json['id']}"
        wait_for("its end", lambda: front.call("GET", target, inst.token).json["status"] in TERMINAL)
        listed = front.call("GET", f"{BASE}?filter.task_ids={made.json['id']}", inst.token)
        ctx.equal("listed", [task["id"] for task in listed.json["items"]], [made.json["id"]])
        ctx.equal("the gateway's own error", front.call("GET", f"{BASE}/cgt-none", inst.token).error["code"],
                  "task_not_found")
        ctx.equal("deleted", front.call("DELETE", target, inst.token).status, 200)
        ctx.equal("IPv6", http_call(front.url6, "GET", "/livez", tls=front.tls).json, {"status": "ok"})
        with Wire(front.url, tls=front.tls) as wire:
            wire.send(create(inst.token, chunked(BODY, 13), ["Transfer-Encoding: chunked"], length=False))
            ctx.equal("chunked", wire.answer().status, 200)
            wire.send(create(inst.token, b"", [f"Content-Length: {len(BODY)}", "Expect: 100-continue"], length=False))
            ctx.equal("continue", wire.answer().status, 100)
            wire.send(BODY)
            ctx.equal("then", wire.answer().status, 200)
        log = front.log()
        ctx.true("no token and no query in the log", inst.token not in log and "filter" not in log and BASE in log, log)


def test_limits_fit(ctx):
    """What the gateway takes, nginx hands on; what nginx refuses, it refuses in Ark's shape."""
    inst = install(ctx)
    with Front(ctx, inst.serve.url, inst.ca) as front:
        def ask(raw, method="GET"):
            with Wire(front.url, tls=front.tls) as wire:
                wire.send(raw)
                return wire.answer(method)

        ctx.equal("query of 32 kB", ask(request("GET", "/livez?" + "a" * 32768)).status, 200)
        ctx.equal("and a little", ask(request("GET", "/livez?" + "a" * 32769)).status, 414)
        ctx.equal("a header of 44 kB", ask(request(headers=["X: " + "a" * 45000])).status, 200)
        ctx.equal("path and query", ask(request("GET", "/" + "a" * 2000 + "?" + "b" * 32000)).status, 404)
        bad = ("invalid_request", "BadRequest", "false")
        is_arks(ctx, "target of 50 kB", ask(request("GET", "/livez?" + "a" * 50000)), 414, *bad)
        is_arks(ctx, "header of 50 kB", ask(request(headers=["X: " + "a" * 50000])), 431, *bad)
        is_arks(ctx, "two framings", ask(create(inst.token, BODY, ["Transfer-Encoding: chunked"])), 400, *bad)
        is_arks(ctx, "TRACE", ask(request("TRACE")), 405, "method_not_allowed", "NotFound", "false")
        is_arks(ctx, "a body too long", ask(create(inst.token, b"", [f"Content-Length: {BODY_MAX + 1}"], length=False)),
                413, "request_too_large", "BadRequest", "false")
        is_arks(ctx, "no HTTP", ask(b"what is this?\r\n\r\n"), 400, *bad)
        is_arks(ctx, "a folded target", ask(b"GET /liv\tez HTTP/1.1\r\nHost: edge\r\n\r\n"), 400, *bad)
        is_arks(ctx, "an error's path", ask(request("GET", "/.front/method")), 404, "not_found", "NotFound", "false")
        with Wire(front.url) as wire:
            wire.send(request())
            is_arks(ctx, "plain HTTP", wire.answer(), 400, *bad)
        if FULL:  # all that nginx lets through, the gateway reads, and judges
            judged = front.call("POST", BASE, inst.poor, BODY + b" " * (BODY_MAX - len(BODY)), timeout=110)
            ctx.equal(f"64 MiB: {judged}", judged.status, 402)
        size = BODY_MAX - 4096 if FULL else 8 * MIB  # Ark takes as many, with its own model name in them
        made = front.call("POST", BASE, inst.token, BODY + b" " * (size - len(BODY)), timeout=110)
        ctx.equal(f"a body of {size} bytes: {made}", made.status, 200)


def slow_client(front, token):
    """A create whose body has begun; 1,000 blanks are to come before its end."""
    wire = Wire(front.url, 60, front.tls)
    wire.send(create(token, BODY[:-1], [f"Content-Length: {len(BODY) + 1000}"], length=False))
    wire.blanks = 1000
    return wire


def good_clients(front, token, seconds):
    """Sorted times of requests, each on a connection of its own; every one must succeed."""
    times, until = [], time.monotonic() + seconds

    def client():
        mine = []
        while time.monotonic() < until:
            at = time.monotonic()
            answer = front.call("GET", f"{BASE}?page_size=1", token)
            if answer.status != 200:
                raise AssertionError(f"a good client: {answer}")
            mine.append(time.monotonic() - at)
        return mine

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(client) for _ in range(2)]:
            times += done.result()
    return sorted(times)


def told(times):
    return (f"{len(times)} requests, median {times[len(times) // 2] * 1e3:.1f} ms, "
            f"p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms, worst {times[-1] * 1e3:.1f} ms")


def test_slow_bodies_stay_in_front(ctx):
    inst = install(ctx)
    # so few workers need fewer kept connections, as the file says
    with Front(ctx, inst.serve.url, inst.ca, [("keepalive 64;", "keepalive 4;")]) as front:
        creates = inst.serve.log().count('"method":"POST"')
        slow = [slow_client(front, inst.poor) for _ in range(SLOW)]
        stop = threading.Event()

        def drip():
            while not stop.wait(1):
                for wire in slow:
                    wire.send(b" ")
                    wire.blanks -= 1
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            times = good_clients(front, inst.token, 5)
            # at most one kept by each of nginx's workers for each good client
            reached = connections_to(inst.serve.url)
            ctx.true(f"{reached} connections to the gateway", reached <= WORKERS)
            ctx.equal("creates that reached it", inst.serve.log().count('"method":"POST"'), creates)
        finally:
            stop.set()
            dripping.join()
        print(f"good clients beside {SLOW} slow bodies, {WORKERS} workers: {told(times)}")
        ctx.true(f"nobody waits: {told(times)}", times[-1] < 2)
        for wire in slow:
            wire.send(b" " * wire.blanks + b"}")
        ctx.equal("whole at last, and judged", {wire.answer().status for wire in slow}, {402})
        for wire in slow:
            wire.socket.close()


def test_too_many_of_one_address(ctx):
    inst = install(ctx)
    with Front(ctx, inst.serve.url, inst.ca) as front:
        held = [slow_client(front, inst.poor) for _ in range(256)]

        def one_more():
            with Wire(front.url, tls=front.tls) as wire:
                wire.send(request())
                return wire.answer()

        # A client counts from when its worker has read its head, the last one's a little late.
        answer = wait_for("all are counted", lambda: (last := one_more()).status != 200 and last)
        is_arks(ctx, "one more", answer, 429, "RateLimitExceeded", "TooManyRequests", None)
        ctx.equal("one more: when", answer.header("Retry-After"), "1")
        for wire in held:
            wire.socket.close()
        wait_for("room again", lambda: front.call("GET", "/livez").status == 200)


def raise_descriptors(ctx, needed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ctx.Skip(f"needs {needed} descriptors, the limit is {hard}")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def is_open(wire):
    """Nothing to read and no end."""
    wire.socket.setblocking(False)
    try:
        return wire.socket.recv(1) != b""
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    finally:
        wire.socket.setblocking(True)


def test_idle_clients(ctx):
    """They keep nothing of the gateway, and who has work to do does not notice them."""
    inst = install(ctx)
    raise_descriptors(ctx, IDLE + 500)
    with Front(ctx, inst.serve.url, inst.ca) as front:
        begun = time.monotonic()
        idle = []
        try:
            for _ in range(IDLE):
                wire = Wire(front.url, 30, front.tls)
                idle.append(wire)
                wire.send(request())
                assert wire.answer().status == 200
            opened = time.monotonic() - begun
            times = good_clients(front, inst.token, 5)
            still = sum(map(is_open, idle))
            reached = connections_to(inst.serve.url)
            print(f"good clients beside {IDLE} idle ones (opened in {opened:.1f} s): {told(times)}; "
                  f"{still} still open, {reached} connections to the gateway, nginx has {front.memory_mib()} MiB")
            ctx.equal("still open", still, IDLE)
            ctx.true(f"{reached} connections to the gateway", reached <= WORKERS)
            ctx.true(f"nobody waits: {told(times)}", times[-1] < 2)
            for wire in idle[:: IDLE // 50]:
                wire.send(request())
                ctx.equal("an idle one that wakes", wire.answer().status, 200)
        finally:
            for wire in idle:
                wire.socket.close()


class Upstream:
    """A gateway of which a test decides what it does: answer, die or hang."""

    def __init__(self):
        self.heads, self.dies, self.hangs = [], False, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = "http://127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rb") as stream:
            while True:
                head = b"".join(iter(stream.readline, b"\r\n"))
                if not head:
                    return
                length = re.search(rb"(?i)^content-length: *(\d+)", head, re.M)
                stream.read(int(length.group(1)) if length else 0)
                self.heads.append(head.decode("latin-1"))
                if self.hangs:
                    conn.settimeout(30)
                    conn.recv(1)
                    return
                if self.dies:
                    return
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


FAILED = ("service_error", "InternalServerError")


def test_nothing_is_sent_twice(ctx):
    """Neither over a fresh connection nor over a kept one that dies."""
    inst = install(ctx)
    upstream = Upstream()
    try:
        # one process, so that the kept connection is the one that is used
        with Front(ctx, upstream.url, inst.ca, [("worker_processes auto", "worker_processes 1")]) as front:
            for kept in (False, True):
                for method in ("POST", "DELETE", "GET"):
                    upstream.dies = False
                    if kept:
                        ctx.equal("warm", front.call("GET", "/").status, 200)
                    upstream.dies, before = True, len(upstream.heads)
                    answer = front.call(method, BASE, body=BODY if method == "POST" else None)
                    what = f"{method}, kept {kept}"
                    is_arks(ctx, what, answer, 502, *FAILED, "false" if method == "POST" else None)
                    ctx.equal(f"{what}: sent", len(upstream.heads) - before, 1)
    finally:
        upstream.close()


def test_what_the_gateway_is_told(ctx):
    inst = install(ctx)
    upstream = Upstream()
    try:
        with Front(ctx, upstream.url, inst.ca, [("proxy_read_timeout 100s", "proxy_read_timeout 1s")]) as front:
            front.call("GET", "/a//b?c=%20", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "gopher",
                                                      "Connection": "close", "X-Client-Request-Id": "mine"})
            head = upstream.heads[0]
            ctx.true(f"the target as it was: {head}", head.startswith("GET /a//b?c=%20 HTTP/1.1\r\n"))
            for name, values in (("X-Forwarded-For", ["127.0.0.1"]), ("X-Forwarded-Proto", ["https"]), ("Connection", []),
                                 ("X-Client-Request-Id", ["mine"])):
                ctx.equal(name, re.findall(rf"(?im)^{name}: *(.*?)\r$", head), values)
            upstream.hangs = True
            answer = front.call("POST", BASE, body=BODY)
            is_arks(ctx, "no answer", answer, 504, "service_unavailable", "InternalServerError", "false")
            ctx.equal("sent", len(upstream.heads), 2)
    finally:
        upstream.close()


def test_the_gateway_is_away(ctx):
    inst = install(ctx)
    with Front(ctx, f"http://127.0.0.1:{free_port(socket.AF_INET, '127.0.0.1')}", inst.ca) as front:
        is_arks(ctx, "get", front.call("GET", BASE), 502, *FAILED, None)
        is_arks(ctx, "create", front.call("POST", BASE, body=BODY), 502, *FAILED, "false")

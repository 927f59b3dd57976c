# SPDX-License-Identifier: Apache-2.0
"""Links to blobs: what they open, in parts and whole; what is no link; clients that do not
read; bytes that a disk lost. The blobs are put where the gateway keeps them, and the links
are made from the installation's master key."""
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from arkgate import http_call, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Wire, address, request  # noqa: E402

MIB = 1 << 20
SMALL = bytes(range(256)) * 1000
TIME_S = 2  # client_timeout where somebody does not read


def column(data):
    return struct.pack(">I", len(data)) + data


def tenant_id(inst, name="acme"):
    return inst.rows("SELECT id FROM tenant WHERE name = ?", name)[0]["id"]


def put(inst, data):
    """Stores the bytes for the tenant; returns their file."""
    digest = hashlib.sha256(data).hexdigest()
    folder = os.path.join(inst.data, "blobs", str(tenant_id(inst)), digest[:2])
    os.makedirs(folder, 0o700, exist_ok=True)
    path = os.path.join(folder, digest[2:])
    with open(path, "wb") as file:
        file.write(data)
    return path


def link(inst, data, kind="mp4", lives_s=600, tenant=None):
    """Path and query of a link to the bytes, whether or not they are stored."""
    with open(os.path.join(inst.data, "keys", "master.key"), encoding="ascii") as file:
        master = bytes.fromhex(file.read().strip())
    key = hmac.new(master, b"arkgate file link 1", hashlib.sha256).digest()
    digest, ends = hashlib.sha256(data), int(time.time()) + lives_s
    tenant = tenant_id(inst) if tenant is None else tenant
    record = (b"\1" + column(struct.pack(">q", tenant)) + column(digest.digest()) + column(kind.encode()) +
              column(struct.pack(">q", ends)))
    signature = hmac.new(key, hashlib.sha256(record).digest(), hashlib.sha256).hexdigest()
    return f"/files/{tenant}/{digest.hexdigest()}?type={kind}&expires={ends}&signature={signature}"


def get(inst, target, method="GET", **headers):
    return http_call(inst.serve.url, method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_whole(ctx):
    inst = ctx.shared
    put(inst, SMALL)
    target = link(inst, SMALL)
    tag = f'"{hashlib.sha256(SMALL).hexdigest()}"'
    for method in ("GET", "HEAD"):
        answer = get(inst, target, method)
        ctx.equal(f"{method}: status", answer.status, 200)
        ctx.equal(f"{method}: bytes", answer.body == (SMALL if method == "GET" else b""), True)
        for name, value in (("Content-Type", "video/mp4"), ("Content-Length", str(len(SMALL))), ("ETag", tag),
                            ("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff"),
                            ("Content-Disposition", "inline")):
            ctx.equal(f"{method}: {name}", answer.header(name), value)
        ctx.matches(f"{method}: as long as the link", answer.header("Cache-Control"), r"private, max-age=(600|59\d)")
    ctx.equal("another type", get(inst, link(inst, SMALL, "webp")).header("Content-Type"), "image/webp")
    answer = get(inst, target, If_None_Match=tag)
    ctx.equal("known", (answer.status, answer.body, answer.header("ETag")), (304, b"", tag))
    ctx.equal("a credential makes no difference", get(inst, target, Authorization="Bearer nobody").status, 200)


def test_parts(ctx):
    inst = ctx.shared
    put(inst, SMALL)
    target, size = link(inst, SMALL), len(SMALL)
    with Wire(inst.serve.url) as wire:  # all on one connection
        for asked, first, end in (("0-0", 0, 1), ("65535-65536", 65535, 65537), ("100-", 100, size), ("-7", size - 7, size),
                                  (f"{size - 1}-{size + 5}", size - 1, size)):
            wire.send(request("GET", target, headers=[f"Range: bytes={asked}"]))
            answer = wire.answer()
            ctx.equal(f"{asked}: status and range", (answer.status, answer.header("Content-Range")),
                      (206, f"bytes {first}-{end - 1}/{size}"))
            ctx.equal(f"{asked}: bytes", answer.body == SMALL[first:end], True)
        wire.send(request("GET", target, headers=[f"Range: bytes={size}-"]))
        answer = wire.answer()
        ctx.equal("behind the end", (answer.status, answer.header("Content-Range"), answer.body), (416, f"bytes */{size}", b""))
        for asked in ("bytes=0-1,5-6", "lines=0-1"):
            wire.send(request("GET", target, headers=[f"Range: {asked}"]))
            answer = wire.answer()
            ctx.equal(asked, (answer.status, len(answer.body)), (200, size))
        wire.send(request("GET", target, headers=["Range: bytes=0-1", 'If-Range: "other"']))
        ctx.equal("of other bytes", len(wire.answer().body), size)


def test_no_links(ctx):
    """Whatever is not a link of ours to bytes that are there is the same 404."""
    inst = ctx.shared
    put(inst, SMALL)
    good, gone = link(inst, SMALL), link(inst, b"never stored")
    ctx.equal("the good one", get(inst, good).status, 200)
    path, query = good.split("?")
    parts = dict(pair.split("=") for pair in query.split("&"))

    def with_query(**changed):
        return path + "?" + "&".join(f"{k}={v}" for k, v in {**parts, **changed}.items())
    ends, signature = int(parts["expires"]), parts["signature"]
    last = "0" if signature[-1] != "0" else "1"
    bad = {
        "no such blob": gone, "no query": path, "no signature": good.split("&signature")[0],
        "a signature's last digit": with_query(signature=signature[:-1] + last),
        "a signature in capitals": with_query(signature=signature.upper()), "a later end": with_query(expires=ends + 1),
        "an earlier end": with_query(expires=ends - 1), "another type": with_query(type="mov"),
        "no such type": with_query(type="html"), "more": good + "&a=b", "twice": good + "&" + query,
        "ended": link(inst, SMALL, lives_s=0), "ended long ago": link(inst, SMALL, lives_s=-86400),
        "another tenant's": link(inst, SMALL, tenant=tenant_id(inst) + 1), "tenant 0": link(inst, SMALL, tenant=0),
        "moved to another tenant": good.replace(path, path.replace(f"/{tenant_id(inst)}/", f"/{tenant_id(inst) + 1}/")),
        "a hash in capitals": good.replace(path, "/files" + path[6:].upper()),
    }
    shown = {}
    for what, target in bad.items():
        answer = get(inst, target)
        body = json.loads(answer.body)
        body["error"]["message"] = body["error"]["message"].split(" Request id: ")[0]
        shown[what] = answer.status, answer.header("Content-Type"), answer.header("Cache-Control"), body
    for what, seen in shown.items():
        ctx.equal(what, seen, shown["no such blob"])
    ctx.equal("404", shown["no such blob"][0], 404)
    ctx.equal("its code", shown["no such blob"][3]["error"]["code"], "not_found")
    for method in ("POST", "PUT", "DELETE"):
        answer = get(inst, good, method)
        ctx.equal(method, (answer.status, answer.header("Allow")), (405, "GET"))
    for target in ("/files/", "/files/1", path + "/x", "/FILES" + path[6:]):
        ctx.true(f"{target}: no file's path", get(inst, target).status in (401, 404))
    ctx.equal("on the admin listener", http_call(inst.serve.admin, "GET", good).status, 404)


def test_ends_in_time(ctx):
    inst = ctx.shared
    put(inst, SMALL)
    target = link(inst, SMALL, lives_s=3)
    answer = get(inst, target)
    ctx.true("still alive", answer.status == 200 and answer.header("Cache-Control") in
             [f"private, max-age={n}" for n in (0, 1, 2)], answer.header("Cache-Control"))
    wait_for("it ends", lambda: get(inst, target).status == 404, 5, 0.2)


def test_lost_bytes(ctx):
    """A file that goes or shrinks: never half an answer for a whole one."""
    inst = ctx.shared
    data = os.urandom(MIB) * 20
    path, target = put(inst, data), link(inst, data)
    with Wire(inst.serve.url) as wire:
        wire.send(request("GET", target))
        wire.bytes += wire.socket.recv(1000)
        os.truncate(path, 10 * MIB)
        got = len(wire.rest())
        ctx.true(f"it ends early: {got}", 1 * MIB < got <= 11 * MIB)
    wait_for("it is complained about", lambda: "a blob ends before its size" in inst.serve.log(), 5)
    path = put(inst, data)
    with Wire(inst.serve.url) as wire:
        wire.send(request("GET", target))
        wire.bytes += wire.socket.recv(1000)
        os.unlink(path)
        answer = wire.answer()
        ctx.equal("who began goes on", answer.body == data, True)
    ctx.equal("gone", get(inst, target).status, 404)


def test_doctor(ctx):
    """Says what is damaged, and that exit status is 1 then."""
    inst = ctx.bare()
    inst.cli("tenant", "add", "acme", "--credit", "1")

    def doctor(*options, status=0):
        items = inst.cli_json("doctor", *options, status=status)["items"]
        return [(item["check"], item["status"], item["detail"]) for item in items if item["check"].startswith("blob")]
    ctx.equal("none", doctor(), [("blobs", "ok", "there is none")])
    ctx.equal("nothing was made", os.path.exists(os.path.join(inst.data, "blobs")), False)
    path = put(inst, b"a" * 3 * MIB)
    put(inst, SMALL)
    ctx.equal("sound", doctor(), [("blobs", "ok", "2 of 3 MiB; 3 MiB were hashed again")])
    with open(path, "r+b") as file:
        file.seek(2 * MIB)
        file.write(b"b")
    digest = hashlib.sha256(b"a" * 3 * MIB).hexdigest()
    bad = [("blob", "fail", f"blob {digest} of tenant {tenant_id(inst)} is not what its name says"),
           ("blobs", "fail", "1 of 2 are damaged")]
    ctx.equal("damaged", doctor(status=1), bad)
    with open(path, "r+b") as file:  # one that is larger than what is hashed unasked
        file.truncate((1 << 30) + MIB)
    seen = doctor()
    ctx.true("too large to be looked at", seen[0][1] == "ok" and seen[0][2].endswith(", --blobs does all"), seen)
    ctx.equal("unless it is asked for", doctor("--blobs", status=1), bad)


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def sockets(pid):
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        except OSError:
            pass
    return count


def test_unread(ctx):
    """Forty who ask for 50 MB and do not read: little memory, and they are cut off."""
    inst = ctx.new(settings={"workers": 64, "client_timeout": f"{TIME_S}s"})
    data = os.urandom(MIB) * 50
    put(inst, data)
    target, pid = link(inst, data), inst.serve.popen.pid
    get(inst, target)
    before, held = memory_kib(pid), sockets(pid)
    wires = []
    for _ in range(40):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(address(inst.serve.url))
        sock.sendall(request("GET", target))
        wires.append(sock)
    wait_for("they are served", lambda: sockets(pid) >= held + 40, 5)
    time.sleep(TIME_S / 2)
    grown = memory_kib(pid) - before
    ctx.true(f"memory grew by {grown} KiB", grown < 40 * 512)
    ctx.equal("others are served", get(inst, target, Range="bytes=5-9").body, data[5:10])
    wait_for("they are cut off", lambda: sockets(pid) < held + 20, 3 * TIME_S)
    for sock in wires:
        sock.close()


def test_slow_reader(ctx):
    """Who reads slowly, but reads, gets it all in more than client_timeout."""
    inst = ctx.new(settings={"client_timeout": f"{TIME_S}s"})
    data = os.urandom(MIB) * 8
    put(inst, data)
    with Wire(inst.serve.url) as wire:
        wire.send(request("GET", link(inst, data)))
        began = time.monotonic()
        while len(wire.bytes) < 3 * MIB:
            wire.bytes += wire.socket.recv(64 << 10)
            time.sleep(0.1)
        answer = wire.answer()
        ctx.equal("whole", answer.body == data, True)
        ctx.true("slow enough", time.monotonic() - began > 2 * TIME_S)


def test_at_once(ctx):
    """50 MB over eight connections at once, also in pieces by ranges."""
    inst = ctx.new()
    data = os.urandom(MIB) * 50
    digest = hashlib.sha256(data).hexdigest()
    put(inst, data)
    target, pid = link(inst, data), inst.serve.popen.pid
    before = memory_kib(pid)

    def whole(_):
        return hashlib.sha256(get(inst, target).body).hexdigest()

    def pieces(_):
        done, step = hashlib.sha256(), 7 * MIB + 1
        with Wire(inst.serve.url) as wire:
            for at in range(0, len(data), step):
                wire.send(request("GET", target, headers=[f"Range: bytes={at}-{at + step - 1}"]))
                done.update(wire.answer().body)
        return done.hexdigest()
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(kind, n) for n in range(4) for kind in (whole, pieces)]
        ctx.equal("each has it all", {future.result() for future in found}, {digest})
    # One of them whole in memory would be 50 MiB.
    ctx.true(f"memory grew by {memory_kib(pid) - before} KiB", memory_kib(pid) - before < 32 * 1024)


def test_term_while_streaming(ctx):
    """A stop lets who reads end, and does not wait for who does not."""
    inst = ctx.new(settings={"drain": "2s"})
    data = os.urandom(MIB) * 20
    put(inst, data)
    target = link(inst, data)
    with Wire(inst.serve.url) as reads, Wire(inst.serve.url) as waits:
        for wire in (reads, waits):
            wire.send(request("GET", target))
            wire.bytes += wire.socket.recv(1000)
        with ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            stopped = pool.submit(inst.serve.stop)
            answer = reads.answer()
            ctx.equal("who reads has it all", answer.body == data, True)
            stopped.result()
        ctx.true("in time", time.monotonic() - began < 20, time.monotonic() - began)
        ctx.true("who does not read has a part", len(waits.rest()) < len(data))

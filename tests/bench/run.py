#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the gateway beside nginx, in one run on one machine, and prints Markdown.
Figures of different runs do not compare; the ratios of one run do.

usage: run.py [--quick] [--rounds N] [--patience SECONDS] [--dir DIR] [--build DIR]
              [--no-settle] [--no-lists | --only-lists] [--tasks N] [--profile]
              [--stub-port N] [--peer URL --peer-token-file FILE]

Everything runs on loopback and as children of this process; what they write goes to
a folder in DIR that is removed at the end.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import many

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BASE = "/api/v3/contents/generations/tasks"
CLIENTS = (32, 64)
WORKERS_IDLE, WORKERS_LOAD = 1024, 256
READY_TIMES = 5
SYNC_TIMES = 200
QUIET_LOOK_S, QUIET_SHARE = 0.5, 0.1  # of all cores
SETTLE_TIMEOUT_S = 120
BATCH = 500  # ids of one list: the most that Ark takes
CREDIT = "100000000"  # a create holds about 5 of it
BODY = json.dumps({"model": "doubao-seedance-2-0", "duration": 5, "ratio": "16:9",
                   "resolution": "720p", "generate_audio": True,
                   "content": [{"type": "text", "text": "a paper boat on still water at dawn"}]})
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def fail(text):
    raise SystemExit(f"run.py: {text}")


def log(text):
    print(text, file=sys.stderr, flush=True)


# -- the machine ---------------------------------------------------------------------


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return found.group(1).strip() if found else os.uname().machine


def machine_busy_s():
    """CPU seconds that the whole machine has spent, without idle and iowait."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_S


def process_s(pid):
    """CPU seconds of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def memory_kb(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(re.search(rf"^{name}:\s+(\d+) kB", file.read(), re.M).group(1))


def sync_median_us(folder):
    """One page appended and made durable, as a commit does it."""
    path, page, took = os.path.join(folder, "sync"), os.urandom(4096), []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(SYNC_TIMES):
            os.write(fd, page)
            begun = time.perf_counter()
            os.fdatasync(fd)
            took.append((time.perf_counter() - begun) * 1e6)
    finally:
        os.close(fd)
        os.unlink(path)
    return statistics.median(took)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# -- what is measured ------------------------------------------------------------------


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="arkgate-bench-", dir=options.dir)
        self.children = []
        self.installations = []
        self.stub_port = self.nginx_port = None
        self.theirs_s = self.whole_s = 0.0  # CPU of strangers, and all there was, in rounds
        self.patience_s = options.patience

    def start_stub(self):
        stub = subprocess.Popen([os.path.join(self.options.build, "tests/bench/ark_stub"),
                                 str(self.options.stub_port)], stdout=subprocess.PIPE, text=True)
        self.children.append(stub)
        found = re.match(r"ready stub=http://127\.0\.0\.1:(\d+)$", stub.stdout.readline().strip())
        if not found:
            fail("the stub does not start")
        self.stub_port = int(found.group(1))

    def start_nginx(self):
        binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not binary:
            fail("nginx is missing: see third_party/apt.txt, set bench")
        self.nginx_port = free_port()
        with open(os.path.join(HERE, "nginx.conf"), encoding="ascii") as file:
            text = file.read()
        for name, value in (("DIR", self.folder), ("PORT", self.nginx_port),
                            ("STUB", self.stub_port), ("PATH", BASE)):
            text = text.replace(f"@{name}@", str(value))
        if os.geteuid() == 0:
            text = "user root;\n" + text  # else its workers cannot reach the folder
        conf = os.path.join(self.folder, "nginx.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(text)
        error_log = os.path.join(self.folder, "nginx-error.log")
        nginx = subprocess.Popen([binary, "-e", error_log, "-p", self.folder, "-c", conf],
                                 stdin=subprocess.DEVNULL)
        self.children.append(nginx)
        for _ in range(250):
            if nginx.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.nginx_port)) == 0:
                    return
            time.sleep(0.02)
        with open(error_log, encoding="utf-8", errors="replace") as file:
            fail("nginx does not start:\n" + file.read())

    def install(self, **limits):
        """An installation whose upstream is the stub; returns it and a token."""
        inst = arkgate.Installation()
        self.installations.append(inst)
        inst.add_upstream(url=f"http://127.0.0.1:{self.stub_port}")
        if limits:
            inst.cli("upstream", "set", "main", *(f"{k}={v}" for k, v in limits.items()))
        return inst, inst.add_tenant(credit=CREDIT)

    def ours(self):
        """Every process of this run but wrk."""
        for child in self.children:
            yield from [child.pid, *children_of(child.pid)] if child.poll() is None else []
        for inst in self.installations:
            yield from (p.popen.pid for p in inst.processes if p.running())

    def our_s(self):
        times = os.times()
        return (times.user + times.system + times.children_user + times.children_system
                + sum(process_s(pid) for pid in self.ours()))

    def wait_quiet(self):
        """Until others leave the machine alone, or there is no patience left. (The load
        average does not tell: it holds our own last round.)"""
        while self.patience_s > 0:
            busy, ours = machine_busy_s(), self.our_s()
            time.sleep(QUIET_LOOK_S)
            theirs = machine_busy_s() - busy - (self.our_s() - ours)
            if theirs < QUIET_SHARE * QUIET_LOOK_S * os.cpu_count():
                return
            self.patience_s -= QUIET_LOOK_S

    def load(self, url, clients, seconds, method="GET", token=None, body=None, checked=True, tokens=None,
             headers=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("BENCH_")}
        env["BENCH_METHOD"] = method
        if token:
            env["BENCH_TOKEN"] = token
        if tokens:
            env["BENCH_TOKENS"] = tokens
        if body:
            env["BENCH_BODY"] = body
        if headers:
            env["BENCH_HEADERS"] = "\n".join(f"{name}: {value}" for name, value in headers.items())
        ran_from, busy, ours = time.monotonic(), machine_busy_s(), self.our_s()
        ran = subprocess.run(["wrk", "-t2", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s",
                              "-s", os.path.join(HERE, "load.lua"), url], env=env,
                             capture_output=True, text=True, timeout=seconds + 60)
        self.theirs_s += max(0.0, machine_busy_s() - busy - (self.our_s() - ours))
        self.whole_s += (time.monotonic() - ran_from) * os.cpu_count()
        found = re.search(r"^RESULT (\{.*\})$", ran.stdout, re.M)
        if ran.returncode != 0 or not found:
            fail(f"wrk on {url}: {ran.stdout}{ran.stderr}")
        result = json.loads(found.group(1))
        if checked and (result["bad_status"] or result["broken"] or not result["requests"]):
            fail(f"{method} {url} with {clients} clients did not only succeed: {result}")
        return {"rate": result["requests"] * 1e6 / result["us"], "p50": result["p50_us"] / 1e3,
                "p99": result["p99_us"] / 1e3, "count": result["requests"]}

    def close(self):
        for inst in self.installations:
            inst.close()
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                child.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def start_and_memory(bench):
    """Milliseconds to `ready` and resident kB at rest, with the default's workers."""
    inst, _ = bench.install()
    ready_ms, resident_kb = [], []
    for _ in range(READY_TIMES):
        begun = time.perf_counter()
        serve = arkgate.Serve("serve", ["serve", "--data", inst.data, "--listen", "127.0.0.1:0",
                                        "--admin-listen", "127.0.0.1:0", "--workers",
                                        str(WORKERS_IDLE)],
                              os.path.join(inst.folder, "start.log"), {})
        inst.processes.append(serve)
        while not re.search(r"^ready ", serve.log(), re.M):
            if not serve.running() or time.perf_counter() > begun + 30:
                fail("the gateway does not start:\n" + serve.log())
            time.sleep(0.0005)
        ready_ms.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.5)
        resident_kb.append(memory_kb(serve.popen.pid, "VmRSS"))
        serve.stop()
    inst.stop()
    return statistics.median(ready_ms), statistics.median(resident_kb)


def first_task(url, token):
    """A task that has ended, for the scenarios that read one."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    made = arkgate.http_call(url, "POST", BASE, BODY.encode(), headers)
    if made.status != 200:
        fail(f"{url}: create answers {made}")
    task_id = made.json["id"]

    def ended():
        seen = arkgate.http_call(url, "GET", f"{BASE}/{task_id}", None, headers)
        return seen.status == 200 and seen.json["status"] == "succeeded"
    arkgate.wait_for(f"{task_id} at {url} succeeded", ended, 60)
    return task_id


class Many:
    """A gateway over a tenant with very many tasks, for lists."""

    def __init__(self, bench):
        self.tasks = bench.options.tasks
        inst, token = bench.install()
        own = inst.cli_json("token", "add", "acme", "--visibility", "own")
        serve = inst.start_serve({"workers": WORKERS_LOAD})
        first_task(serve.url, token)
        inst.stop()
        identity = inst.rows("SELECT identity FROM token WHERE id = ?", own["id"])[0]["identity"]
        begun = time.monotonic()
        many.fill(inst.data, self.tasks, identity)
        log(f"{self.tasks} tasks in {time.monotonic() - begun:.1f} s, "
            f"{os.path.getsize(os.path.join(inst.data, 'arkgate.db')) / 1e6:.0f} MB")
        self.inst, self.tokens = inst, {"tenant": token, "own": own["token"]}
        self.serve = inst.start_serve({"workers": WORKERS_LOAD})

    def measure(self):
        return many.measure(self.serve.url, self.tokens, self.tasks, log)

    def resident_kb(self):
        return memory_kb(self.serve.popen.pid, "VmHWM")


def scenarios(bench, serve, token, task_id, crowd):
    nginx = f"http://127.0.0.1:{bench.nginx_port}"
    yield "nginx, `return 200`", {"url": f"{nginx}/return"}
    yield KEPT, {"url": f"{nginx}/kept/{task_id}"}
    yield "nginx, proxy as it is by default", {"url": f"{nginx}/default/{task_id}"}
    yield "gateway, GET of a task", {"url": f"{serve.url}{BASE}/{task_id}", "token": token}
    if crowd:
        yield f"gateway, list of 20 among {crowd.tasks:,}", {
            "url": f"{crowd.serve.url}{BASE}?page_size=20", "token": crowd.tokens["tenant"]}
    yield CREATE, {"url": f"{serve.url}{BASE}", "token": token, "method": "POST", "body": BODY}
    if bench.options.peer:
        with open(bench.options.peer_token_file, encoding="utf-8") as file:
            peer_token = file.read().strip()
        peer = bench.options.peer.rstrip("/")
        peer_task = first_task(peer, peer_token)
        yield "peer, GET of a task", {"url": f"{peer}{BASE}/{peer_task}", "token": peer_token}
        yield "peer, list of 20", {"url": f"{peer}{BASE}?page_size=20", "token": peer_token}
        yield "peer, create", {"url": f"{peer}{BASE}", "token": peer_token, "method": "POST",
                               "body": BODY}


KEPT = "nginx, proxy with keep-alive"
CREATE = "gateway, create (durable)"


def measure_rounds(bench, named):
    """{(name, clients): medians}, the scenarios taking turns in every round."""
    rounds = {}
    for clients in CLIENTS:
        for name, request in named:
            bench.load(clients=clients, seconds=1, **request)  # warm, not counted
        for number in range(bench.options.rounds):
            for name, request in named:
                bench.wait_quiet()
                result = bench.load(clients=clients, seconds=bench.options.seconds, **request)
                rounds.setdefault((name, clients), []).append(result)
                log(f"{clients} clients, round {number + 1}: {name}: {result['rate']:.0f}/s")
    return {key: {figure: statistics.median(r[figure] for r in results) for figure in results[0]}
            | {"low": min(r["rate"] for r in results), "high": max(r["rate"] for r in results)}
            for key, results in rounds.items()}


def profile(bench, serve, request):
    """The ten functions in which a create under load spends most time."""
    if not shutil.which("perf"):
        return None
    data = os.path.join(bench.folder, "perf.data")
    perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "-o", data,
                             "-p", str(serve.popen.pid), "--", "sleep", "3"],
                            stderr=subprocess.DEVNULL)
    bench.children.append(perf)
    bench.load(clients=32, seconds=4, **request)
    perf.wait(60)
    ran = subprocess.run(["perf", "report", "-q", "--stdio", "--no-children", "-s",
                          "symbol,dso", "-i", data], capture_output=True, text=True, timeout=120)
    return [line.strip() for line in ran.stdout.splitlines() if "%" in line][:10]


def measure_settle(bench):
    """Created, polled and settled tasks a second: from the first create until the last
    task of the round has been charged."""
    inst, token = bench.install(list_qps=1000, batch=BATCH)
    serve = inst.start_serve({"workers": WORKERS_LOAD, "poll_interval": "50ms"})
    first_task(serve.url, token)
    rates, known = [], inst.rows("SELECT count(*) AS n FROM task")[0]["n"]
    for _ in range(bench.options.rounds):
        bench.wait_quiet()
        begun = time.monotonic()
        bench.load(f"{serve.url}{BASE}", 32, bench.options.seconds, "POST", token, BODY)

        def settled():
            return inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0
        arkgate.wait_for("every task settled", settled, SETTLE_TIMEOUT_S, pause=0.05)
        took = time.monotonic() - begun
        count = inst.rows("SELECT count(*) AS n FROM task")[0]["n"]
        rates.append(((count - known) / took, count - known, took))
        known = count
        log(f"settle: {rates[-1][1]} tasks in {took:.2f} s")
    charged = inst.rows("SELECT count(*) AS n FROM ledger WHERE kind = 'charge'")[0]["n"]
    states = inst.rows("SELECT DISTINCT state FROM task")
    if charged != known or [row["state"] for row in states] != ["succeeded"]:
        fail(f"{known} tasks, {charged} charges, states {states}")
    inst.stop()
    inst.cli("ledger", "verify")
    return sorted(rates)[len(rates) // 2]


# -- the report --------------------------------------------------------------------------


def print_report(bench, machine, results, named, memory, settle, hot, lists):
    print(f"{machine['cpu']}, {os.cpu_count()} cores; fdatasync of 4 KiB: "
          f"{machine['sync_us']:,.0f} µs (median of {SYNC_TIMES}); load average before: "
          f"{machine['load']:.2f}; processes outside this run took "
          f"{100 * bench.theirs_s / bench.whole_s:.0f} % of the CPU during the rounds; "
          f"{bench.options.rounds} rounds of {bench.options.seconds} s, medians.\n")
    for clients in CLIENTS:
        kept = results[KEPT, clients]["rate"]
        print(f"| {clients} clients | requests/s | lowest to highest | p50, ms | p99, ms "
              "| ratio to nginx's keep-alive proxy |\n|---|---:|---:|---:|---:|---:|")
        for name, _ in named:
            r = results[name, clients]
            print(f"| {name} | {r['rate']:,.0f} | {r['low']:,.0f} to {r['high']:,.0f} "
                  f"| {r['p50']:.2f} | {r['p99']:.2f} | {r['rate'] / kept:.2f} |")
        print()
    print("| | |\n|---|---:|")
    if settle:
        kept = results[KEPT, 32]["rate"]
        print(f"| created, polled and settled, tasks/s (32 clients; {settle[1]:,} tasks in "
              f"{settle[2]:.1f} s) | {settle[0]:,.0f} |")
        print(f"| the same, ratio to nginx's keep-alive proxy | {settle[0] / kept:.3f} |")
    print(f"| start to `ready`, ms ({WORKERS_IDLE:,} workers, median of {READY_TIMES}) "
          f"| {memory['ready_ms']:.0f} |")
    print(f"| resident at rest, MB ({WORKERS_IDLE:,} workers) | {memory['idle_kb'] / 1e3:.0f} |")
    print(f"| resident under load, peak, MB ({WORKERS_LOAD} workers, {memory['tasks']:,} tasks "
          f"made, {memory['open']:,} of them open) | {memory['peak_kb'] / 1e3:.0f} |")
    if lists:
        print(f"| the same of the gateway that lists ({bench.options.tasks:,} tasks) "
              f"| {memory['crowd_kb'] / 1e3:.0f} |")
    if lists:
        print("\n" + "\n".join(many.table(lists)))
    if hot:
        print("\n```\n" + "\n".join(hot) + "\n```")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="rounds of 1 s")
    parser.add_argument("--rounds", type=int, default=3, help="at least 3 (3)")
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS",
                        help="to wait, in all, for rounds without other load (0)")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="whose disk is measured")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"),
                        help="a RelWithDebInfo build with arkgate and ark_stub")
    parser.add_argument("--no-settle", action="store_true", help="without the settling")
    parser.add_argument("--no-lists", action="store_true", help="without lists among many tasks")
    parser.add_argument("--only-lists", action="store_true", help="nothing but those")
    parser.add_argument("--tasks", type=int, default=many.TASKS, help="how many are many (1000000)")
    parser.add_argument("--stub-port", type=int, default=0, help="for a peer's upstream (any)")
    parser.add_argument("--peer", help="another gateway's http://HOST:PORT; its upstream is the stub")
    parser.add_argument("--peer-token-file", help="a file with a token of the peer")
    parser.add_argument("--profile", action="store_true", help="top ten of a create, by perf")
    options = parser.parse_args()
    if options.rounds < 3:
        parser.error("fewer than 3 rounds have no median worth the name")
    if options.tasks < 1000:
        parser.error("--tasks: the kinds of lists need 1000 at least")
    if (options.peer is None) != (options.peer_token_file is None):
        parser.error("--peer and --peer-token-file go together")
    options.seconds = 1 if options.quick else 3
    options.build = os.path.abspath(options.build)
    return options


def run(bench):
    machine = {"cpu": cpu_model(), "load": os.getloadavg()[0],
               "sync_us": sync_median_us(bench.folder)}
    bench.start_stub()
    bench.start_nginx()
    if bench.options.only_lists:
        print("\n".join(many.table(Many(bench).measure())))
        return
    ready_ms, idle_kb = start_and_memory(bench)
    inst, token = bench.install()
    serve = inst.start_serve({"workers": WORKERS_LOAD})
    crowd = None if bench.options.no_lists else Many(bench)
    named = list(scenarios(bench, serve, token, first_task(serve.url, token), crowd))
    results = measure_rounds(bench, named)
    hot = profile(bench, serve, dict(named)[CREATE]) if bench.options.profile else None
    memory = {"ready_ms": ready_ms, "idle_kb": idle_kb,
              "peak_kb": memory_kb(serve.popen.pid, "VmHWM"),
              "tasks": inst.rows("SELECT count(*) AS n FROM task")[0]["n"],
              "open": inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"]}
    inst.stop()
    lists = None
    if crowd:
        memory["crowd_kb"] = crowd.resident_kb()
        bench.wait_quiet()
        lists = crowd.measure()
        crowd.inst.close()
    settle = None if bench.options.no_settle else measure_settle(bench)
    print_report(bench, machine, results, named, memory, settle, hot, lists)


def main():
    options = parse()
    if not shutil.which("wrk"):
        fail("wrk is missing: see third_party/apt.txt, set bench")
    for name in ("gateway/arkgate", "tests/bench/ark_stub"):
        if not os.access(os.path.join(options.build, name), os.X_OK):
            fail(f"{options.build}/{name} is not built: see README.md")
    # Where the helpers look for the binary and put their folders.
    os.environ["ARKGATE_BIN"] = os.path.join(options.build, "gateway/arkgate")
    tempfile.tempdir = options.dir
    sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
    global arkgate
    import arkgate
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(bench)
    finally:
        bench.close()


if __name__ == "__main__":
    main()

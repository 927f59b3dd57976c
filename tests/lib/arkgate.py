# SPDX-License-Identifier: Apache-2.0
"""Drives a real arkgate: an installation in a temporary folder, its command line,
a gateway and a simulator as processes, HTTP, and the invariants that every test
ends with. Standard library only, but for PostgreSQL's driver with that engine."""
import csv
import functools
import glob
import hashlib
import http.client
import io
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from decimal import ROUND_HALF_UP, Decimal

import postgres

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, os.environ.get("ARKGATE_BIN", "build/asan/gateway/arkgate"))
PROBE = os.path.join(os.path.dirname(BINARY), "arkgate-probe")
BASE = "/api/v3/contents/generations/tasks"
NANO = 10**9
TERMINAL = ("succeeded", "failed", "expired", "cancelled")
# What a sanitizer, or an assertion of ours, leaves in a log.
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|"
                     r"assertion[_ ]failed", re.I)
READY_S = 30  # a sanitized binary on a busy machine; the release binary needs 0.1 s
# A word that stands in everything of the upstream's that no tenant may see: its key,
# the endpoint ids that models are mapped to, and what the simulator plants.
CANARY = "canary5521"
ENDPOINTS = {"doubao-seedance-2-0": f"ep-{CANARY}-base", "doubao-seedance-2-0-fast": f"ep-{CANARY}-fast",
             "doubao-seedance-2-0-mini": f"ep-{CANARY}-mini"}
# What Ark says in an answer for a task that was sent to an endpoint.
DATED = {ENDPOINTS["doubao-seedance-2-0"]: "doubao-seedance-2-0-260128",
         ENDPOINTS["doubao-seedance-2-0-fast"]: "doubao-seedance-2-0-fast-260128",
         ENDPOINTS["doubao-seedance-2-0-mini"]: "doubao-seedance-2-0-mini-260615"}
# With ARKGATE_ANSWERS=FILE each error that a test got from one of these APIs is written there.
ANSWERS = os.environ.get("ARKGATE_ANSWERS")
ARK_PATH = re.compile(r"(/volcark)?/api/v3(?![^/?])")
VOLC_PATH = re.compile(r"(/|/volcark/?)(?![^?])")
ENGINES = ("sqlite", "postgresql")
ENGINE = os.environ.get("ARKGATE_TEST_ENGINE", "sqlite")
current_test = ""  # "test_file.py::test_name"; run.py sets it


def environment(extra=None):
    """What a program gets: none of the tests' own settings, nor of the user's for libpq."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ARKGATE_", "PG"))}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    env.update(extra or {})
    return env


def decimal_nano(text):
    """'5.0094' as integer nano-units."""
    return int(Decimal(text) * NANO)


def wait_for(what, probe, seconds=20.0, pause=0.02):
    """Polls until probe() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(pause)


class Answer:
    def __init__(self, status, headers, body, reason=""):
        self.status, self.headers, self.body, self.reason = status, headers, body, reason

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


def http_call(url, method, target, body=None, headers=None, timeout=60, tls=None):
    """One request on a connection of its own; target goes out as it is. tls: the
    ssl.SSLContext for an https url."""
    scheme, host, port = re.match(r"(https?)://(\[?[^\]/]*\]?):(\d+)", url).groups()
    if scheme == "https":
        conn = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=timeout, context=tls)
    else:
        conn = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    try:
        conn.putrequest(method, target, skip_accept_encoding=True)
        conn.putheader("Connection", "close")
        if body is not None:
            conn.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            conn.putheader(name, value)
        conn.endheaders()
        if body is not None:
            try:
                conn.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered before the body was through; the answer is still there
        reply = conn.getresponse()
        return Answer(reply.status, reply.getheaders(), reply.read(), reply.reason)
    finally:
        conn.close()


def check_canary(what, answer):
    """A tenant was shown something of the upstream's."""
    text = f"{answer.reason}\n{answer.headers}\n".encode() + answer.body
    if CANARY.encode() in text.lower():
        raise AssertionError(f"{what}: the upstream's secrets show in {answer.headers} {answer}")


@functools.cache
def _write_once(line):
    with open(ANSWERS, "a", encoding="utf-8") as file:
        file.write(line)  # one short write: files run side by side


def _ark_error(answer):
    return [(answer.error["code"], answer.error["type"])] if answer.status >= 400 else []


def _volc_error(answer):
    """The call's own, or why assets failed that it shows."""
    if answer.status >= 400:
        error = answer.json["ResponseMetadata"]["Error"]
        return [(error["Code"], error["CodeN"])]
    result = answer.json.get("Result", {})
    return [(item["Error"]["Code"], "Failed") for item in [result, *result.get("Items", [])] if "Error" in item]


def record(method, target, answer):
    """For tests/docs/error_table.py; one line for what one test saw many times."""
    api, read = ("ark", _ark_error) if ARK_PATH.match(target) else ("volc", _volc_error)
    if not ANSWERS or method == "HEAD" or api == "volc" and not VOLC_PATH.match(target):
        return
    try:
        errors = read(answer)
    except (ValueError, LookupError, TypeError):
        errors = [(None, None)]  # not of the API's shape: the table has no such row
    for code, kind in errors:
        _write_once(json.dumps({"test": current_test, "api": api, "status": answer.status, "code": code,
                                "type": kind}) + "\n")


class Process:
    """A serving arkgate; its stderr is the log."""

    def __init__(self, name, arguments, log_path, env):
        self.name, self.log_path = name, log_path
        self.ended = False  # by us; nobody else ends it
        with open(log_path, "ab") as log:
            self.log_start = log.tell()
            self.popen = subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, env=environment(env))
        self.urls = {}

    def log(self):
        with open(self.log_path, "rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")

    def wait_ready(self):
        def ready():
            found = re.search(r"^ready ((?:\w+=https?://\S+ ?)+)$", self.log(), re.M)
            if not found and self.popen.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}:\n{self.log()[-3000:]}")
            return found
        self.urls = dict(pair.split("=", 1) for pair in wait_for(f"{self.name} ready", ready, READY_S)
                         .group(1).split())
        return self

    def running(self):
        return self.popen.poll() is None

    def check_log(self):
        found = TROUBLE.search(self.log())
        if found:
            at = max(0, found.start() - 200)
            raise AssertionError(f"{self.name} log:\n{self.log()[at:at + 4000]}")

    def stop(self, seconds=40):
        """SIGTERM, clean end, clean log."""
        self.ended = True
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end {seconds} s after SIGTERM:\n{self.log()[-3000:]}")
        self.check_log()
        if status != 0:
            raise AssertionError(f"{self.name} ended with {status}:\n{self.log()[-3000:]}")

    def kill(self):
        """kill -9, as a power cut would."""
        self.ended = True
        self.popen.kill()
        self.popen.wait()


class Sim(Process):
    @property
    def url(self):
        return self.urls["sim"]

    def control(self, method, path, body=None):
        raw = None if body is None else json.dumps(body).encode()
        answer = http_call(self.url, method, path, raw, {"Content-Type": "application/json"})
        if answer.status != 200:
            raise AssertionError(f"simulator: {method} {path} {body}: {answer}")
        return answer.json

    def fault(self, on, times=1, **do):
        """The next calls of that kind (create get list delete) meet this."""
        return self.control("POST", "/sim/faults", {"on": on, "times": times, "do": do})

    def clear_faults(self):
        return self.control("DELETE", "/sim/faults")

    def state(self):
        return self.control("GET", "/sim/state")

    def tasks(self):
        return self.control("GET", "/sim/tasks")

    def asset(self, key, asset_id, kind="Image", ms=0):
        """The account of that key has it in its library."""
        return self.control("POST", "/sim/assets", {"key": key, "id": asset_id, "type": kind, "duration_ms": ms})

    def advance(self, ms):
        return self.control("POST", "/sim/clock", {"advance_ms": ms})

    def creates(self):
        return self.state()["calls"]["create"]


class Serve(Process):
    tls = None  # ssl.SSLContext of a client, for a gateway that speaks TLS

    @property
    def url(self):
        return self.urls["public"]

    @property
    def admin(self):
        return self.urls["admin"]

    def call(self, method, target, token=None, body=None, headers=None, timeout=60):
        """body: bytes as they are, anything else as JSON."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = http_call(self.url, method, target, body, sent, timeout, self.tls)
        record(method, target, answer)
        check_canary(f"{method} {target[:200]}", answer)
        return answer

    def create(self, token, body, headers=None, base=BASE):
        return self.call("POST", base, token, body, headers)

    def get(self, token, task_id, base=BASE, headers=None):
        return self.call("GET", f"{base}/{task_id}", token, headers=headers)

    def wait_until(self, token, task_id, states=TERMINAL, seconds=30.0):
        """Polls until the task is in one of the states; returns its JSON."""
        def probe():
            answer = self.get(token, task_id)
            if answer.status != 200:
                raise AssertionError(f"get {task_id}: {answer}")
            return answer.json if answer.json["status"] in states else None
        return wait_for(f"{task_id} in {states}", probe, seconds, pause=0.05)


def text_to_video(prompt="a quiet harbour at dawn", model="doubao-seedance-2-0", **members):
    return {"model": model, "content": [{"type": "text", "text": prompt}], **members}


@functools.cache
def canary_option():
    """The simulator's option for the word, where this binary's simulator has it."""
    ran = subprocess.run([BINARY, "sim", "--help"], capture_output=True, text=True, timeout=60, env=environment())
    return ("--canary", CANARY) if "--canary " in ran.stdout else ()


class SqliteFile:
    """The store in a data directory."""

    def __init__(self, data):
        self.path = os.path.join(data, "arkgate.db")

    def rows(self, sql, *values):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]
        finally:
            db.close()

    def write(self, sql, *values):
        db = sqlite3.connect(self.path, timeout=10)
        try:
            with db:
                return db.execute(sql, values).rowcount
        finally:
            db.close()

    def dump(self):
        """All rows by table."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {table["name"]: self.rows(f'SELECT * FROM "{table["name"]}"') for table in tables}

    def drop(self):
        """It goes with its folder."""


def _store(engine, server, data):
    """The store, and the options and the environment that lead a program to it."""
    if engine == "sqlite":
        return SqliteFile(data), (), {}
    if engine not in ENGINES:
        raise AssertionError(f"ARKGATE_TEST_ENGINE is {engine}, which is none of {ENGINES}")
    base = os.environ.get(postgres.VARIABLE)
    if not server and not base:
        raise AssertionError(f"{postgres.VARIABLE} names no server: tests/lib/postgres.py run COMMAND")
    database = postgres.Database(server or postgres.Server(base))
    return database, ("--database", database.url), database.environment


class Installation:
    """A data directory, a store and the processes on them, in a folder that close() removes.
    engine: of ENGINES; server: a postgres.Server, instead of the one at ARKGATE_TEST_POSTGRES."""

    def __init__(self, engine=None, server=None):
        self.engine = engine or ENGINE
        self.folder = tempfile.mkdtemp(prefix="arkgate-test-")
        self.data = os.path.join(self.folder, "data")
        self.key_file = os.path.join(self.folder, "ark.key")
        with open(self.key_file, "w", encoding="ascii") as file:
            file.write(f"ark-test-key-0001-{CANARY}\n")
        os.chmod(self.key_file, 0o600)
        self.processes = []
        self.sim = self.serve = self.store = None
        self.damaged = False  # a test has broken files of assets
        try:
            self.store, self.options, self.env = _store(self.engine, server, self.data)
            self.cli("init")
        except BaseException:
            self.close()
            raise

    # -- command line --------------------------------------------------------

    def cli(self, *arguments, status=0, stdin=None, env=None, data=True):
        """Runs a command and checks its exit status (None: any)."""
        command = [BINARY, *(["--data", self.data, *self.options] if data else []), *arguments]
        ran = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120,
                             stdin=subprocess.DEVNULL if stdin is None else None,
                             env=environment({**self.env, **(env or {})}))
        if TROUBLE.search(ran.stderr):
            raise AssertionError(f"{' '.join(arguments)}:\n{ran.stderr[-4000:]}")
        if status is not None and ran.returncode != status:
            raise AssertionError(f"{' '.join(arguments)} ended with {ran.returncode}, expected "
                                 f"{status}\nstdout: {ran.stdout[-2000:]}\nstderr: {ran.stderr[-2000:]}")
        return ran

    def cli_json(self, *arguments, status=0):
        return json.loads(self.cli(*arguments, "-o", "json", status=status).stdout)

    def cli_csv(self, *arguments):
        return list(csv.DictReader(io.StringIO(self.cli(*arguments, "-o", "csv").stdout)))

    # -- processes -----------------------------------------------------------

    def _start(self, kind, name, arguments, env):
        process = kind(name, arguments, os.path.join(self.folder, name + ".log"), env)
        self.processes.append(process)
        return process.wait_ready()

    def start_sim(self, speed=20, listen="127.0.0.1:0", arguments=()):
        self.sim = self._start(Sim, "sim", ["sim", "--listen", listen, "--api-key-file", self.key_file,
                                            "--speed", str(speed), "--media",
                                            os.path.join(self.folder, "media"), *canary_option(), *arguments],
                               {})
        return self.sim

    def start_serve(self, settings=None, arguments=(), env=None, host="127.0.0.1"):
        """settings: {"poll_ms": 100} is given as the environment's ARKGATE_POLL_MS. Beside one
        that runs it has the same database, keys and stored files, as on another machine."""
        given = {"workers": 256, **(settings or {})}
        if self.engine == "postgresql":
            given.setdefault("lease", "2s")  # what one that was killed had to do waits no longer
        env = {**self.env, **{f"ARKGATE_{k.upper()}": str(v) for k, v in given.items()}, **(env or {})}
        taken = [serve.name for serve in self.serves]
        number = next(n for n in itertools.count(1) if f"serve-{n}" not in taken)
        self.serve = self._start(Serve, f"serve-{number}", ["serve", "--data", self.data, *self.options, "--listen",
                                                            f"{host}:0", "--admin-listen", f"{host}:0", *arguments], env)
        return self.serve

    @property
    def serves(self):
        """The gateways that run, the oldest first."""
        return [process for process in self.processes if isinstance(process, Serve) and process.running()]

    def add_upstream(self, name="main", url=None):
        """A credential whose models are mapped to endpoints."""
        self.cli("upstream", "add", name, "--base-url", (url or self.sim.url) + "/api/v3",
                 "--api-key-file", self.key_file)
        return self.cli("upstream", "set", name, *(f"model.{model}={sent}" for model, sent in ENDPOINTS.items()))

    def add_tenant(self, name="acme", credit="100"):
        """A tenant with money and a token; returns the token."""
        self.cli("tenant", "add", name, "--credit", credit)
        return self.cli_json("token", "add", name)["token"]

    def wait_for_model(self, model, sold=True):
        """A change of the catalogue reaches the running gateway within a second: whether a
        bad create is refused for itself or because the model is not sold tells."""
        body = text_to_video(model=model, priority=77)
        wait_for(f"{model} sold: {sold}", lambda: self.serve.create(self.token, body).status == (400 if sold else 503))

    # -- looking inside --------------------------------------------------------

    def rows(self, sql, *values):
        """Rows of the store as dicts, read only; the same SQL for both engines."""
        return self.store.rows(sql, *values)

    def write(self, sql, *values):
        """What nobody but who controls the database can do; says how many rows changed."""
        return self.store.write(sql, *values)

    def account(self, tenant="acme"):
        return self.rows("SELECT a.* FROM account a JOIN tenant t ON t.id = a.tenant_id"
                         " WHERE t.name = ?", tenant)[0]

    def task_row(self, task_id):
        return self.rows("SELECT * FROM task WHERE upstream_id = ? OR minted_id = ?", task_id, task_id)[0]

    def hold_row(self, task_id):
        return self.rows("SELECT * FROM hold WHERE task = ?", self.task_row(task_id)["minted_id"])[0]

    # -- end -------------------------------------------------------------------

    def stop(self):
        """Stops what still runs, gateway first; every one must end cleanly."""
        troubles = []
        for process in reversed(self.processes):
            try:
                if not process.ended:
                    process.stop()  # one that died by itself has not ended with 0
                process.check_log()
            except AssertionError as error:
                troubles.append(str(error))
        self.processes = []
        if troubles:
            raise AssertionError("\n".join(troubles))

    def logs(self, lines=40):
        """Tails of all logs, for a failure's report."""
        parts = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                    parts.append(f"--- {name}\n" + "".join(file.readlines()[-lines:]))
        return "\n".join(parts)

    def close(self):
        for process in self.processes:
            if process.running():
                process.kill()
        try:
            if self.store:
                self.store.drop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


# -- invariants ------------------------------------------------------------------


def _signed_sums(entries):
    """What the entries say of each account."""
    sums = {"available": 0, "held": 0, "charged": 0, "loss": 0, "funds": 0}
    for entry in entries:
        sums[entry["debit"]] -= entry["amount_nano"]
        sums[entry["credit"]] += entry["amount_nano"]
    return sums


def _check_upstream(inst, sim, bad):
    """Nothing made upstream without an owner, nothing made twice for one."""
    tasks = inst.rows("SELECT * FROM task")
    owners = {}
    for task in tasks:
        if task["upstream_id"] is not None:
            owners.setdefault((task["upstream_id"], task["account_id"]), []).append(task["id"])
    for key, ids in owners.items():
        if len(ids) > 1:
            bad(f"upstream task {key} is owned by {ids}")
    attempts = {row["task_id"]: row for row in inst.rows("SELECT * FROM attempt")}
    if set(attempts) != {task["id"] for task in tasks}:
        bad("tasks and attempts are not one to one")
    for row in inst.rows("SELECT upstream_id FROM stray WHERE state = 'adopted'"):
        if not any(key[0] == row["upstream_id"] for key in owners):
            bad(f"stray {row['upstream_id']} is adopted by nobody")
    if sim is None or not sim.running():
        return
    listed = functools.cache(lambda: inst.cli("doctor", "-o", "json", status=None).stdout)
    made = [task["id"] for task in sim.tasks()]
    for upstream_id in made:
        owned = sum(1 for key in owners if key[0] == upstream_id)
        if owned > 1 or owned == 0 and upstream_id not in listed():
            bad(f"simulator task {upstream_id} has {owned} owners and doctor does not name it")
    for upstream_id, _ in owners:
        if upstream_id not in made:
            bad(f"task row owns {upstream_id}, which the simulator never made")
    if sim.state()["made"] != len(made):
        bad(f"simulator made {sim.state()['made']} and lists {len(made)}")


def _check_money(inst, bad):
    tasks = {task["minted_id"]: task for task in inst.rows("SELECT * FROM task")}
    holds = inst.rows("SELECT * FROM hold")
    for account in inst.rows("SELECT * FROM account"):
        tenant = account["tenant_id"]
        entries = inst.rows("SELECT * FROM ledger WHERE tenant_id = ? ORDER BY seq", tenant)
        sums = _signed_sums(entries)
        if [e["seq"] for e in entries] != list(range(1, len(entries) + 1)):
            bad(f"tenant {tenant}: the ledger has gaps")
        for name in ("available", "held", "charged"):
            if account[f"{name}_nano"] != sums[name]:
                bad(f"tenant {tenant}: {name} is {account[name + '_nano']}, the ledger says {sums[name]}")
        if abs(account["loss_nano"]) != abs(sums["loss"]):
            bad(f"tenant {tenant}: loss is {account['loss_nano']}, the ledger says {sums['loss']}")
        if account["available_nano"] < -account["credit_line_nano"]:
            bad(f"tenant {tenant}: available {account['available_nano']} is below the credit line")
        still_held = sum(h["amount_nano"] for h in holds
                         if h["tenant_id"] == tenant and h["state"] in ("open", "review"))
        if still_held != account["held_nano"]:
            bad(f"tenant {tenant}: held {account['held_nano']}, open holds {still_held}")
        _check_charges(tenant, entries, tasks, bad)
    if {h["task"] for h in holds} != set(tasks):
        bad("tasks and holds are not one to one")
    for hold in holds:
        task = tasks[hold["task"]]
        ended = task["ended_us"] is not None
        if ended == (hold["state"] == "open"):
            bad(f"task {hold['task']} is {task['state']}, its hold {hold['state']}")
        if task["state"] == "refused" and hold["state"] != "released":
            bad(f"task {hold['task']} was refused, its hold is {hold['state']}")


def _check_charges(tenant, entries, tasks, bad):
    """Charge = unit price × quantity ÷ unit, rounded half up once, from the ledger."""
    charged = {}
    for entry in entries:
        if entry["kind"] in ("charge", "loss") and entry["task"]:
            charged.setdefault(entry["task"], []).append(entry)
    for name, parts in charged.items():
        if tasks[name]["state"] != "succeeded" and not any((p["actor"] or "").startswith("cli:") for p in parts):
            bad(f"tenant {tenant}: {name} is {tasks[name]['state']} and was charged")
        first = parts[0]
        if first["quantity"] is None or first["unit_price_nano"] is None:
            continue  # an operator's amount
        unit = 10**6 if first["unit"] == "mtoken" else 1000
        due = int((Decimal(first["unit_price_nano"]) * first["quantity"] / unit)
                  .quantize(Decimal(1), ROUND_HALF_UP))
        if sum(p["amount_nano"] for p in parts) != due:
            bad(f"tenant {tenant}: {name} charged {[p['amount_nano'] for p in parts]}, due {due}")


def _check_counts(inst, bad):
    """What lists say without counting is what counting would say; tasks may move
    meanwhile, so one statement reads both."""
    key = "tenant_id, token_identity, model, tier"
    rows = inst.rows(
        f"SELECT 1 AS kept, {key}, state, n FROM task_count WHERE n <> 0 UNION ALL"
        f" SELECT 0, {key}, CASE WHEN state IN ('waiting', 'submitting', 'unknown') THEN 'queued' ELSE state END"
        f" AS s, count(*) FROM task WHERE state <> 'refused' AND deleted_us IS NULL GROUP BY {key}, s")
    kept, real = ({tuple(row.values())[1:] for row in rows if row["kept"] == side} for side in (1, 0))
    wrong = inst.rows("SELECT minted_id FROM task WHERE listed <>"
                      " CASE WHEN state <> 'refused' AND deleted_us IS NULL THEN 1 ELSE 0 END")
    if wrong:
        bad(f"listed is wrong of {[row['minted_id'] for row in wrong]}")
    if kept != real:
        bad(f"task_count says {sorted(kept - real)}, the tasks say {sorted(real - kept)}")


def _check_assets(inst, bad):
    """What the library counts is there, and what waits for its file has its row of the job."""
    key, sums = "identity, project, status", "CAST(count(*) AS bigint), CAST(sum(bytes) AS bigint)"
    there = "asset WHERE purged_us IS NULL"  # the others are records of what was
    rows = inst.rows(
        f"SELECT 1 AS kept, tenant_id, group_id AS g, {key}, n, bytes FROM asset_count WHERE n <> 0 UNION ALL"
        f" SELECT 0, tenant_id, group_id, {key}, {sums} FROM {there} GROUP BY tenant_id, group_id, {key} UNION ALL"
        f" SELECT 0, tenant_id, '', {key}, {sums} FROM {there} GROUP BY tenant_id, {key} UNION ALL"
        f" SELECT 1, tenant_id, 'groups', identity, project, '', n, 0 FROM asset_group_count UNION ALL"
        f" SELECT 0, tenant_id, 'groups', identity, project, '', count(*), 0 FROM asset_group"
        f" GROUP BY tenant_id, identity, project")
    kept, real = ({tuple(row.values())[1:] for row in rows if row["kept"] == side} for side in (1, 0))
    if kept != real:
        bad(f"asset_count says {sorted(kept - real)}, the assets say {sorted(real - kept)}")
    wrong = inst.rows("SELECT a.id FROM asset a LEFT JOIN ingest i ON i.asset_id = a.id AND i.tenant_id = a.tenant_id"
                      " WHERE (a.status = 'Processing' AND a.purged_us IS NULL) <> (i.asset_id IS NOT NULL)")
    if wrong:
        bad(f"state and job do not go together of {[row['id'] for row in wrong]}")
    if inst.damaged:
        return
    for row in inst.rows(f"SELECT id, tenant_id, hash, thumbnail FROM {there} AND status = 'Active'"):
        for name in [bytes(row[column]).hex() for column in ("hash", "thumbnail") if row[column] is not None]:
            paths = glob.glob(f"{inst.data}*/blobs/{row['tenant_id']}/{name[:2]}/{name[2:]}")
            if not paths:
                bad(f"asset {row['id']}: there is no file {name}")
            for path in paths:
                with open(path, "rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != name:
                        bad(f"asset {row['id']}: {path} is not what its name says")


def _check_chains(inst, bad):
    for command in (("ledger", "verify"), ("audit", "verify")):
        ran = inst.cli(*command, status=None)
        if ran.returncode != 0:
            bad(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr[-600:]}")
    ran = verify_export(inst)
    if ran.returncode != 0:
        bad(f"verify_export.py: {ran.stdout[-600:]}{ran.stderr[-600:]}")


def check_invariants(inst, sim=None, chains=True):
    """Raises with everything that does not hold. Chains are the dear part, and what breaks in
    one stays: who looks twice may do without the first time."""
    troubles = []
    _check_upstream(inst, sim, troubles.append)
    _check_money(inst, troubles.append)
    _check_counts(inst, troubles.append)
    _check_assets(inst, troubles.append)
    if chains:
        _check_chains(inst, troubles.append)
    if troubles:
        raise AssertionError("invariants:\n  " + "\n  ".join(troubles))


def verify_export(inst, text=None):
    """The ledger's export through the independent verifier."""
    path = os.path.join(inst.folder, "ledger.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.write(inst.cli("ledger", "export").stdout if text is None else text)
    return subprocess.run([sys.executable, os.path.join(ROOT, "tests/lib/verify_export.py"), path],
                          capture_output=True, text=True, timeout=120)

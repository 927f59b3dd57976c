# SPDX-License-Identifier: Apache-2.0
"""A tenant with very many tasks, and how long one client waits for lists of them. The
rows are copies, made by SQL, of one task that went the whole way; what a list does not
read (holds, ledger, attempts, events) is not there for the copies."""
import http.client
import json
import os
import sqlite3
import statistics
import time

BASE = "/api/v3/contents/generations/tasks"
TASKS = 1_000_000
FIRST_S = 1_700_000_000  # the oldest task's second; one task a second from there
OLD = 40  # the oldest ones alone have what no task has had since
LISTS = 200  # of each kind, one after the other
KIND_S = 4  # fewer, when they are slow
LIMIT_MS = 3.0

# What the copies differ in, by their number n from 1; hash spreads them evenly.
MODEL = (f"CASE WHEN n <= {OLD} THEN 'doubao-seedance-1-0-lite-t2v' WHEN hash < 700000 THEN 'doubao-seedance-2-0'"
         " WHEN hash < 950000 THEN 'doubao-seedance-2-0-fast' ELSE 'doubao-seedance-2-0-mini' END")
STATE = (f"CASE WHEN n <= {OLD} THEN 'expired' WHEN hash % 100 < 95 THEN 'succeeded'"
         " WHEN hash % 100 < 98 THEN 'failed' ELSE 'cancelled' END")
DIFFER = {"id": "n + 1", "minted_id": "printf('cgt-20260101000000-%016d', n)",
          "upstream_id": "printf('cgt-20260101000000-%010d', n)",
          "token_identity": "CASE WHEN n <= :old OR hash % 10 = 7 THEN :own ELSE token_identity END",
          "model": MODEL, "model_asked": MODEL, "state": STATE,
          "tier": "CASE WHEN n <= :old THEN 'flex' ELSE 'default' END",
          "created_us": "(:first + n) * 1000000", "updated_us": "(:first + n + 60) * 1000000",
          "ended_us": "(:first + n + 60) * 1000000"}


def fill(data, tasks, own_identity):
    """Copies the one task of a stopped installation and counts the copies for lists."""
    db = sqlite3.connect(os.path.join(data, "arkgate.db"))
    try:
        columns = [row[1] for row in db.execute("PRAGMA table_info(task)")]  # no generated ones
        values = ", ".join(DIFFER.get(name, name) for name in columns)
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -200000")
        db.execute("CREATE TEMP TABLE pattern AS SELECT * FROM task LIMIT 1")
        db.execute("WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < :tasks),"
                   " spread (n, hash) AS (SELECT n, n * 7368787 % 1000003 % 1000000 FROM seq)"
                   f" INSERT INTO task ({', '.join(columns)}) SELECT {values} FROM spread, pattern",
                   {"tasks": tasks, "old": OLD, "own": own_identity, "first": FIRST_S})
        db.execute("DELETE FROM task_count")
        db.execute("INSERT INTO task_count SELECT tenant_id, token_identity, model, tier, shown, count(*) FROM task"
                   " WHERE state <> 'refused' AND deleted_us IS NULL GROUP BY 1, 2, 3, 4, 5")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def ids(tasks):
    step = tasks // 20
    return ",".join(f"cgt-20260101000000-{n:010d}" for n in range(step, tasks + 1, step))


def kinds(tasks):
    """(what, whose token, query)"""
    fast = "filter.model=doubao-seedance-2-0-fast"
    deep = min(1000, tasks // 20)
    return [
        ("the first page", "tenant", "page_size=20"),
        ("`filter.status=succeeded`, 95 % of all", "tenant", "page_size=20&filter.status=succeeded"),
        ("`filter.status=failed`, 3 %", "tenant", "page_size=20&filter.status=failed"),
        ("`filter.model`, 25 %", "tenant", f"page_size=20&{fast}"),
        ("`filter.model` and `filter.status=failed`, 0.75 %", "tenant",
         f"page_size=20&{fast}&filter.status=failed"),
        ("`filter.service_tier=default`", "tenant", "page_size=20&filter.service_tier=default"),
        (f"`filter.service_tier=flex`, the {OLD} oldest", "tenant", "page_size=20&filter.service_tier=flex"),
        (f"`filter.model` and `filter.status=expired`, the {OLD} oldest", "tenant",
         "page_size=20&filter.model=doubao-seedance-1-0-lite-t2v&filter.status=expired"),
        (f"`filter.model` of the {OLD} oldest and `filter.service_tier`", "tenant",
         "page_size=20&filter.model=doubao-seedance-1-0-lite-t2v&filter.service_tier=flex"),
        ("20 `filter.task_ids`", "tenant", f"page_size=20&filter.task_ids={ids(tasks)}"),
        (f"`page_num={deep}`", "tenant", f"page_size=20&page_num={deep}"),
        (f"`page_num={deep}`, `filter.status=succeeded`", "tenant",
         f"page_size=20&page_num={deep}&filter.status=succeeded"),
        (f"`page_num={deep}`, `filter.model`, 25 %", "tenant", f"page_size=20&page_num={deep}&{fast}"),
        ("a token that sees its own, 10 %", "own", "page_size=20"),
        ("own, `filter.status=failed`", "own", "page_size=20&filter.status=failed"),
        ("own, `filter.model`", "own", f"page_size=20&{fast}"),
        ("own, `filter.model` and `filter.status=failed`", "own",
         f"page_size=20&{fast}&filter.status=failed"),
        (f"own, `filter.status=expired`, the {OLD} oldest", "own",
         "page_size=20&filter.status=expired"),
        (f"own, `filter.service_tier=flex`, the {OLD} oldest", "own",
         "page_size=20&filter.service_tier=flex"),
        (f"own, `page_num={deep}`", "own", f"page_size=20&page_num={deep}"),
        (f"`page_num={deep}`, `filter.model` and `filter.status=succeeded`", "tenant",
         f"page_size=20&page_num={deep}&{fast}&filter.status=succeeded"),
    ]


def one_client(address, token, query, times):
    """Milliseconds from the request's first byte to the answer's last, one connection."""
    host, port = address.removeprefix("http://").split(":")
    link = http.client.HTTPConnection(host, int(port), timeout=60)
    took, body = [], b""
    last = time.perf_counter() + KIND_S
    try:
        while len(took) < times and (len(took) < 5 or time.perf_counter() < last):
            begun = time.perf_counter()
            link.request("GET", f"{BASE}?{query}", headers={"Authorization": f"Bearer {token}"})
            answer = link.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - begun) * 1e3)
            if answer.status != 200:
                raise SystemExit(f"list {query}: {answer.status} {body[:300]}")
    finally:
        link.close()
    return took, body


def measure(address, tokens, tasks, log):
    """[(what, matches, median, p99)], every kind warm before it counts."""
    rows = []
    for what, whose, query in kinds(tasks):
        one_client(address, tokens[whose], query, 5)
        took, body = one_client(address, tokens[whose], query, LISTS)
        page = json.loads(body)
        if len(page["items"]) != 20:
            raise SystemExit(f"list {query}: {len(page['items'])} items")
        took.sort()
        rows.append((what, page["total"], statistics.median(took), took[len(took) * 99 // 100]))
        log(f"list, {what}: {rows[-1][2]:.2f} ms")
    return rows


def table(rows):
    """Markdown."""
    yield f"| list of 20, one client | matches | p50, ms | p99, ms | p50 below {LIMIT_MS:.0f} ms |"
    yield "|---|---:|---:|---:|---|"
    for what, total, p50, p99 in rows:
        yield f"| {what} | {total:,} | {p50:.2f} | {p99:.2f} | {'yes' if p50 < LIMIT_MS else 'no'} |"

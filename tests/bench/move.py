#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `arkgate migrate --from … --to …` takes for an installation with very many
tasks. One task goes the whole way; the others are copies of all its rows, with a ledger
that verifies. Needs a server: tests/lib/postgres.py run tests/bench/move.py

usage: move.py [--tasks N] [--keep]
"""
import argparse
import hashlib
import os
import re
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import arkgate  # noqa: E402
import postgres  # noqa: E402
from verify_export import COLUMNS  # noqa: E402

BATCH = 5000


def row_hash(entry):
    """The ledger's format: see gateway/README.md."""
    record = b"\x01"
    for name, form, _ in COLUMNS[:-1]:
        value = entry["tenant_id" if name == "tenant" else name]
        raw = b"" if value is None else struct.pack(">q", value) if form in ("int", "big") else \
            value if form == "hash" else value.encode()
        record += struct.pack(">I", len(raw)) + raw
    return hashlib.sha256(record).digest()


class Pattern:
    """The rows of the one task, and what tells a copy from it."""

    def __init__(self, db):
        db.row_factory = sqlite3.Row
        self.db = db
        self.task = dict(db.execute("SELECT * FROM task").fetchone())
        del self.task["shown"]
        self.rows = {table: [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}")]
                     for table, order in (("attempt", 1), ("hold", 1), ("event", "seq"), ("evidence", 1))}
        self.ledger = [dict(row) for row in db.execute("SELECT * FROM ledger WHERE task IS NOT NULL ORDER BY seq")]
        last = db.execute("SELECT * FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq, self.head = last["seq"], last["hash"]
        self.out = {table: [] for table in ("task", *self.rows, "ledger")}

    def add(self, number):
        minted, shift = f"cgt-20270101000000-{number:016d}", number * 10_000_000
        events, task_id = len(self.rows["event"]), number + 1
        change = {"task_id": task_id, "task": minted}
        self.put("task", self.task, {"id": task_id, "minted_id": minted, "upstream_id": f"cgt-20270101000000-u{number:09d}"},
                 shift)
        for table, rows in self.rows.items():
            for at, row in enumerate(rows):
                extra = {"seq": number * events + at + 1} if table == "event" else \
                    {"seq": self.seq + 1} if table == "hold" else {}
                self.put(table, row, {**{k: v for k, v in change.items() if k in row}, **extra}, shift)
        first = self.seq + 1
        for row in self.ledger:
            entry = {**row, "task": minted, "seq": self.seq + 1, "prev": self.head, "time_us": row["time_us"] + shift,
                     "hold_seq": None if row["hold_seq"] is None else first}
            self.seq, self.head = entry["seq"], row_hash(entry)
            self.out["ledger"].append({**entry, "hash": self.head})
        if number % BATCH == 0:
            self.flush()

    def put(self, table, row, change, shift):
        self.out[table].append({k: v + shift if k.endswith("_us") and v is not None else v
                                for k, v in {**row, **change}.items()})

    def flush(self):
        for table, rows in self.out.items():
            if rows:
                names = list(rows[0])
                self.db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                                    [tuple(row.values()) for row in rows])
            rows.clear()


def fill(path, tasks):
    """Rows of so many tasks more in a stopped installation."""
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA synchronous = OFF")
        pattern = Pattern(db)
        for number in range(1, tasks + 1):
            pattern.add(number)
        pattern.flush()
        charged, available = db.execute(
            "SELECT sum(CASE credit WHEN 'charged' THEN amount_nano ELSE 0 END), sum(CASE WHEN credit = 'available'"
            " THEN amount_nano WHEN debit = 'available' THEN -amount_nano ELSE 0 END) FROM ledger").fetchone()
        db.execute("UPDATE account SET seq = ?, head = ?, charged_nano = ?, available_nano = ?",
                   (pattern.seq, pattern.head, charged, available))
        db.execute("DELETE FROM task_count")
        db.execute("INSERT INTO task_count SELECT tenant_id, token_identity, model, tier, shown, count(*) FROM task"
                   " WHERE listed = 1 GROUP BY 1, 2, 3, 4, 5")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def main(arguments):
    options = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    options.add_argument("--tasks", type=int, default=200_000)
    options.add_argument("--keep", action="store_true")
    given = options.parse_args(arguments)
    inst = arkgate.Installation("sqlite")
    target = postgres.Database(postgres.Server(os.environ[postgres.VARIABLE]))
    try:
        inst.start_sim()
        inst.add_upstream()
        token = inst.add_tenant(credit=str(given.tasks * 10 + 100))
        inst.start_serve()
        inst.serve.wait_until(token, inst.serve.create(token, arkgate.text_to_video()).json["id"])
        inst.stop()
        begun = time.monotonic()
        fill(f"{inst.data}/arkgate.db", given.tasks)
        print(f"{given.tasks} tasks made in {time.monotonic() - begun:.1f} s,"
              f" {os.path.getsize(inst.data + '/arkgate.db') >> 20} MiB", flush=True)
        begun = time.monotonic()
        ran = subprocess.run([arkgate.BINARY, "migrate", "--data", inst.data, "--from", f"sqlite:{inst.data}/arkgate.db",
                              "--to", target.url], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             env=arkgate.environment(target.environment), check=False)
        seconds = time.monotonic() - begun
        if ran.returncode != 0:
            raise SystemExit(ran.stderr)
        print(ran.stderr, ran.stdout, sep="")
        copied, read = map(int, re.search(r"copied \d+ rows in (\d+) ms, read back in (\d+) ms", ran.stderr).groups())
        print(f"copied: {given.tasks * 1000 // copied} tasks/s; with reading back:"
              f" {given.tasks * 1000 // (copied + read)} tasks/s; with all proofs: {given.tasks / seconds:.0f} tasks/s")
    finally:
        if given.keep:
            print(inst.folder, target.url)
        else:
            target.drop()
            inst.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

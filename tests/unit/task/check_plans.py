#!/usr/bin/env python3
"""No statement of the gateway walks a table that grows with the tasks: every query's plan,
as SQLite makes it on the shipped schema, uses an index there. Each index of lists serves
a page, and a move of state rewrites only those that it has to."""
import glob
import os
import re
import sqlite3
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
GROWING = "task|attempt|evidence|idempotency|event|ledger|hold"
# What is meant to walk all: the operator's list, newest first, ends at its limit.
MEANT = ("ORDER BY id DESC LIMIT $4",)
LISTS = {"task_by_tenant", "task_by_identity", "task_by_shown", "task_by_model", "task_by_tier"}
MOVED = {"task", "task_by_shown", "task_open"}


def macros(path):
    """Lists of columns that literals are glued to: of the folder's headers, and its own."""
    found = {}
    for source in glob.glob(os.path.join(os.path.dirname(path), "*.h")) + [path]:
        text = open(source, encoding="utf-8").read().replace("\\\n", " ")
        for name, value in re.findall(r'#define ([A-Z_]+)((?:\s+"[^"]*")+)', text):
            found[name] = "".join(re.findall(r'"([^"]*)"', value))
    return found


def statements():
    for path in sorted(glob.glob(os.path.join(ROOT, "gateway/task/*_repo.c"))
                       + glob.glob(os.path.join(ROOT, "billing/*_repo.c"))
                       + glob.glob(os.path.join(ROOT, "tenancy/*_repo.c"))):
        text = open(path, encoding="utf-8").read()
        known = macros(path)
        for body in re.findall(r"static const char \w*sql\[\] =\s*((?:\"[^\"]*\"|[A-Z_]+|\s)+);", text):
            for name, value in known.items():
                body = re.sub(rf"\b{name}\b", lambda _, v=value: f'"{v}"', body)
            yield os.path.relpath(path, ROOT), "".join(re.findall(r'"([^"]*)"', body))


def written(db, sql, count):
    """What an UPDATE opens for writing."""
    names = dict(db.execute("SELECT rootpage, name FROM sqlite_master"))
    return {names[row[3]] for row in db.execute("EXPLAIN " + sql, [0] * count) if row[1] == "OpenWrite"}


def main():
    db = sqlite3.connect(":memory:")
    for path in sorted(glob.glob(os.path.join(ROOT, "base/store/migrations/*.sqlite.sql"))):
        db.executescript(open(path, encoding="utf-8").read())
    # Indexes over few rows: open tasks, unsettled attempts, holds in review.
    partial = {row[0] for row in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'"
        " AND sql NOT LIKE '%IS NOT NULL' AND sql NOT LIKE '%listed = 1%'")}
    passed = failed = 0
    pages, moved = set(), set()
    for path, sql in statements():
        count = len(set(re.findall(r"\$\d+", sql)))
        numbered = re.sub(r"\$(\d+)", r"?\1", sql)
        plan = list(db.execute("EXPLAIN QUERY PLAN " + numbered, [0] * count))
        walks = [row[3] for row in plan if re.match(rf"SCAN ({GROWING})\b", row[3])
                 and not partial & set(row[3].split())]
        if path.endswith("task_list_repo.c"):  # a page comes in the order of an index
            walks += [row[3] for row in plan if "TEMP B-TREE" in row[3] or re.match(r"SCAN task_count", row[3])]
            if "OFFSET" in sql:
                pages |= LISTS & set(" ".join(row[3] for row in plan).split())
        if sql.startswith("UPDATE task SET state =") and "upstream_id" not in sql:
            moved |= written(db, numbered, count)
        if walks and not any(text in sql for text in MEANT):
            failed += 1
            print(f"{path}: {sql}\n    {walks}")
        else:
            passed += 1
    for what, got, want in (("indexes of pages", pages, LISTS), ("written by a move", moved, MOVED)):
        if got != want:
            failed += 1
            print(f"{what}: {sorted(got)}, expected {sorted(want)}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 40 and failed == 0 else 1


sys.exit(main())

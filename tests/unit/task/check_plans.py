#!/usr/bin/env python3
"""No statement of the gateway walks a table that grows with tasks or assets: every query's plan,
as SQLite makes it on the shipped schema, uses an index there. Each index of lists serves
a page, and a move of state rewrites only those that it has to."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

import statements  # noqa: E402

MOVED = {"task", "task_by_shown", "task_open"}


def written(db, sql, count):
    """What an UPDATE opens for writing."""
    names = dict(db.execute("SELECT rootpage, name FROM sqlite_master"))
    return {names[row[3]] for row in db.execute("EXPLAIN " + sql, [0] * count) if row[1] == "OpenWrite"}


def main():
    db = statements.sqlite_database()
    growing = "|".join(statements.GROWING)
    passed = failed = 0
    pages, moved = set(), set()
    for one in statements.statements():
        sql = one.sqlite
        count = len(set(re.findall(r"\$\d+", sql)))
        numbered = re.sub(r"\$(\d+)", r"?\1", sql)
        plan = list(db.execute("EXPLAIN QUERY PLAN " + numbered, [0] * count))
        walks = [row[3] for row in plan if re.match(rf"SCAN ({growing})\b", row[3])
                 and not statements.SMALL & set(row[3].split())]
        if os.path.basename(one.path) in statements.PAGES:  # a page comes in the order of an index
            walks += [row[3] for row in plan if "TEMP B-TREE" in row[3] or re.match(r"SCAN task_count", row[3])]
        if statements.is_page(one):
            pages |= statements.LISTS & set(" ".join(row[3] for row in plan).split())
        if sql.startswith("UPDATE task SET state =") and "upstream_id" not in sql:
            moved |= written(db, numbered, count)
        if walks and not statements.is_meant_to_walk(sql):
            failed += 1
            print(f"{one.path}: {sql}\n    {walks}")
        else:
            passed += 1
    for what, got, want in (("indexes of pages", pages, statements.LISTS), ("written by a move", moved, MOVED)):
        if got != want:
            failed += 1
            print(f"{what}: {sorted(got)}, expected {sorted(want)}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 100 and failed == 0 else 1


sys.exit(main())

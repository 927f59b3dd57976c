#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The migrations' two halves make the same schema: tables, columns, keys, indexes, checks.
What stands in EXEMPT is one engine's own. The server is at ARKGATE_TEST_POSTGRES."""
import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

import statements  # noqa: E402

# Tables of PostgreSQL alone.
EXEMPT = {"store_commit": "what became of a COMMIT whose answer was lost; SQLite's have none"}
# References of SQLite alone, by table and column: of rows that creates add (migration 0003).
UNCHECKED = {("task", "tenant_id"), ("task", "account_id"), ("task", "credential_id"), ("task_count", "tenant_id"),
             ("attempt", "task_id"), ("event", "task_id"), ("ledger", "tenant_id"), ("hold", "tenant_id")}
TYPES = {"INTEGER": ("bigint", None), "TEXT": ("text", "C"), "BLOB": ("bytea", None)}
TABLES_MIN = 24
# What the engines write around an expression's words: PostgreSQL says "= ANY (ARRAY[...])" for
# IN, and the type of each literal.
FILLER = {"check", "in", "any", "array", "as", "text", "bigint", "collate", "c", "generated", "always", "stored"}


def words(expression):
    """Names, literals and operators of an expression, each as often as it stands there."""
    expression = re.sub(r"::[a-z]+(\[\])?", "", expression).replace('"', "")
    found = re.findall(r"'(?:[^']|'')*'|\w+|<>|[<>]=?", expression)
    return tuple(sorted(word if word[0] == "'" else word.lower() for word in found if word.lower() not in FILLER))


def default(text):
    return None if text is None else re.sub(r"::[a-z]+$", "", text).strip("'")


def expressions_after(keyword, sql):
    """The text in the brackets behind each KEYWORD of a CREATE TABLE."""
    for found in re.finditer(rf"\b{keyword}\s*\(", sql):
        depth, at = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield sql[found.end():at - 1]


def sqlite_table(db, name, sql, without_rowid):
    sql = re.sub(r"--[^\n]*", "", sql)
    columns, generated = [], list(expressions_after("GENERATED ALWAYS AS", sql))
    primary = {}
    for _, column, kind, not_null, dflt, key, hidden in db.execute(f"PRAGMA table_xinfo({name})"):
        if key:
            primary[key] = column
        # An INTEGER PRIMARY KEY is the row's number and never NULL.
        never_null = bool(not_null) or key and (without_rowid or kind == "INTEGER")
        numbered = key and kind == "INTEGER" and column == "id" and "CHECK (id" not in sql
        columns.append((column, TYPES[kind], bool(never_null), "next" if numbered else default(dflt),
                        words(generated.pop(0)) if hidden else None))
    keys = collections.defaultdict(list)
    for number, _, target, here, there, updated, deleted, _ in db.execute(f"PRAGMA foreign_key_list({name})"):
        keys[number, target, updated, deleted].append((here, there))
    return {"columns": columns, "primary key": [primary[at] for at in sorted(primary)],
            "foreign keys": sorted((key[1:], tuple(pairs)) for key, pairs in keys.items()),
            "checks": sorted(words(text) for text in expressions_after("CHECK", sql))}


def sqlite_indexes(db, name):
    for _, index, unique, origin, partial in db.execute(f"PRAGMA index_list({name})"):
        if origin == "pk":
            continue
        columns = [(column, "desc" if descending else "asc") for _, at, column, descending, _, key
                   in db.execute(f"PRAGMA index_xinfo({index})") if key and at >= 0]
        sql = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [index]).fetchone()[0]
        where = words(sql.partition("WHERE")[2]) if partial else None
        yield (None if origin == "u" else index, name, bool(unique), tuple(columns), where)


def of_sqlite():
    db = statements.sqlite_database()
    tables, indexes = {}, []
    for _, name, kind, _, without_rowid, strict in list(db.execute("PRAGMA table_list")):
        if name.startswith("sqlite_"):
            continue
        if kind != "table" or not strict:
            raise AssertionError(f"{name}: a {kind}{'' if strict else ', not STRICT'}")
        sql = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
        tables[name] = sqlite_table(db, name, sql, without_rowid)
        indexes += sqlite_indexes(db, name)
    return tables, indexes


COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.collname, a.attnotnull, a.attidentity, a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
CONSTRAINTS = """
SELECT contype, ARRAY(SELECT attname FROM unnest(conkey) WITH ORDINALITY AS k(n, o) JOIN pg_attribute
        ON attrelid = conrelid AND attnum = n ORDER BY o)::text[],
    confrelid::regclass::text, ARRAY(SELECT attname FROM unnest(confkey) WITH ORDINALITY AS k(n, o) JOIN pg_attribute
        ON attrelid = confrelid AND attnum = n ORDER BY o)::text[],
    confupdtype, confdeltype, condeferrable OR NOT convalidated, pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = %s::regclass"""
INDEXES = """
SELECT CASE WHEN k.contype IS NULL THEN i.indexrelid::regclass::text END, i.indrelid::regclass::text, i.indisunique,
    ARRAY(SELECT attname || CASE WHEN i.indoption[o - 1] & 1 = 1 THEN ' desc' ELSE ' asc' END
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS x(n, o)
        JOIN pg_attribute ON attrelid = i.indrelid AND attnum = n ORDER BY o)::text[],
    pg_get_expr(i.indpred, i.indrelid), i.indisvalid AND i.indnkeyatts = i.indnatts AND m.amname = 'btree'
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IS DISTINCT FROM 'p'"""
ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def postgres_table(cursor, name):
    columns, primary, keys, checks = [], [], [], []
    cursor.execute(COLUMNS, [name])
    for column, kind, collation, not_null, identity, generated, expression in cursor.fetchall():
        if identity not in ("", "d"):
            raise AssertionError(f"{name}.{column}: rows with numbers of their own cannot be moved here")
        kind = (kind, collation)
        preset = "next" if identity else None if generated else default(expression)
        columns.append((column, kind, not_null, preset, words(expression) if generated else None))
    cursor.execute(CONSTRAINTS, [name])
    for kind, here, target, there, updated, deleted, odd, text in cursor.fetchall():
        if odd:
            raise AssertionError(f"{name}: a constraint that is not checked at once: {text}")
        if kind == "p":
            primary = here
        elif kind == "f":
            keys.append(((target, ACTIONS[updated], ACTIONS[deleted]), tuple(zip(here, there))))
        elif kind == "c":
            checks.append(words(text))
        elif kind != "u":
            raise AssertionError(f"{name}: a constraint that SQLite has not: {text}")
    return {"columns": columns, "primary key": primary, "foreign keys": sorted(keys), "checks": sorted(checks)}


def of_postgres():
    with statements.postgres_database() as cursor:
        cursor.execute("SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                       " AND relkind NOT IN ('i', 'S')")
        kinds = dict(cursor.fetchall())
        tables = {name: postgres_table(cursor, name) for name, kind in kinds.items() if kind == "r"}
        if len(tables) != len(kinds):
            raise AssertionError(f"not only tables: {kinds}")
        cursor.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
                       " UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        extra = [row[0] for row in cursor.fetchall()]
        if extra:
            raise AssertionError(f"functions or triggers: {extra}")
        cursor.execute(INDEXES)
        indexes = []
        for name, table, unique, columns, where, plain in cursor.fetchall():
            if not plain:
                raise AssertionError(f"{name}: an index that SQLite has not")
            indexes.append((name, table, unique, tuple(tuple(column.split(" ")) for column in columns),
                            words(where) if where else None))
    return tables, indexes


def main():
    troubles = []
    (lite, lite_indexes), (post, post_indexes) = of_sqlite(), of_postgres()
    for name, reason in EXEMPT.items():
        if name in lite or post.pop(name, None) is None:
            troubles.append(f"{name} is no longer PostgreSQL's own ({reason})")
    for name, column in sorted(UNCHECKED):
        kept = [key for key in lite[name]["foreign keys"] if key[1][0][0] != column]
        if len(kept) != len(lite[name]["foreign keys"]) - 1:
            troubles.append(f"{name}.{column}: SQLite does not check it either")
        lite[name]["foreign keys"] = kept
    for name in sorted(lite.keys() | post.keys()):
        for what in ("columns", "primary key", "foreign keys", "checks"):
            sides = [side.get(name, {}).get(what) for side in (lite, post)]
            if sides[0] != sides[1]:
                for each in (sides[0] or ["no table"]):
                    if each not in (sides[1] or []):
                        troubles.append(f"{name}: {what}: only SQLite: {each}")
                for each in (sides[1] or ["no table"]):
                    if each not in (sides[0] or []):
                        troubles.append(f"{name}: {what}: only PostgreSQL: {each}")
                if sorted(map(repr, sides[0] or [])) == sorted(map(repr, sides[1] or [])):
                    troubles.append(f"{name}: {what}: in another order")
    for engine, mine, others in (("SQLite", lite_indexes, post_indexes), ("PostgreSQL", post_indexes, lite_indexes)):
        troubles += [f"index of {index[1]}: only {engine}: {index}" for index in mine
                     if index not in others and index[1] not in EXEMPT]
    for trouble in troubles:
        print(trouble)
    print(f"{len(lite)} tables, {len(lite_indexes)} indexes, {len(troubles)} troubles")
    return 0 if len(lite) >= TABLES_MIN and not troubles else 1


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every statement of every *_repo.c is one on both engines, with as many parameters, and on
PostgreSQL too none walks a table that grows with tasks or assets, when there are some thousands.
The server is at ARKGATE_TEST_POSTGRES."""
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))

import postgres  # noqa: E402
import statements  # noqa: E402

STATEMENTS_MIN = 160
TASKS = ASSETS = 20000  # all of them are in ANALYZE's sample: the plans are the same each time
GROUPS = 2000
INTEGERS = {"smallint", "integer", "bigint", "numeric", "boolean"}
# Twenty tenants, two accounts; one task in fifty is open, few attempts and holds are not settled;
# one asset in fifty is processing.
FILL = f"""
INSERT INTO tenant (name, currency, book, created_us) SELECT 't' || g, 'CNY', 'b', g FROM generate_series(1, 20) AS g;
INSERT INTO account SELECT id, 'CNY', 0, 0, 0, 0, 0, 1, '' FROM tenant;
INSERT INTO upstream_account (name, list_qps, get_qps, delete_qps, batch) VALUES ('a', 1, 1, 1, 1), ('b', 1, 1, 1, 1);
INSERT INTO upstream (name, account_id, base_url, key_sealed, state, inject, weight, created_us)
    VALUES ('u', 1, 'https://u', '', 'active', 1, 1, 1);
INSERT INTO task (tenant_id, token_identity, minted_id, upstream_id, account_id, credential_id, state, dialect, model,
        model_asked, resolution, ratio, duration, has_video, audio, audio_asked, last_frame, tier, priority,
        expires_after, created_us, updated_us, ended_us)
    SELECT 1 + g % 20, 'tok-' || g % 60, 'cgt-m-' || g, 'cgt-u-' || g, 1 + g % 2, 1,
        CASE WHEN g % 50 = 0 THEN 'queued' WHEN g % 7 = 0 THEN 'failed' ELSE 'succeeded' END, 'ark', 'm' || g % 5, 'm',
        '720p', '16:9', 5, 0, 0, 0, 0, CASE WHEN g % 30 = 0 THEN 'flex' ELSE 'default' END, 0, 1, g / 3, g,
        CASE WHEN g % 50 <> 0 THEN g END FROM generate_series(1, {TASKS}) AS g;
INSERT INTO attempt (task_id, number, tenant_id, account_id, credential_id, state, sent_model, created_us, deadline_us)
    SELECT id, 1, tenant_id, account_id, 1, CASE WHEN id % 1000 = 0 THEN 'unknown' WHEN id % 1001 = 0 THEN 'prepared'
        WHEN id % 500 = 1 THEN 'released' ELSE 'accepted' END, 'm', created_us, created_us + 9 FROM task;
INSERT INTO evidence SELECT id, tenant_id, 'x', 1 FROM task WHERE ended_us IS NOT NULL;
INSERT INTO idempotency SELECT tenant_id, 'k' || id, 'h', id, created_us FROM task;
INSERT INTO event SELECT tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY id), id, 1, 'a', 'b', '' FROM task;
INSERT INTO ledger (tenant_id, seq, time_us, kind, task, debit, credit, amount_nano, currency, ref, prev, hash)
    SELECT tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY id), 1, 'hold', minted_id, 'a', 'b', 1, 'CNY',
        CASE WHEN id % 10 = 0 THEN 'r' || id END, '', '' FROM task;
INSERT INTO hold (tenant_id, task, seq, amount_nano, tokens, output_ms, book, book_version, sku, state, unit,
        unit_price_nano)
    SELECT tenant_id, minted_id, 1, 1, 1, 1, 'b', 1, 's', CASE WHEN id % 2000 = 0 THEN 'review'
        WHEN ended_us IS NULL THEN 'open' ELSE 'charged' END, 'mtoken', 1 FROM task;
INSERT INTO asset_group SELECT 'group-' || g, 1 + g % 20, 'tok-' || g % 60, 'n' || g, 'n' || g, '', 'p' || g % 400, g
    FROM generate_series(1, {GROUPS}) AS g;
INSERT INTO asset_group_count SELECT tenant_id, identity, project, count(*) FROM asset_group GROUP BY 1, 2, 3;
INSERT INTO asset SELECT 'asset-' || g, o.tenant_id, o.identity, o.id, (ARRAY['Image', 'Video', 'Audio'])[1 + g % 3],
        'n' || g, 'n' || g, o.project, CASE WHEN g % 50 = 0 THEN 'Processing' WHEN g % 9 = 0 THEN 'Failed' ELSE 'Active' END,
        '', '', 1, CASE WHEN g % 50 <> 0 AND g % 9 <> 0 THEN sha256(CAST(CAST(g AS text) AS bytea)) END,
        CASE WHEN g % 50 <> 0 AND g % 9 <> 0 AND g % 3 <> 2 THEN sha256(CAST('t' || g AS bytea)) END, '', '', 0, 0, 0, 0, 0,
        g / 3, g FROM generate_series(1, {ASSETS}) AS g JOIN asset_group AS o ON o.id = 'group-' || 1 + g % {GROUPS};
INSERT INTO asset_count SELECT tenant_id, unnest(ARRAY[group_id, '']), identity, project, status, count(*), sum(bytes)
    FROM asset GROUP BY 1, 2, 3, 4, 5;
INSERT INTO asset_request SELECT tenant_id, 'key:' || id, 'h', id, created_us FROM asset;
INSERT INTO ingest SELECT id, tenant_id, 'u', created_us, '', 0, created_us FROM asset;
ANALYZE"""


def on_sqlite(db, sql):
    """What is wrong with it."""
    count = len(set(re.findall(r"\$\d+", sql)))
    try:
        db.execute("EXPLAIN " + re.sub(r"\$(\d+)", r"?\1", sql), [0] * count)
    except sqlite3.Error as error:
        return [str(error)]
    return []


def sent_type(name):
    """As the gateway sends a parameter that the server takes for one of this type."""
    return "bigint" if name in INTEGERS else "bytea" if name == "bytea" else "text"


def prepare(cursor, sql):
    """As the gateway does, in two steps; the types that it sends."""
    cursor.execute("DEALLOCATE ALL")
    cursor.execute("PREPARE asked AS " + sql)
    cursor.execute("SELECT CAST(parameter_types AS text[]) FROM pg_prepared_statements WHERE name = 'asked'")
    types = [sent_type(name) for name in cursor.fetchone()[0]]
    cursor.execute(f"PREPARE sent ({', '.join(types)}) AS {sql}" if types else f"PREPARE sent AS {sql}")
    return types


def many(sql, count):
    """The text that base/store/pg_rows.c makes of one for one row."""
    rows = f" FROM unnest({', '.join(f'${n}' for n in range(1, count + 1))})" \
           f" AS given ({', '.join(f'p{n}' for n in range(1, count + 1))})"
    sql = re.sub(r"\$(\d+)", r"given.p\1", sql)
    if sql.startswith("UPDATE"):
        return sql.replace(" WHERE ", rows + " WHERE ", 1)
    before, _, row = sql.partition(" VALUES (")
    depth, end = 0, 0
    while depth > 0 or row[end] != ")":
        depth += {"(": 1, ")": -1}.get(row[end], 0)
        end += 1
    return f"{before} SELECT {row[:end]}{rows}{row[end + 1:]}"


def shared(sql, count):
    """The text that it makes of one question for those of several readers."""
    values = ", ".join(f"${n}" for n in range(1, count + 1))
    columns = ", ".join(f"p{n}" for n in range(1, count + 1))
    sql = re.sub(r"\$(\d+)", r"given.p\1", sql)
    return f"SELECT q.*, given.n FROM unnest({values}) WITH ORDINALITY AS given ({columns}, n) CROSS JOIN LATERAL ({sql}) AS q"


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def plan_of(cursor, count):
    cursor.execute("EXPLAIN (FORMAT JSON) EXECUTE sent" + (f"({', '.join(['NULL'] * count)})" if count else ""))
    return list(nodes(cursor.fetchone()[0][0]["Plan"]))


def walks(plan, first_columns):
    """What reads a growing table from one end to the other: all of it, or all of an index, or
    an index by a column that is not its first."""
    for node in plan:
        index = node.get("Index Name")
        table = node.get("Relation Name") or first_columns.get(index, ("", ""))[0]
        if table not in statements.GROWING:
            continue
        if node["Node Type"] == "Seq Scan":
            yield f"Seq Scan on {table}"
        elif index and index not in statements.SMALL:
            if not re.search(rf"\b{first_columns[index][1]}\b", node.get("Index Cond", "")):
                yield f"{node['Node Type']} of all of {index}"


def on_postgres(cursor, one, first_columns, pages):
    try:
        types = prepare(cursor, one.pg)
    except postgres.psycopg2().Error as error:
        return [str(error).splitlines()[0]]
    count = len(set(re.findall(r"\$\d+", one.pg)))
    if len(types) != count:
        return [f"{len(types)} parameters, SQLite has {count}"]
    is_page = statements.is_page(one)
    # A limit that is not known yet counts for a tenth of all rows, many enough to read all.
    scans = "off" if "LIMIT $" in one.pg else "on"
    cursor.execute(f"SET enable_seqscan = {scans}; SET enable_bitmapscan = {scans}")
    plan = plan_of(cursor, count)
    is_shared = one.pg.startswith("SELECT") and count > 0 and not is_page
    if one.collected or is_shared:
        text = shared(one.pg, count) if is_shared else many(one.pg, count)
        cursor.execute("DEALLOCATE ALL")
        cursor.execute(f"PREPARE sent ({', '.join(f'{kind}[]' for kind in types)}) AS {text}")
        plan += plan_of(cursor, count)
    found = [] if statements.is_meant_to_walk(one.pg) else list(walks(plan, first_columns))
    if is_page:  # it can come in the order of an index
        found += [node["Node Type"] for node in plan if "Sort" in node["Node Type"]]
        pages.update(statements.LISTS & {node.get("Index Name") for node in plan})
    return found


def main():
    db = statements.sqlite_database()
    failed, pages = 0, set()
    everything = statements.statements()
    with statements.postgres_database() as cursor:
        cursor.execute(FILL)
        cursor.execute("SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off;"
                       " SET enable_sort = off; SET max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT c.relname, t.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                       " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid"
                       " AND a.attnum = i.indkey[0] WHERE t.relnamespace = 'public'::regnamespace")
        first_columns = {index: (table, column) for index, table, column in cursor.fetchall()}
        for one in everything:
            if re.search(r"\b(FROM|JOIN) \w+( AS \w+)?\s*,", one.pg):
                failed += 1
                print(f"{one.path}: {one.function}: base/store/pg_rows.c looks for tables behind FROM and JOIN alone")
            troubles = [("SQLite", text) for text in on_sqlite(db, one.sqlite)]
            troubles += [("PostgreSQL", text) for text in on_postgres(cursor, one, first_columns, pages)]
            for engine, text in troubles:
                failed += 1
                print(f"{one.path}: {one.function}: {engine}: {text}\n    {one.pg}")
    if pages != statements.LISTS:
        failed += 1
        print(f"indexes of pages: {sorted(pages)}, expected {sorted(statements.LISTS)}")
    print(f"{len(everything)} statements, {failed} troubles")
    return 0 if len(everything) >= STATEMENTS_MIN and failed == 0 else 1


sys.exit(main())

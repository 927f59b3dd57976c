# SPDX-License-Identifier: Apache-2.0
"""Money under pressure, and a ledger in which no bit can be turned unseen."""
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from arkgate import text_to_video, verify_export, wait_for

PLAIN = {"ratio": "16:9", "duration": 5}  # 5.0094


def test_two_hundred_creates_on_money_for_seven(ctx):
    inst = ctx.new(credit="35.2")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: inst.serve.create(inst.token, text_to_video(f"n {n}", **PLAIN)),
                                range(200)))
    good = [a.json["id"] for a in answers if a.status == 200]
    bad = [a for a in answers if a.status != 200]
    ctx.equal("seven made", len(good), 7)
    ctx.equal("the rest 402", {(a.status, a.error["code"]) for a in bad}, {(402, "insufficient_balance")})
    ctx.equal("every refusal names the hold", {a.error["hold"] for a in bad}, {"5.0094"})
    ctx.equal("seven sent", inst.sim.creates(), 7)
    for task_id in good:
        inst.serve.wait_until(inst.token, task_id)
    account = inst.account()
    ctx.equal("account", (account["available_nano"], account["held_nano"], account["charged_nano"]),
              (35200000000 - 7 * 5009400000, 0, 7 * 5009400000))


def test_a_top_up_with_the_same_ref_books_once(ctx):
    inst = ctx.shared
    arguments = ("credit", "add", "acme", "12.5", "--ref", "bank-1", "--reason", "invoice 1")
    before = inst.account()["available_nano"]
    first = inst.cli_json(*arguments)
    ctx.has("shape", first, ["available", "held", "seq"])
    again = inst.cli_json(*arguments)
    ctx.equal("same entry", again["seq"], first["seq"])
    ctx.equal("booked once", inst.account()["available_nano"] - before, 12500000000)
    inst.cli("credit", "add", "acme", "13", "--ref", "bank-1", "--reason", "invoice 1", status=6)
    with ThreadPoolExecutor(8) as pool:
        seqs = set(pool.map(lambda _: inst.cli_json("credit", "add", "acme", "1", "--ref", "bank-2",
                                                    "--reason", "at once")["seq"], range(8)))
    ctx.equal("eight at once book once", len(seqs), 1)
    ctx.equal("balance", inst.account()["available_nano"] - before, 13500000000)


def test_amounts_that_are_none(ctx):
    inst = ctx.shared
    before = inst.account()
    for amount in ("abc", "", "1e3", "0x10", "1.0000000001", "99999999999999999999", "1,5", "NaN", "-", "--1"):
        ran = inst.cli("credit", "add", "acme", amount, "--ref", f"bad {amount}", "--reason", "x", status=None)
        ctx.equal(f"{amount!r}: exit", ran.returncode, 2)
    ctx.equal("nothing moved", inst.account(), before)


def test_a_waited_for_top_up_lets_the_next_create_through(ctx):
    inst = ctx.shared
    token = inst.add_tenant("late", "1")
    ctx.equal("too little", inst.serve.create(token, text_to_video(**PLAIN)).status, 402)
    inst.cli("credit", "add", "late", "10", "--ref", "t", "--reason", "t")
    ctx.equal("enough", inst.serve.create(token, text_to_video(**PLAIN)).status, 200)


def busy_installation(ctx):
    """A stopped installation with every kind of entry that this step makes."""
    if hasattr(ctx, "busy"):
        return ctx.busy
    inst = ctx.busy = ctx.new(credit="60")
    other = inst.add_tenant("other", "40")
    prompts = ["plain", "fails [sim: fail=InternalServiceError]", "odd [sim: usage=missing]", "plain two"]
    ids = [inst.serve.create(inst.token, text_to_video(p, **PLAIN)).json["id"] for p in prompts]
    for task_id in ids:
        inst.serve.wait_until(inst.token, task_id)
    inst.serve.wait_until(other, inst.serve.create(other, text_to_video(**PLAIN)).json["id"])
    inst.cli("task", "resolve", ids[2], "--charge", "0.25", "--reason", "half of it")
    wait_for("all settled", lambda: inst.account()["held_nano"] == 0, 10)
    inst.serve.stop()
    return inst


def test_the_export_verifies_without_us(ctx):
    inst = busy_installation(ctx)
    ctx.equal("verify", inst.cli("ledger", "verify").returncode, 0)
    text = inst.cli("ledger", "export").stdout
    entries = inst.rows("SELECT count(*) AS n FROM ledger")[0]["n"]
    hashed = [line for line in text.splitlines() if '"hash"' in line]
    ctx.equal("a line an entry", len(hashed), entries)
    ran = verify_export(inst, text)
    ctx.equal(f"whole ({ran.stdout}{ran.stderr})", ran.returncode, 0)
    one = inst.cli("ledger", "export", "--tenant", "other").stdout
    ctx.equal("one tenant's alone", verify_export(inst, one).returncode, 0)
    ctx.true("is a part", 0 < one.count('"hash"') < entries)
    path = os.path.join(inst.folder, "export.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    ctx.equal("ours reads it too", inst.cli("ledger", "verify-export", path).returncode, 0)
    lines = text.splitlines(keepends=True)
    for what, bad in (("a line lost", lines[:1] + lines[2:]), ("two swapped", lines[:1] + [lines[2], lines[1]] + lines[3:]),
                      ("a line twice", lines[:2] + lines[1:]), ("first lost", lines[1:])):
        ctx.true(f"{what}: the independent verifier sees it", verify_export(inst, "".join(bad)).returncode != 0)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(bad)
        ctx.equal(f"{what}: so do we", inst.cli("ledger", "verify-export", path, status=None).returncode, 9)


def flipped(value, column):
    """The value with one bit turned; a number where there was none."""
    if value is None:
        return {"evidence": b"\x00" * 32}.get(column, 1 if column in ("hold_seq", "book_version", "unit_price_nano",
                                                                       "quantity") else "x")
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\x01"
    return chr(ord(value[0]) ^ 1) + value[1:] if value else "x"


def one_row(inst, sql, *values):
    changed = inst.write(sql, *values)
    if changed != 1:
        raise AssertionError(f"{sql} {values}: {changed} rows")


@contextmanager
def with_flip(inst, table, key, row, column):
    """One column of one row is another, for a while."""
    value = flipped(row[column], column)
    if column == "seq":
        value = row[column] + 1000  # its neighbour is taken
    sql = f"UPDATE {table} SET {column} = ? WHERE {' AND '.join(f'{name} = ?' for name in key)}"
    one_row(inst, sql, value, *[row[k] for k in key])
    try:
        yield
    finally:
        one_row(inst, sql, row[column], *[value if k == column else row[k] for k in key])


@contextmanager
def without(inst, table, key, row):
    """One row is gone, for a while."""
    one_row(inst, f"DELETE FROM {table} WHERE {' AND '.join(f'{name} = ?' for name in key)}", *[row[k] for k in key])
    try:
        yield
    finally:
        one_row(inst, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())


def check_flips(ctx, table, key, rows, command, names):
    inst = busy_installation(ctx)
    for row in rows:
        for column in row:
            with with_flip(inst, table, key, row, column):
                ran = inst.cli(*command, status=None)
            what = f"{table} {[row[k] for k in key]} {column}"
            if ctx.equal(f"{what}: exit", ran.returncode, 9):
                said = ran.stdout + ran.stderr
                ctx.true(f"{what}: names it", all(n in said for n in names(row, column)), said)


def test_every_column_of_the_ledger_is_guarded(ctx):
    inst = busy_installation(ctx)
    kinds, rows = set(), []
    for row in inst.rows("SELECT * FROM ledger ORDER BY tenant_id, seq"):
        if row["kind"] not in kinds:
            kinds.add(row["kind"])
            rows.append(row)
    rows.append(inst.rows("SELECT * FROM ledger ORDER BY tenant_id, seq DESC LIMIT 1")[0])
    ctx.true("kinds", {"top-up", "hold", "charge", "release"} <= kinds, kinds)

    def names(row, column):
        # A row moved elsewhere leaves a gap where it was.
        return [] if column in ("tenant_id", "seq") else [str(row["seq"])]

    check_flips(ctx, "ledger", ("tenant_id", "seq"), rows, ("ledger", "verify"), names)


def test_every_column_of_account_and_hold_is_guarded(ctx):
    inst = busy_installation(ctx)
    account = inst.account()
    for column in ("available_nano", "held_nano", "charged_nano", "loss_nano", "seq", "head"):
        with with_flip(inst, "account", ("tenant_id",), account, column):
            ctx.equal(f"account {column}", inst.cli("ledger", "verify", status=None).returncode, 9)
    hold = inst.rows("SELECT * FROM hold WHERE state = 'charged' AND quantity > 0 LIMIT 1")[0]
    for column in ("amount_nano", "seq", "charge_nano"):
        with with_flip(inst, "hold", ("tenant_id", "task"), hold, column):
            ctx.equal(f"hold {column}", inst.cli("ledger", "verify", status=None).returncode, 9)


def test_every_column_of_the_audit_log_is_guarded(ctx):
    inst = busy_installation(ctx)
    rows = inst.rows("SELECT * FROM audit ORDER BY seq")
    ctx.true("audited", len(rows) >= 6, rows)
    check_flips(ctx, "audit", ("seq",), [rows[0], rows[len(rows) // 2], rows[-1]], ("audit", "verify"),
                lambda row, column: [] if column == "seq" else [str(row["seq"])])
    head = inst.rows("SELECT * FROM audit_head")[0]
    for column in ("seq", "hash"):
        with with_flip(inst, "audit_head", ("id",), head, column):
            ctx.equal(f"audit_head {column}", inst.cli("audit", "verify", status=None).returncode, 9)


def test_rows_that_vanish_are_missed(ctx):
    inst = busy_installation(ctx)
    for table, key, command in (("ledger", ("tenant_id", "seq"), ("ledger", "verify")), ("audit", ("seq",), ("audit", "verify"))):
        rows = inst.rows(f"SELECT * FROM {table} ORDER BY {', '.join(key)}")
        for row in (rows[0], rows[len(rows) // 2], rows[-1]):
            with without(inst, table, key, row):
                ran = inst.cli(*command, status=None)
            ctx.equal(f"{table} without {[row[k] for k in key]}", ran.returncode, 9)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verifies a ledger export with nothing but the file: an independent second opinion
on `arkgate ledger verify`, written from the format's description.

Each entry's hash covers its columns and the hash before it; numbers have no gaps;
accounts fit the kind and add up to the head line; a hold is resolved at most once
and never over; a charge and its loss are the price times the quantity.

usage: verify_export.py FILE   (exit 0: sound, 9: not, 2: not readable)
"""
import hashlib
import json
import struct
import sys
from decimal import ROUND_HALF_UP, Decimal, localcontext

COLUMNS = [  # name, how it stands in the file, may be absent
    ("tenant", "int", False), ("seq", "int", False), ("time_us", "big", False),
    ("kind", "text", False), ("task", "text", True), ("debit", "text", False),
    ("credit", "text", False), ("amount_nano", "big", False), ("currency", "text", False),
    ("hold_seq", "int", True), ("book", "text", True), ("book_version", "int", True),
    ("sku", "text", True), ("unit", "text", True), ("unit_price_nano", "big", True),
    ("quantity", "big", True), ("evidence", "hash", True), ("actor", "text", True),
    ("reason", "text", True), ("ref", "text", True), ("prev", "hash", False),
    ("hash", "hash", False),
]
MOVES = {
    "top-up": [("funds", "available")],
    "hold": [("available", "held")],
    "charge": [("held", "charged")],
    "release": [("held", "available")],
    "refund": [("charged", "available")],
    "adjust": [("funds", "available"), ("available", "funds")],
    "loss": [("loss", "charged")],
}
UNITS = {"mtoken": 1000000, "second": 1000}
ACCOUNTS = ["available", "held", "charged", "loss"]


class Mismatch(Exception):
    pass


def require(condition, why):
    if not condition:
        raise Mismatch(why)


def integer(text):
    require(isinstance(text, str) and text.lstrip("-").isdigit() and text.isascii(),
            "not an integer in a string")
    return int(text)


def load(line):
    def pairs(members):
        require(len({name for name, _ in members}) == len(members), "a member stands twice")
        return dict(members)
    try:
        return json.loads(line, object_pairs_hook=pairs)
    except ValueError as error:
        raise Mismatch(f"not JSON: {error}") from error


def columns_of(line):
    """The entry as Python values and as the bytes that are hashed."""
    known = [name for name, _, _ in COLUMNS]
    require(list(line) == [name for name in known if name in line], "members out of place")
    entry, record = {}, b"\x01"
    for name, form, optional in COLUMNS:
        raw = b""
        if name not in line:
            require(optional, f"{name} is missing")
            entry[name] = None
        elif form in ("int", "big"):
            number = line[name] if form == "int" else integer(line[name])
            require(type(number) is int, f"{name} is no integer")
            entry[name], raw = number, struct.pack(">q", number)
        elif form == "hash":
            require(isinstance(line[name], str) and len(line[name]) == 64, f"{name} is no hash")
            entry[name] = raw = bytes.fromhex(line[name])
        else:
            require(isinstance(line[name], str) and line[name] != "", f"{name} is empty")
            entry[name], raw = line[name], line[name].encode()
        if name != "hash":
            record += struct.pack(">I", len(raw)) + raw
    return entry, hashlib.sha256(record).digest()


def price(entry):
    """Unit price x quantity / unit, half up once, in exact decimals."""
    require(entry["unit"] in UNITS and None not in (
        entry["unit_price_nano"], entry["quantity"], entry["sku"], entry["book"],
        entry["book_version"]), "its price is not complete")
    require(entry["unit_price_nano"] >= 0 and entry["quantity"] >= 0, "a negative price")
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(entry["unit_price_nano"]) * entry["quantity"] / UNITS[entry["unit"]]
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


class Chain:
    """One tenant's entries."""

    def __init__(self, tenant):
        self.tenant, self.seq, self.time_us = tenant, 0, None
        self.head, self.currency = bytes(32), None
        self.sums = dict.fromkeys(ACCOUNTS, 0)
        self.holds = {}
        self.due = None  # kind, hold, amount (None: any), price and quantity of a loss

    def take(self, entry, digest):
        require(entry["tenant"] == self.tenant, "another tenant's")
        require(entry["seq"] == self.seq + 1, "a gap before it")
        require(digest == entry["hash"], "hash does not match its columns")
        require(entry["prev"] == self.head, "prev is not the hash before")
        require(self.time_us is None or entry["time_us"] >= self.time_us, "older than before")
        require(self.currency in (None, entry["currency"]), "another currency")
        require(entry["kind"] in MOVES, "unknown kind")
        require((entry["debit"], entry["credit"]) in MOVES[entry["kind"]], "wrong accounts")
        require(0 <= entry["amount_nano"] <= 10**18, "amount out of range")
        require(entry["hold_seq"] is None or entry["hold_seq"] > 0, "hold_seq is not above 0")
        if self.due:
            kind, hold, amount = self.due[:3]
            require(entry["kind"] == kind and entry["hold_seq"] == hold
                    and amount in (None, entry["amount_nano"]), f"the {kind} of {hold} is due")
        due, self.due = self.due, None
        for side, sign in ((entry["debit"], -1), (entry["credit"], 1)):
            if side == "loss":
                sign = -sign  # grows by what it pays
            if side != "funds":
                self.sums[side] += sign * entry["amount_nano"]
        require(self.sums["held"] >= 0 and self.sums["charged"] >= self.sums["loss"],
                "takes more than there is")
        if entry["kind"] in ("hold", "charge", "release", "loss"):
            self.take_hold(entry, due)
        else:
            require(entry["hold_seq"] is None, "names a hold")
        self.seq, self.time_us = entry["seq"], entry["time_us"]
        self.head, self.currency = entry["hash"], entry["currency"]

    def take_hold(self, entry, due):
        kind, amount, seq = entry["kind"], entry["amount_nano"], entry["hold_seq"]
        require(entry["task"] is not None, "names no task")
        if kind == "hold" and seq is None:
            require(amount == price(entry), "the hold is not its price")
            self.holds[entry["seq"]] = {"task": entry["task"], "held": amount, "state": "open"}
            return
        hold = self.holds.get(seq)
        require(hold is not None and hold["task"] == entry["task"], "no such hold")
        if kind == "hold":
            require(hold["state"] == "open", "the hold is resolved")
            hold["held"] += amount
            hold["extended"] = True
            self.due = ("charge", seq, None)
        elif kind == "charge":
            self.charge(entry, hold)
        elif kind == "release":
            if not due:
                require(hold["state"] == "open" and amount == hold["held"], "not all, or twice")
                hold["state"] = "released"
        elif due:
            require((entry["unit_price_nano"], entry["quantity"]) == due[3:]
                    and entry["unit"] in UNITS, "the loss has another price")
            price(entry)
        else:
            require(hold["state"] == "released", "the hold has not been released")
            require(amount == price(entry), "the loss is not its price")
            hold["state"] = "late"

    def charge(self, entry, hold):
        amount, seq = entry["amount_nano"], entry["hold_seq"]
        require(hold["state"] == "open", "resolved twice")
        require(amount <= hold["held"], "more than the hold")
        if entry["unit"] is None:
            require(entry["actor"] is not None, "neither a price nor an actor")
            cost = amount
        else:
            cost = price(entry)
        require(amount == min(cost, hold["held"]), "the charge is not its price")
        require(not hold.get("extended") or cost >= hold["held"], "more held than needed")
        hold["state"] = "charged"
        if amount < hold["held"]:
            self.due = ("release", seq, hold["held"] - amount)
        elif cost > amount:
            self.due = ("loss", seq, cost - amount, entry["unit_price_nano"], entry["quantity"])

    def close(self, line):
        require(list(line) == ["tenant", "name", "head", "seq", "currency"]
                + [f"{name}_nano" for name in ACCOUNTS], "not a head")
        require(line["tenant"] == self.tenant, "the head of another tenant")
        require(self.due is None, f"{self.due} is missing")
        require(type(line["seq"]) is int and line["seq"] == self.seq, "another last entry")
        require(line["head"] == self.head.hex(), "another head")
        require(self.currency in (None, line["currency"]), "another currency")
        for name in ACCOUNTS:
            require(integer(line[f"{name}_nano"]) == self.sums[name], f"another {name}")


def verify(path):
    """(tenants, entries) of a sound export; Mismatch otherwise."""
    chain, last, tenants, entries, ended = None, 0, 0, 0, False
    number = 0
    with open(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                require(raw.endswith(b"\n") and len(raw) <= 65537, "cut, or too long")
                require(not ended, "stands behind the end")
                try:
                    text = raw[:-1].decode()
                except UnicodeDecodeError as error:
                    raise Mismatch("not UTF-8") from error
                line = load(text)
                require(isinstance(line, dict), "not an object")
                if number == 1:
                    require(line == {"format": "arkgate-ledger-1"}, "another format")
                    continue
                if "hash" in line or "head" in line:
                    tenant = line.get("tenant")
                    require(type(tenant) is int, "no tenant")
                    if chain is None:
                        require(tenant > last, "tenants out of order")
                        chain = Chain(tenant)
                if "hash" in line:
                    chain.take(*columns_of(line))
                    entries += 1
                elif "head" in line:
                    chain.close(line)
                    chain, last, tenants = None, line["tenant"], tenants + 1
                else:
                    require(chain is None, "a tenant without its head")
                    require(line == {"end": True, "tenants": tenants, "entries": entries},
                            "not the end")
                    ended = True
            except Mismatch as why:
                raise Mismatch(f"line {number}: {why}") from why
    require(ended, f"line {number + 1}: is missing")
    return tenants, entries


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip().splitlines()[-1], file=sys.stderr)
        return 2
    try:
        tenants, entries = verify(sys.argv[1])
    except Mismatch as why:
        print(f"mismatch: {why}")
        return 9
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{tenants} tenants, {entries} entries verified")
    return 0


if __name__ == "__main__":
    sys.exit(main())

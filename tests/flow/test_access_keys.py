# SPDX-License-Identifier: Apache-2.0
"""Access keys on the command line, beside a running gateway: made, listed, revoked, and their
secrets nowhere but in the one answer."""
import json
import os


def test_made_listed_and_revoked(ctx):
    inst = ctx.shared
    added = inst.cli_json("access-key", "add", "acme", "--note", "signs")
    ctx.matches("id", added["id"], r"AKLT[0-9A-Za-z]{28}")
    ctx.matches("secret", added["secret"], r"[0-9A-Za-z]{40}")
    ctx.equal("values", [added[name] for name in ("tenant", "visibility", "state", "note")],
              ["acme", "tenant", "active", "signs"])
    own = inst.cli_json("access-key", "add", "acme", "--visibility", "own")
    ctx.equal("own", own["visibility"], "own")
    ctx.true("another key", own["id"] != added["id"] and own["secret"] != added["secret"])
    inst.add_tenant("signing")
    other = inst.cli_json("access-key", "add", "signing")

    listed = {key["id"]: key for key in inst.cli_json("access-key", "list", "acme")["items"]}
    ctx.true("the tenant's", {added["id"], own["id"]} <= set(listed) and other["id"] not in listed, listed)
    ctx.true("no secret", all("secret" not in key for key in listed.values()), listed)
    everything = inst.cli_json("access-key", "list")["items"]
    ctx.true("everybody's", other["id"] in [key["id"] for key in everything], everything)
    first = inst.cli_json("access-key", "list", "--limit", "1")
    rest = inst.cli_json("access-key", "list", "--after", first["next"])["items"]
    ctx.equal("by pages", first["items"] + rest, everything)

    for _ in range(2):
        ctx.equal("revoked", inst.cli_json("access-key", "revoke", added["id"])["state"], "revoked")
    states = {key["id"]: key["state"] for key in inst.cli_json("access-key", "list", "acme")["items"]}
    ctx.equal("it alone", (states[added["id"]], states[own["id"]]), ("revoked", "active"))
    audited = [(row["action"], row["target"]) for row in inst.rows(
        "SELECT action, target FROM audit WHERE action LIKE 'access_key.%' ORDER BY seq")]
    ctx.equal("in the log", [action for action, target in audited if target == added["id"]],
              ["access_key.add", "access_key.revoke"])
    inst.cli("audit", "verify")


def test_refused(ctx):
    inst = ctx.shared
    inst.cli("access-key", "add", "nobody", status=5)
    inst.cli("access-key", "list", "nobody", status=5)
    inst.cli("access-key", "revoke", "AKLT" + "0" * 28, status=5)
    for arguments in (("add",), ("add", "acme", "--visibility", "all"), ("add", "acme", "--note", "two\nlines"),
                      ("add", "acme", "--secret", "x"), ("revoke",), ("rotate", "x"), ("list", "--limit", "0")):
        ran = inst.cli("access-key", *arguments, status=None)
        ctx.equal(f"{arguments}: exit", ran.returncode, 2)
        ctx.equal(f"{arguments}: stdout", ran.stdout, "")


def test_secrets_are_nowhere_in_clear(ctx):
    """Not in the store, not in the audit log, not in a list, not in the gateway's log."""
    inst = ctx.shared
    made = [inst.cli_json("access-key", "add", "acme") for _ in range(2)]
    inst.cli("access-key", "revoke", made[1]["id"])
    secrets = [key["secret"] for key in made]
    shown = "".join(inst.cli(*command).stdout for command in (
        ("access-key", "list"), ("access-key", "list", "-o", "json", "acme"), ("audit", "list", "-o", "json")))
    ctx.true("the ids are shown", all(key["id"] in shown for key in made), shown)
    ctx.equal("secrets shown", [secret for secret in secrets if secret in shown], [])
    rows = json.dumps([inst.rows(f"SELECT * FROM {table}") for table in ("access_key", "audit", "meta")], default=repr)
    ctx.true("the ids are stored", all(key["id"] in rows for key in made), rows)
    ctx.equal("secrets stored", [secret for secret in secrets if secret in rows], [])
    count = 0
    for folder, _, names in os.walk(inst.folder):
        for path in (os.path.join(folder, name) for name in names):
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            count += made[0]["id"].encode() in data
            ctx.equal(f"secrets in {os.path.basename(path)}", [s for s in secrets if s.encode() in data], [])
    ctx.true("looked where the ids are", count > 0 or inst.engine == "postgresql", count)

# SPDX-License-Identifier: Apache-2.0
"""The list of tasks as Ark's clients ask for it: order, totals, pages, filters, whose
tasks stand in it, and what a wrong query hears."""
from urllib.parse import quote

from arkgate import BASE, text_to_video, wait_for

VOLCARK = "/volcark/api/v3/contents/generations/tasks"
NEVER = "cgt-20260101000000-zzzzz"
FAST = "doubao-seedance-2-0-fast"
STAYS = "[sim: queue_ms=100000000]"
RUNS = "[sim: queue_ms=1 run_ms=100000000]"
FAILS = "[sim: fail=OutputVideoSensitiveContentDetected]"


def fetch(inst, query="", token=None, base=BASE):
    """The answer's JSON; query goes out as it is, with its question mark."""
    answer = inst.serve.call("GET", base + query, token or inst.token)
    if answer.status != 200:
        raise AssertionError(f"list {query}: {answer}")
    if list(answer.json) != ["total", "items"]:
        raise AssertionError(f"list {query}: members {list(answer.json)}")
    return answer.json


def found(inst, query="", token=None):
    """total and ids."""
    page = fetch(inst, query, token)
    return page["total"], [item["id"] for item in page["items"]]


def make(inst, prompt, token=None, until=None, **members):
    answer = inst.serve.create(token or inst.token, text_to_video(prompt, **members))
    if answer.status != 200:
        raise AssertionError(f"create {prompt}: {answer}")
    if until:
        inst.serve.wait_until(token or inst.token, answer.json["id"], (until,))
    return answer.json["id"]


def world(ctx):
    """One installation for this file, with a task in every state of interest."""
    inst = ctx.shared
    if not hasattr(inst, "listed"):
        inst.own = inst.cli_json("token", "add", "acme", "--visibility", "own")["token"]
        inst.other = inst.add_tenant("other", "50")
        inst.listed = {
            "succeeded": make(inst, "one", until="succeeded"),
            "fast": make(inst, "two", until="succeeded", model=FAST + "-260128", resolution="480p"),
            "failed": make(inst, f"three {FAILS}", until="failed"),
            "expired": make(inst, "four [sim: expire]", until="expired"),
            "running": make(inst, f"five {RUNS}", until="running"),
            "queued": make(inst, f"six {STAYS}"),
            "own": make(inst, f"seven {STAYS}", token=inst.own),
        }
        inst.foreign = make(inst, f"eight {STAYS}", token=inst.other)
    return inst, inst.listed


def test_newest_first_with_totals(ctx):
    inst, made = world(ctx)
    want = list(reversed(made.values()))
    total, ids = found(inst)
    ctx.equal("total", total, len(made))
    ctx.equal("order", ids, want)
    for query in ("?", "?page_num=1&page_size=20", "?page_size=500&page_num=1", "?unknown=1&x", "?&"):
        ctx.equal(query, found(inst, query), (total, ids))
    pages = []
    for number in range(1, 5):
        page_total, page = found(inst, f"?page_num={number}&page_size=3")
        ctx.equal(f"total on page {number}", page_total, total)
        pages.append(page)
    ctx.equal("pages", pages, [want[:3], want[3:6], want[6:], []])
    ctx.equal("far behind the end", found(inst, "?page_num=1000000&page_size=500"), (total, []))


def test_items_are_what_get_shows(ctx):
    inst, made = world(ctx)
    items = fetch(inst)["items"]
    for item in items:
        alone = inst.serve.get(inst.token, item["id"]).json
        reason = item.pop("failure_reason", None)
        ctx.equal(f"item {item['id']}", list(item.items()), list(alone.items()))
        ctx.equal(f"failure_reason of {item['status']}", reason, alone.get("error"))
        ctx.true("GET has no failure_reason", "failure_reason" not in alone)
    failed = fetch(inst, "?filter.status=failed")["items"][0]
    ctx.equal("failed", failed["id"], made["failed"])
    ctx.equal("its code, twice", (failed["error"]["code"], failed["failure_reason"]["code"]),
              ("OutputVideoSensitiveContentDetected",) * 2)
    both = [inst.serve.call("GET", base + "?filter.status=succeeded", inst.token) for base in (BASE, VOLCARK)]
    ctx.equal("both bases, the same bytes", both[0].body, both[1].body)
    ctx.true("content type", both[0].header("Content-Type").startswith("application/json"), both[0].headers)


def test_filters(ctx):
    inst, made = world(ctx)
    everything = list(reversed(made.values()))
    rest = [i for i in everything if i != made["fast"]]
    rows = {
        "filter.status=queued": ["own", "queued"],
        "filter.status=running": ["running"],
        "filter.status=succeeded": ["fast", "succeeded"],
        "filter.status=failed": ["failed"],
        "filter.status=expired": ["expired"],
        "filter.status=cancelled": [],
        f"filter.model={FAST}": ["fast"],
        f"filter.model={FAST}-260128": ["fast"],
        "filter.model=doubao-seedance-2.0-mini": [],
        "filter.service_tier=flex": [],
        # Go's client sorts the names.
        f"filter.model={FAST}&filter.service_tier=default&filter.status=succeeded&page_num=1&page_size=10": ["fast"],
        f"filter.model={FAST}&filter.status=failed": [],
        f"filter.status=succeeded&filter.task_ids={made['fast']}&filter.task_ids={made['failed']}": ["fast"],
    }
    for query, names in rows.items():
        ctx.equal(query, found(inst, "?" + query), (len(names), [made[name] for name in names]))
    ctx.equal("tier", found(inst, "?filter.service_tier=default"), (len(everything), everything))
    for name in ("doubao-seedance-2-0", "doubao-seedance-2-0-260128"):
        ctx.equal(name, found(inst, f"?filter.model={name}"), (len(rest), rest))
    ctx.equal("a page of a filter", found(inst, "?filter.status=succeeded&page_size=1&page_num=2"),
              (2, [made["succeeded"]]))


def test_task_ids_as_clients_send_them(ctx):
    inst, made = world(ctx)
    asked = [made["failed"], made["queued"], NEVER, inst.foreign, made["succeeded"]]
    want = [made[name] for name in ("queued", "failed", "succeeded")]
    for what, query in {"repeated": "&".join(f"filter.task_ids={i}" for i in asked),
                        "commas": "filter.task_ids=" + ",".join(asked),
                        "%2C": "filter.task_ids=" + "%2C".join(asked),
                        "%2C and blanks": "filter.task_ids=" + quote(", ".join(asked)),
                        "mixed": f"filter.task_ids={','.join(asked[:3])}&page_num=1&filter.task_ids="
                                 f"{'%2c'.join(asked[3:])}"}.items():
        ctx.equal(what, found(inst, "?" + query), (3, want))
    ctx.equal("a page of them", found(inst, f"?filter.task_ids={','.join(asked)}&page_size=2&page_num=2"),
              (3, want[2:]))
    ctx.equal("nobody's", found(inst, f"?filter.task_ids={NEVER}"), (0, []))
    minted = inst.task_row(made["failed"])["minted_id"]
    ctx.equal("minted and public id of one task", found(inst, f"?filter.task_ids={minted},{made['failed']}"),
              (1, [made["failed"]]))
    junk = "%61&" * 5000 + f"filter.task_ids={made['fast']}" + "&filter.task_ids=x" * 499
    ctx.equal("among much that nobody knows", found(inst, f"?{junk}"), (1, [made["fast"]]))
    longest = "&".join(f"filter.task_ids=cgt-20260101000000-{n:016d}" for n in range(499))
    ctx.equal("500 ids", found(inst, f"?{longest}&filter.task_ids={made['fast']}"), (1, [made["fast"]]))


def test_whose_tasks(ctx):
    inst, made = world(ctx)
    ctx.equal("own visibility", found(inst, token=inst.own), (1, [made["own"]]))
    ctx.equal("the tenant's token sees it too", found(inst, f"?filter.task_ids={made['own']}"), (1, [made["own"]]))
    for query in ("filter.status=succeeded", f"filter.model={FAST}",
                  f"filter.task_ids={made['queued']},{made['failed']}"):
        ctx.equal(f"own: {query}", found(inst, "?" + query, inst.own), (0, []))
    ctx.equal("own: its state", found(inst, "?filter.status=queued", inst.own), (1, [made["own"]]))
    ctx.equal("another tenant", found(inst, token=inst.other), (1, [inst.foreign]))
    for name, task_id in made.items():
        minted = inst.task_row(task_id)["minted_id"]
        known = inst.serve.call("GET", f"{BASE}?filter.task_ids={task_id},{minted}", inst.other)
        never = inst.serve.call("GET", f"{BASE}?filter.task_ids={NEVER}", inst.other)
        ctx.equal(f"{name}: as if it never existed", known.body, never.body)
    ctx.equal("no token", inst.serve.call("GET", BASE).status, 401)


def test_wrong_queries(ctx):
    inst, _ = world(ctx)
    before = inst.sim.state()["calls"]["create"]
    rows = [("page_num", v) for v in ("0", "-1", "1.0", "x", "", "1000001", "%zz")]
    rows += [("page_size", v) for v in ("0", "501", "-20", "2e1", "")]
    rows += [("filter.status", v) for v in ("done", "waiting", "unknown", "refused", "Queued", "")]
    rows += [("filter.model", v) for v in ("nope", "ep-20260101-abcde", "")]
    rows += [("filter.service_tier", v) for v in ("fast", "")]
    rows += [("filter.task_ids", v) for v in ("", ",", "a,,b", ",".join(["a"] * 501), "a%00")]
    for name, value in rows:
        answer = inst.serve.call("GET", f"{BASE}?{name}={value}", inst.token)
        what = f"{name}={value[:20]}"
        if ctx.equal(f"{what}: status", answer.status, 400):
            error = answer.error
            ctx.equal(what, (error["code"], error["param"], error["type"]), ("invalid_request", name, "BadRequest"))
            ctx.equal(f"{what}: do not retry", answer.header("x-should-retry"), "false")
    ctx.equal("too long a query", inst.serve.call("GET", f"{BASE}?x={'a' * 33000}", inst.token).status, 414)
    ctx.equal("Ark was asked nothing", inst.sim.state()["calls"]["create"], before)


def test_refused_is_hidden_and_unknown_is_queued(ctx):
    inst = ctx.new()
    inst.sim.fault("create", 1, status=400, code="InvalidParameter", message="no")
    refused = inst.serve.create(inst.token, text_to_video("refused"))
    ctx.equal("refused", refused.status, 400)
    ctx.equal("hidden", found(inst), (0, []))
    hidden = inst.rows("SELECT minted_id FROM task WHERE state = 'refused'")
    ctx.equal("there is a row of it", len(hidden), 1)
    ctx.equal("not by its id", found(inst, f"?filter.task_ids={hidden[0]['minted_id']}"), (0, []))

    inst.sim.fault("list", 1000, status=500)  # nobody finds out for now
    inst.sim.fault("create", 1, drop="before")
    unknown = make(inst, "unknown")
    ctx.equal("its row", inst.task_row(unknown)["state"], "unknown")
    page = fetch(inst, "?filter.status=queued")
    ctx.equal("queued to clients", [(i["id"], i["status"]) for i in page["items"]], [(unknown, "queued")])
    ctx.equal("counted", page["total"], 1)
    inst.sim.clear_faults()


def test_totals_follow_the_tasks(ctx):
    """Fifty tasks while they move: every list adds up, and at the end all have ended."""
    inst = ctx.new(credit="600")
    states = ("queued", "running", "succeeded", "failed", "expired", "cancelled")
    for number in range(50):
        make(inst, f"{number} {FAILS if number % 5 == 0 else ''}")

    def all_ended():
        page = fetch(inst, "?page_size=500")
        ctx.equal("total and items", (page["total"], len(page["items"])), (50, 50))
        ctx.true("newest first", page["items"] == sorted(page["items"], key=lambda i: -i["created_at"]))
        return all(item["status"] in ("succeeded", "failed") for item in page["items"])

    wait_for("all ended", all_ended, 60, 0.2)
    totals = {state: found(inst, f"?filter.status={state}&page_size=1")[0] for state in states}
    ctx.equal("totals", totals, {**dict.fromkeys(states, 0), "succeeded": 40, "failed": 10})

# SPDX-License-Identifier: Apache-2.0
"""What must hold after a crash, looked at from outside: the gateway's rows, the
simulator's tasks, and what clients were told. The rule by which an unknown create and
a task of Ark's belong together is written here a second time, on its own."""
import collections
import json
import time

import arkgate

WINDOW_US = 1500000  # the match_window that the tests set; Ark tells whole seconds
OPEN = "SELECT count(*) AS n FROM task WHERE state IN ('waiting', 'submitting', 'queued', 'running')"
UNSETTLED = """
SELECT a.task_id, a.number, a.state, a.identifier, a.sent_model, a.created_us, a.deadline_us, t.minted_id,
       t.tenant_id, t.resolution, t.ratio, t.duration, t.seed, t.safety_identifier
FROM attempt a JOIN task t ON t.id = a.task_id WHERE a.state IN ('prepared', 'unknown', 'released')"""


def unowned(inst):
    """The simulator's tasks that no row owns, as its GET shows them."""
    owned = {row["upstream_id"] for row in inst.rows("SELECT upstream_id FROM task")}
    with open(inst.key_file, encoding="ascii") as file:
        headers = {"Authorization": f"Bearer {file.read().strip()}"}
    return [arkgate.http_call(inst.sim.url, "GET", f"{arkgate.BASE}/{task['id']}", headers=headers).json
            for task in inst.sim.tasks() if task["id"] not in owned]


def agree(attempt, stray):
    """May this attempt have made that task?"""
    if attempt["identifier"]:
        return attempt["identifier"] == stray.get("safety_identifier")
    made_us = stray["created_at"] * 1000000
    return (attempt["created_us"] - WINDOW_US <= made_us <= attempt["deadline_us"] + WINDOW_US
            and stray["model"] in (attempt["sent_model"], arkgate.DATED.get(attempt["sent_model"]))
            and (attempt["safety_identifier"] or "") == (stray.get("safety_identifier") or "")
            and attempt["seed"] in (None, stray["seed"])
            and all(attempt[name] == stray[name] for name in ("resolution", "ratio", "duration")))


class Doubts:
    """Which attempts without an outcome may have made which tasks without an owner."""

    def __init__(self, inst):
        self.strays = unowned(inst)
        self.attempts = inst.rows(UNSETTLED)
        pairs = [(a, s) for a in self.attempts for s in self.strays if agree(a, s)]
        self.of_attempt, self.of_stray = collections.defaultdict(list), collections.defaultdict(list)
        for attempt, stray in pairs:
            self.of_attempt[attempt["task_id"]].append(stray)
            self.of_stray[stray["id"]].append(attempt)

    def _ambiguous(self, attempt):
        strays = self.of_attempt[attempt["task_id"]]
        return len(strays) > 1 or (len(strays) == 1 and len(self.of_stray[strays[0]["id"]]) > 1)

    def undecided(self):
        """What the gateway still has to decide on its own: no ambiguity is in the way."""
        found = [f"attempt of {a['minted_id']} is {a['state']}" for a in self.attempts
                 if a["state"] != "released" and not self._ambiguous(a)]
        found += [f"nobody but {[a['minted_id'] for a in self.of_stray[s['id']]]} agrees with {s['id']}"
                  for s in self.strays if not any(map(self._ambiguous, self.of_stray[s["id"]]))]
        return found

    def pairs(self):
        """Unknown attempts and tasks one to one, as many as go (augmenting paths)."""
        unknown = {a["task_id"]: a for a in self.attempts if a["state"] == "unknown"}
        taken = {}  # task id of the gateway: stray

        def place(stray, tried):
            for attempt in self.of_stray[stray["id"]]:
                at = attempt["task_id"]
                if at in unknown and at not in tried:
                    tried.add(at)
                    if at not in taken or place(taken[at], tried):
                        taken[at] = stray
                        return True
            return False

        for stray in self.strays:
            place(stray, set())
        return [(attempt, taken.get(at)) for at, attempt in unknown.items()]


def wait_until_quiet(inst, seconds=40.0):
    """The gateway runs until all is ended but what really is ambiguous."""
    deadline = time.monotonic() + seconds
    while True:
        left = inst.rows(OPEN)[0]["n"]
        # Released in the meantime, adopted in the meantime: look at one moment again.
        found = [f"{left} tasks are open"] if left else Doubts(inst).undecided()
        if not found:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still undecided: " + "; ".join(found[:5]))
        time.sleep(0.1)


def operator_decides(inst):
    """Gives the ambiguous unknown tasks those that agree with them, and releases what is
    left over; afterwards nobody's outcome is unknown."""
    for attempt, stray in Doubts(inst).pairs():
        word = ["--upstream-id", stray["id"]] if stray else ["--release"]
        ran = inst.cli("task", "resolve", attempt["minted_id"], *word, "--reason", "crash test", status=None)
        if ran.returncode not in (0, 6):  # 6: the gateway has decided it meanwhile
            raise AssertionError(f"resolve ended with {ran.returncode}: {ran.stderr[-400:]}")


def _check_sends(inst, bad):
    """Invariant 1: each task of the simulator's comes from a committed attempt, and no
    attempt made two."""
    attempts = inst.rows("SELECT identifier FROM attempt")
    known = {row["identifier"] for row in attempts if row["identifier"]}
    made = [task.get("safety_identifier") or "" for task in inst.sim.tasks()]
    ours = [identifier for identifier in made if identifier.startswith("ag-")]
    if len(set(ours)) != len(ours):
        bad("one attempt was sent twice")
    if not set(ours) <= known:
        bad(f"sent without an attempt: {sorted(set(ours) - known)[:3]}")
    if len(made) > len(attempts):
        bad(f"{len(made)} tasks come from {len(attempts)} attempts")


def _check_doubts(inst, bad):
    """A task without owner waits for an operator, by name, and for a reason."""
    doubts = Doubts(inst)
    listed = inst.cli("doctor", "-o", "json", status=None).stdout if doubts.strays else ""
    for stray in doubts.strays:
        if stray["id"] not in listed:
            bad(f"doctor does not name {stray['id']}, which nobody owns")
        if (stray.get("safety_identifier") or "").startswith("ag-"):
            bad(f"{stray['id']} has an identifier of ours and no owner")
    for text in doubts.undecided():
        bad(text)
    for row in inst.rows("SELECT s.upstream_id, t.minted_id FROM stray s JOIN task t USING (upstream_id)"
                         " WHERE s.state IN ('open', 'ambiguous')"):
        bad(f"{row['upstream_id']} waits for an operator and belongs to {row['minted_id']}")


def _check_once(inst, bad):
    """A key has one task; a task is charged once and its hold resolved once."""
    for row in inst.rows("SELECT seed, count(*) AS n FROM task WHERE seed IS NOT NULL AND state <> 'refused'"
                         " GROUP BY seed HAVING count(*) > 1"):
        bad(f"key-{row['seed']} has {row['n']} tasks")
    for row in inst.rows("SELECT tenant_id, task, count(*) AS n FROM ledger WHERE kind = 'charge'"
                         " GROUP BY tenant_id, task HAVING count(*) > 1"):
        bad(f"{row['task']} was charged {row['n']} times")
    for row in inst.rows("SELECT * FROM account"):
        paid = inst.rows("SELECT coalesce(sum(amount_nano), 0) AS n FROM ledger l JOIN task t"
                         " ON t.minted_id = l.task WHERE l.tenant_id = ? AND l.kind = 'charge'"
                         " AND t.tenant_id = l.tenant_id AND t.state = 'succeeded'", row["tenant_id"])[0]["n"]
        lost = inst.rows("SELECT coalesce(sum(amount_nano), 0) AS n FROM ledger WHERE tenant_id = ?"
                         " AND kind = 'loss'", row["tenant_id"])[0]["n"]
        if paid + lost != row["charged_nano"]:
            bad(f"tenant {row['tenant_id']}: charged {row['charged_nano']}, for its own tasks {paid} + {lost}")


def _check_answers(inst, clients, bad):
    """Invariants 6, 7 and 11: every id ever answered is found, twice the same, by its own
    tenant alone."""
    clients.serves = inst.serves
    clients.lenient = False
    for number, (task_id, token) in enumerate(clients.answered.items()):
        first, second = clients.look(task_id), clients.look(task_id)
        if first != second and clients.status[task_id] in arkgate.TERMINAL:
            bad(f"{task_id} is shown as {first} and then as {second}")
        if number % 10 == 0 and len(clients.tokens) > 1:
            stranger = next(other for other in clients.tokens if other != token)
            if inst.serve.get(stranger, task_id).status != 404:
                bad(f"{task_id} is shown to another tenant")
    for text in clients.troubles:
        bad(text)


def late(inst):
    """Tasks that turned up after they were released for certain."""
    return {row["minted_id"] for row in inst.rows(
        "SELECT t.minted_id FROM task t JOIN attempt a ON a.task_id = t.id WHERE a.state = 'late'")}


def _check_known(inst, bad):
    """The invariants that all tests share. They know no task that turned up after its
    release: its loss is the platform's, and the task stays failed."""
    try:
        arkgate.check_invariants(inst, inst.sim)
    except AssertionError as error:
        for line in str(error).split("\n  ")[1:]:
            if not any(f"{task} is failed and was charged" in line for task in late(inst)):
                bad(line)


def check_all(inst, clients):
    """Raises with everything that does not hold; the gateway is running."""
    found = []
    _check_known(inst, found.append)
    _check_sends(inst, found.append)
    _check_doubts(inst, found.append)
    _check_once(inst, found.append)
    _check_answers(inst, clients, found.append)
    if found:
        raise AssertionError("\n  ".join(["after the crashes:", *found[:30]]))


def describe(inst):
    """States, for the report of a failure; perhaps there is no database to ask."""
    try:
        return _states(inst)
    except Exception as error:
        return repr(error)


def _states(inst):
    return json.dumps({table: {row["state"]: row["n"] for row in inst.rows(
        f"SELECT state, count(*) AS n FROM {table} GROUP BY state")} for table in
        ("task", "attempt", "hold", "stray")})

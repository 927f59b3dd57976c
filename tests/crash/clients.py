# SPDX-License-Identifier: Apache-2.0
"""The tenants' side of a crash test: many threads that create tasks, and a record of
every answer, because an answer is a promise that a crash must not break."""
import http.client
import json
import random
import subprocess
import threading

import arkgate

THREADS = 16
RANK = {"queued": 0, "running": 1, "succeeded": 2, "failed": 2, "expired": 2, "cancelled": 2}
# Markers for the simulator. Refused: certainly not made. Doubtful: the gateway gets no
# answer that it can use, and the task was made or not.
REFUSED = ("status=500", "status=429", "status=400 code=InvalidParameter", "status=401")
DOUBTFUL = ("drop=before", "drop=after", "drop=reset_before", "drop=reset_after", "truncate=5", "empty",
            "no_id", "status=502 malform", "status=502 malform made")
HARMLESS = ("delay_ms=30", "delay_ms=150", "delay_ms=400", "drip=10", "fail=InternalServiceError")


class Create:
    """What one client wants, and the ids that came back for it."""

    def __init__(self, token, body, key=None, refused=False):
        self.token, self.body, self.key, self.refused = token, body, key, refused
        self.ids = set()


class Clients:
    """Creates at random, from a fixed seed; troubles collects broken promises."""

    def __init__(self, tokens, seed):
        self.tokens = tokens
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.answered = {}  # id: token
        self.status = {}    # id: the newest status seen
        self.keyed = []
        self.again = []     # keyed creates to be sent once more
        self.troubles = []
        self.refusals = 0   # answers that neither client nor simulator asked for
        self.lenient = False   # the gateway's own failures are part of the test
        self.draining = False  # it may answer that it is shutting down
        self.serves = []       # any of those that run is asked
        self.ending = threading.Event()
        self.threads = []

    @property
    def serve(self):
        running = [serve for serve in self.serves if serve.running()] or self.serves
        return self.random.choice(running)

    @serve.setter
    def serve(self, serve):
        self.serves = [serve]

    def trouble(self, text):
        with self.lock:
            if len(self.troubles) < 20:
                self.troubles.append(text)

    # -- what is asked -----------------------------------------------------------

    def _draw(self):
        """With and without key, with and without an identifier of the tenant's own, some
        equal in every field, some with a fault on the way."""
        draw = self.random
        kind = draw.choices((None, REFUSED, DOUBTFUL, HARMLESS), (57, 8, 20, 15))[0]
        body = arkgate.text_to_video(f"crash [sim: {draw.choice(kind)}]" if kind else "crash",
                                     resolution="480p", ratio=draw.choice(("16:9", "16:9", "9:16")),
                                     duration=draw.choice((4, 4, 5)))
        if draw.random() < 0.5:
            body["safety_identifier"] = draw.choice(("user-a", "user-b", "user-c"))
        create = Create(draw.choice(self.tokens), body, refused=kind is REFUSED)
        if draw.random() < 0.4:
            self.keyed.append(create)
            create.key = f"key-{len(self.keyed)}"
            body["seed"] = len(self.keyed)  # no other create has it: rows of a key can be counted
        return create

    def _next(self, only_again):
        with self.lock:
            if self.again:
                return self.again.pop()
            if only_again:
                return None
            if self.keyed and self.random.random() < 0.15:
                return self.random.choice(self.keyed[-40:])  # a twin, perhaps at the same moment
            return self._draw()

    # -- what is answered --------------------------------------------------------

    def send(self, create, serve=None):
        """One create; returns its id or None. Raises what the connection raises."""
        headers = {} if create.key is None else {"Idempotency-Key": create.key}
        answer = (serve or self.serve).create(create.token, create.body, headers)
        if answer.status == 200:
            task_id = answer.json["id"]
            with self.lock:
                self.answered[task_id] = create.token
                create.ids.add(task_id)
            if create.key is not None and len(create.ids) > 1:
                self.trouble(f"{create.key} was answered with {create.ids}")
            return task_id
        if create.refused or self._sent_away(answer):
            return None
        if self.lenient and answer.status >= 500:
            with self.lock:
                self.refusals += 1
            self.ending.wait(0.05)  # as clients do that are told to
        else:
            self.trouble(f"{json.dumps(create.body)} was answered {answer}")
        return None

    def _sent_away(self, answer):
        return self.draining and answer.status == 503 and "shutting down" in answer.error["message"]

    def look(self, task_id, serve=None):
        """Invariants 6 and 11: found, under that id, and never a step backwards."""
        answer = (serve or self.serve).get(self.answered[task_id], task_id)
        if answer.status != 200:
            if not (self.lenient and answer.status >= 500) and not self._sent_away(answer):
                self.trouble(f"{task_id} was answered with 200, its GET with {answer}")
            return None
        task = answer.json
        if task["id"] != task_id:
            self.trouble(f"{task_id} is shown as {task['id']}")
        before = self.status.get(task_id, "queued")
        if RANK[before] == 2 and task["status"] != before:
            self.trouble(f"{task_id} was {before} and is {task['status']}")
        self.status[task_id] = task["status"]
        return answer.body

    # -- the load ------------------------------------------------------------------

    @staticmethod
    def _alive(serve):
        try:
            serve.popen.wait(1)
            return False
        except subprocess.TimeoutExpired:
            return True

    def _work(self, only_again):
        while not self.ending.is_set():
            create = self._next(only_again)
            if create is None:
                return
            serve = self.serve
            try:
                task_id = self.send(create, serve)
                if task_id and self.random.random() < 0.3:
                    self.look(task_id, serve)
            except (OSError, http.client.HTTPException) as error:
                # When the last gateway dies the load ends; a living one must not break connections.
                if not self.ending.is_set() and self._alive(serve):
                    self.trouble(f"a living gateway broke a connection: {error!r}")
                    return
                if not any(other.running() for other in self.serves):
                    return

    def start(self, *serves, threads=THREADS, only_again=False):
        """First what a client does after a crash: the same keys with the same bodies, where
        there was no answer and, as a sample, where there was one."""
        self.serves = list(serves)
        told = [c for c in self.keyed if c.ids]
        self.again = [c for c in self.keyed if not c.ids and not c.refused]
        self.again += self.random.sample(told, min(8, len(told)))
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(only_again,), daemon=True)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def join(self, seconds=30):
        for thread in self.threads:
            thread.join(seconds)
            if thread.is_alive():
                self.trouble(f"a client has waited for over {seconds} s")

    def stop(self):
        """No new creates; waits for those that run."""
        self.ending.set()
        self.join()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is the tests' PostgreSQL one to trust? What it acknowledged outlives kill -9, whose
password it asks is refused without, and nothing of it outlives its maker."""
import concurrent.futures
import glob
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))

import postgres  # noqa: E402

SCRIPT = os.path.join(ROOT, "tests/lib/postgres.py")
troubles = []


def equal(what, got, want):
    if got != want:
        troubles.append(f"{what}: got {got!r}, expected {want!r}")


def refused(what, call):
    try:
        troubles.append(f"{what}: got {call()!r}, expected a refusal")
    except postgres.psycopg2().OperationalError:
        pass


def check_values(database):
    """The same from both engines."""
    database.write("CREATE TABLE v (n bigint PRIMARY KEY, t text, b bytea)")
    equal("rows changed", database.write("INSERT INTO v VALUES (?, ?, ?), (?, '100 %', NULL)", 1, "a?%s", b"\0\xff", 2), 2)
    equal("rows", database.rows("SELECT * FROM v WHERE t <> 'what?' AND n < ? ORDER BY n", 9), [
        {"n": 1, "t": "a?%s", "b": b"\0\xff"}, {"n": 2, "t": "100 %", "b": None}])
    row = database.rows("SELECT sum(n) AS s, n = 1 AS yes FROM v WHERE t LIKE '%?%' GROUP BY n")[0]
    equal("sum and truth", ([type(value) for value in row.values()], row), ([int, int], {"s": 1, "yes": 1}))
    equal("dump", [(table, len(rows)) for table, rows in database.dump().items()], [("v", 2)])
    equal("not as bytes", database.rows("SELECT 'B' < 'a' AS less, 'B' COLLATE \"C\" < 'a' AS c"), [{"less": 0, "c": 1}])


def check_kills(cluster, database):
    """Commits that were acknowledged are there after each kill."""
    told, stop, numbers = [], threading.Event(), itertools.count()
    postgres.ask(database.url, "CREATE TABLE k (n bigint PRIMARY KEY)")

    def load():
        while not stop.is_set():
            try:
                conn = postgres.psycopg2().connect(database.url)
                conn.autocommit = True
                with conn.cursor() as cursor:
                    while not stop.is_set():
                        number = next(numbers)
                        cursor.execute("INSERT INTO k VALUES (%s)", (number,))
                        told.append(number)
            except (postgres.psycopg2().OperationalError, postgres.psycopg2().InterfaceError):
                time.sleep(0.01)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        cluster.kill()
        equal("after kill: processes", postgres._working_in(cluster.data), [])
        cluster.start()
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    kept = {row["n"] for row in database.rows("SELECT n FROM k")}
    equal("acknowledged and lost", sorted(set(told) - kept), [])
    if len(told) < 50:
        troubles.append(f"only {len(told)} commits: that tells nothing")


def check_pause(cluster, database):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        cluster.pause()
        answer = pool.submit(database.rows, "SELECT 1 AS one")
        time.sleep(0.3)
        equal("answered while paused", answer.done(), False)
        cluster.resume()
        equal("afterwards", answer.result(10), [{"one": 1}])


def check_cuts(cluster, database):
    conn = postgres.psycopg2().connect(database.url)
    equal("connections", len(cluster.connections(database.name)), 1)
    equal("cut", (cluster.terminate_backends(database.name), cluster.connections(database.name)), (1, []))
    refused("a connection that was cut", lambda: conn.cursor().execute("SELECT 1"))
    conn.close()


def check_server():
    with postgres.Cluster() as cluster:
        database = postgres.Database(cluster)
        check_values(database)
        check_pause(cluster, database)
        check_cuts(cluster, database)
        check_kills(cluster, database)
        equal("rows after all that", database.rows("SELECT count(*) AS n FROM v"), [{"n": 2}])
        equal("restarted", cluster.restart().query("SELECT 1 AS one"), [{"one": 1}])
        equal("by its socket", postgres.ask(cluster.url(database.name, host=cluster.folder), "SELECT 1 AS one"), [{"one": 1}])
        database.drop()
        refused("a database that was dropped", lambda: database.rows("SELECT 1"))
    equal("the folder afterwards", os.path.exists(cluster.folder), False)


def check_locked_server():
    with postgres.Cluster(auth="scram-sha-256", tls=True) as cluster:
        equal("with password and TLS", cluster.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
              [{"ssl": 1}])
        refused("without the password", lambda: postgres.ask(cluster.url(), "SELECT 1"))
        refused("without TLS", lambda: postgres.ask(cluster.base.replace("verify-full", "disable"), "SELECT 1",
                                                    password=cluster.password))


def left_of(folder):
    """Of the servers made in a folder, once those have gone that are still going."""
    def left():
        return glob.glob(folder + "/*") + [
            pid for path in glob.glob("/proc/[0-9]*/cmdline") if f"-D\0{folder}/" in read(path)
            for pid in [path.split("/")[2]]]
    deadline = time.monotonic() + 15
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    return left()


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def check_run(what, number, want):
    """run COMMAND, which fails by itself or when run is sent a signal."""
    with tempfile.TemporaryDirectory(prefix="arkgate-run-") as folder:
        os.chmod(folder, 0o711)  # the server is another user's
        code = "echo up; exec sleep 30" if number else f"psql -Atqc 'SELECT 40 + 2' ${postgres.VARIABLE} && exit 7"
        process = subprocess.Popen([SCRIPT, "run", "sh", "-c", code], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "TMPDIR": folder})
        equal(f"{what}: said", process.stdout.readline(), "up\n" if number else "42\n")
        if number:
            process.send_signal(number)
        equal(f"{what}: status", process.wait(), want)
        process.stdout.close()
        equal(f"{what}: left", left_of(folder), [])


def main():
    jobs = [(check_server,), (check_locked_server,), (check_run, "a failure", 0, 7),
            (check_run, "SIGTERM", signal.SIGTERM, 128 + signal.SIGTERM), (check_run, "SIGKILL", signal.SIGKILL, -signal.SIGKILL)]
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(*job) for job in jobs]:
            done.result()
    for trouble in troubles:
        print(trouble)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())

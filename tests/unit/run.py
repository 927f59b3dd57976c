#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unit tests of a build: every tests/unit/*/test_*.c as its program, every
check_*.py by its exit code.

usage: run.py [--engine sqlite|postgresql] BUILD [LIBRARY...]

sqlite leaves out what needs a PostgreSQL server; postgresql runs what needs one, and on it
what needs a database. Without --engine everything runs, what needs a database on SQLite.
The server is at ARKGATE_TEST_POSTGRES (tests/lib/postgres.py run).
"""
import argparse
import concurrent.futures
import functools
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOBS = 4  # on two cores: many wait, for a clock or a disk
LONG = ("test_store_torture.c", "test_http_gate.c", "test_http_body.c")  # begun first: they end last
LIMIT_S = 240  # the slowest takes a few seconds; sanitizers on a busy machine ten times that
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
SERVER = "ARKGATE_TEST_POSTGRES"  # a test that needs a server names it
DATABASE = "tests/lib/database.h"  # where a test gets one of the engine that is asked for


@functools.lru_cache(maxsize=None)
def included(path):
    """A test's own text and the names of the tests' headers that it includes, also by others."""
    text, names = open(os.path.join(ROOT, path), encoding="utf-8").read(), set()
    for name in re.findall(r'^#include "(tests/[^"]+)"', text, re.M):
        names |= {name} | included(name)[1]
    return text, frozenset(names)


def is_for(engine, path):
    text, names = included(path)
    needs_server = SERVER in text or os.path.basename(path).startswith("test_pg")
    if engine == "sqlite":
        return not needs_server
    return needs_server or DATABASE in names or engine is None


def run(command, env):
    try:
        ran = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=LIMIT_S)
        return ran.returncode, ran.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace") + f"\nno end after {LIMIT_S} s"
    except OSError as error:
        return None, str(error)


def count(name, status, text):
    """passed, failed, skipped and what to print of one program."""
    found = CLOSING.findall(text)
    passed, failed, skipped = (int(n or 0) for n in found[-1]) if found else (0, 0, 0)
    if status != 0 and failed == 0 or passed + failed + skipped == 0:
        failed += 1  # it crashed, leaked or said nothing
    tail = "\n".join(text.splitlines()[-40:])
    return passed, failed, skipped, f"FAILED {name} (exit {status})\n{tail}" if failed else ""


def jobs(build, libraries, engine):
    """(path, command, is a program) of each test."""
    for library in libraries or ["*"]:
        for pattern in ("test_*.c", "check_*.py"):
            for path in sorted(glob.glob(f"tests/unit/{library}/{pattern}", root_dir=ROOT)):
                if not is_for(engine, path):
                    continue
                if path.endswith(".c"):
                    program = os.path.join(build, "tests/unit", os.path.basename(path)[:-2])
                    yield path, [os.path.abspath(program)], True
                else:
                    yield path, [sys.executable, os.path.join(ROOT, path)], False


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].splitlines()[0])
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default=os.environ.get("ARKGATE_TEST_ENGINE"))
    parser.add_argument("build")
    parser.add_argument("libraries", nargs="*")
    given = parser.parse_intermixed_args(arguments)
    # This python itself, not a script that looks for one, for the tests that start many.
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    env = dict(os.environ, PATH=path, ARKGATE_BUILD=os.path.abspath(given.build),
               ARKGATE_TEST_ENGINE=given.engine or "sqlite")
    if given.engine == "postgresql" and SERVER not in env:
        sys.exit(f"{SERVER} is not set: tests/lib/postgres.py run {sys.argv[0]} ...")
    passed = failed = skipped = 0
    chosen = sorted(jobs(given.build, given.libraries, given.engine), key=lambda job: os.path.basename(job[0]) not in LONG)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        runs = pool.map(lambda job: run(job[1], env), chosen)
        for (name, _, is_program), (status, text) in zip(chosen, runs):
            if not is_program:
                text += f"\n{int(status == 0)} passed, {int(status != 0)} failed"
            p, f, s, trouble = count(name, status, text)
            passed, failed, skipped = passed + p, failed + f, skipped + s
            if trouble:
                print(trouble, flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

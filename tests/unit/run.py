#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unit tests of a build: every tests/unit/*/test_*.c as its program, every
check_*.py by its exit code.

usage: run.py BUILD [LIBRARY...]
"""
import concurrent.futures
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


def main(build, libraries):
    env = dict(os.environ, ARKGATE_BUILD=os.path.abspath(build))
    jobs = []
    for library in libraries or ["*"]:
        for path in sorted(glob.glob(f"{ROOT}/tests/unit/{library}/test_*.c")):
            program = os.path.join(build, "tests/unit", os.path.basename(path)[:-2])
            jobs.append((os.path.relpath(path, ROOT), [os.path.abspath(program)], True))
        for path in sorted(glob.glob(f"{ROOT}/tests/unit/{library}/check_*.py")):
            jobs.append((os.path.relpath(path, ROOT), [sys.executable, path], False))
    jobs.sort(key=lambda job: os.path.basename(job[0]) not in LONG)
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        runs = pool.map(lambda job: run(job[1], env), jobs)
        for (name, _, is_program), (status, text) in zip(jobs, runs):
            if not is_program:
                text += f"\n{int(status == 0)} passed, {int(status != 0)} failed"
            p, f, s, trouble = count(name, status, text)
            passed, failed, skipped = passed + p, failed + f, skipped + s
            if trouble:
                print(trouble, flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

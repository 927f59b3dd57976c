#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the flow tests, and those of tests/isolation and tests/edge: each test_*.py in a
process of its own, several at a time, for they mostly wait.

usage: run.py [--engine sqlite|postgresql] [--jobs N] [test_file.py | name part]...
       run.py --file test_file.py     (what it starts for each)

A file runs on both engines, but for those of tests/edge, which ask listeners and no store,
and those that say otherwise: ENGINES = ("sqlite",).

A test is a function test_*(ctx). ctx.shared is one installation for the file with
simulator, gateway (with the file's SHARED_SETTINGS), tenant and token; ctx.new() makes another. Checks through ctx
are counted with the test and do not end it, exceptions do. After the last test
every installation is stopped cleanly and its invariants are checked.
"""
import argparse
import ast
import concurrent.futures
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
LIMIT_S = 240  # the longest needs 60 s on an idle machine
FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"  # files that end in _full are run then alone
JOBS = 6  # on two cores; with more, what is measured in seconds is late
LONG = ("test_upstream.py", "test_drain.py", "test_delete.py", "test_load.py")  # begun first: they end last
if FULL:
    LIMIT_S += 240  # tests/edge/test_drain.py: 50 stops; test_served.py: 64 MiB at 1 MB/s
if "TSAN_OPTIONS" in os.environ and "tsan" in os.environ.get("ARKGATE_BIN", ""):
    LIMIT_S = 400
    JOBS = 4  # each needs three times the computing


class Skip(Exception):
    """What a test needs is not there."""


class Context:
    Skip = Skip

    def __init__(self, shared_settings=None):
        self.shared_settings = shared_settings
        self.installations = []
        self.failures = []
        self._shared = None

    # -- installations -------------------------------------------------------

    def new(self, credit="100", speed=20, settings=None, invariants=True, serve=True, sim_arguments=()):
        """An installation with everything started; inst.token is its tenant's."""
        import arkgate

        inst = arkgate.Installation()
        inst.invariants = invariants
        self.installations.append(inst)
        inst.start_sim(speed, arguments=sim_arguments)
        inst.add_upstream()
        inst.token = inst.add_tenant("acme", credit)
        if serve:
            inst.start_serve(settings)
        return inst

    def bare(self):
        """An installation with nothing but init done; invariants are checked all the same."""
        import arkgate

        inst = arkgate.Installation()
        inst.invariants = True
        self.installations.append(inst)
        return inst

    @property
    def shared(self):
        if self._shared is None:
            self._shared = self.new(credit="1000", settings=self.shared_settings)
        return self._shared

    # -- checks ----------------------------------------------------------------

    def fail(self, text):
        self.failures.append(text)

    def true(self, what, condition, got=""):
        if not condition:
            self.fail(f"{what}: does not hold {got!r}")
        return condition

    def equal(self, what, got, want):
        if got != want:
            self.fail(f"{what}: got {got!r}, expected {want!r}")
        return got == want

    def has(self, what, document, names):
        """The members that programs rely on; there may be more."""
        missing = [name for name in names if name not in document]
        if missing:
            self.fail(f"{what}: lacks {missing}, has {list(document)}")

    def matches(self, what, got, pattern):
        if not isinstance(got, str) or not re.fullmatch(pattern, got):
            self.fail(f"{what}: got {got!r}, expected the form {pattern}")

    # -- end -------------------------------------------------------------------

    def finish(self):
        import arkgate

        troubles = []
        for inst in self.installations:
            try:
                if inst.invariants:
                    check_running(inst)
            except Exception as error:  # every installation is looked at
                troubles.append(str(error))
            try:
                inst.stop()
                if inst.invariants:
                    arkgate.check_invariants(inst, None)
            except Exception as error:
                troubles.append(str(error))
        return troubles

    def logs(self):
        return "\n".join(inst.logs() for inst in self.installations)

    def close(self):
        for inst in self.installations:
            inst.close()


def check_running(inst):
    """Between one look of the check and the next a task may end: what is wrong stays wrong."""
    import arkgate

    troubles = []

    def hold():
        try:
            arkgate.check_invariants(inst, inst.sim, chains=False)
            return True
        except AssertionError as error:
            troubles.append(error)
            return False
    try:
        arkgate.wait_for("the invariants", hold, 3, 1)
    except AssertionError:
        raise troubles[-1] from None


def run_test(ctx, path, name, test):
    """passed, failed, skipped of one function."""
    import arkgate

    ctx.failures = []
    begun = time.monotonic()
    arkgate.current_test = f"{path}::{name}"
    try:
        test(ctx)
    except Skip as why:
        print(f"skipped {name}: {why}")
        return 0, 0, 1
    except Exception as error:
        ctx.fail("".join(traceback.format_exception(error)[-3:]))
    for text in ctx.failures:
        print(f"FAILED {name}: {text}")
    print(f"{'ok' if not ctx.failures else 'FAILED'} {name} {time.monotonic() - begun:.1f} s", flush=True)
    return (0, 1, 0) if ctx.failures else (1, 0, 0)


def run_file(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ctx = Context(getattr(module, "SHARED_SETTINGS", None))
    total = [0, 0, 0]
    only = os.environ.get("ARKGATE_TEST_ONLY")
    try:
        for name, test in list(vars(module).items()):
            if name.startswith("test_") and callable(test) and only in (None, name):
                total = [a + b for a, b in zip(total, run_test(ctx, os.path.basename(path), name, test))]
        if ctx.installations:
            troubles = ctx.finish()
            total[1 if troubles else 0] += 1
            for text in troubles:
                print(f"FAILED end of {os.path.basename(path)}: {text}")
        if total[1]:
            print(ctx.logs())
    finally:
        ctx.close()
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


def start_file(path):
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--file", path], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                               start_new_session=True)
    try:
        text, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # its own session: the test and the servers it started
        text, _ = process.communicate()
        text += f"\nno end after {LIMIT_S} s"
    return text, time.monotonic() - begun


def engines(path):
    """What the file says itself, without running it."""
    import arkgate

    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    said = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
            and [getattr(target, "id", None) for target in node.targets] == ["ENGINES"]]
    found = said[0] if said else ("sqlite",) if os.path.dirname(path).endswith("edge") else arkgate.ENGINES
    if not found or not set(found) <= set(arkgate.ENGINES):
        raise SystemExit(f"{path}: ENGINES is {found!r}")
    return found


def choose(names, engine):
    """The files to run, the longest first, and how many are another engine's."""
    paths = [p for folder in (HERE, *(os.path.join(os.path.dirname(HERE), name) for name in ("isolation", "edge")))
             for p in sorted(glob.glob(os.path.join(folder, "test_*.py")))
             if (any(a in p for a in map(os.path.basename, names)) if names else FULL or not p.endswith("_full.py"))]
    ours = [path for path in paths if engine in engines(path)]
    return sorted(ours, key=lambda path: os.path.basename(path) not in LONG), len(paths) - len(ours)


def main(arguments):
    if arguments[:1] == ["--file"]:
        return run_file(arguments[1])
    import arkgate

    options = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    options.add_argument("--engine", choices=arkgate.ENGINES, default=arkgate.ENGINE)
    options.add_argument("--jobs", type=int, default=JOBS)
    options.add_argument("names", nargs="*")
    given = options.parse_args(arguments)
    os.environ["ARKGATE_TEST_ENGINE"] = given.engine  # of the processes that run the files
    paths, others = choose(given.names, given.engine)
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for path, (text, seconds) in zip(paths, pool.map(start_file, paths)):
            found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
            p, f, s = map(int, found[-1]) if found else (0, 1, 0)
            if p + f + s == 0:
                f = 1
            passed, failed, skipped = passed + p, failed + f, skipped + s
            print(f"{os.path.basename(path)}: {p} passed, {f} failed, {s} skipped, {seconds:.1f} s")
            if f or s:
                print(text if f else "\n".join(re.findall(r"^skipped .*$", text, re.M)), flush=True)
    if others:
        print(f"{others} files are not for {given.engine}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

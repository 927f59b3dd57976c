#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is openapi/errors.toml the whole truth about the errors of Ark's API?

Each cause there must have been provoked by the test that it names, every error that
any test got must have its row, and openapi/errors.md must be what the rows say.

usage: error_table.py ANSWERS     (what the flow tests wrote to ARKGATE_ANSWERS)
       error_table.py --write     (writes openapi/errors.md, looks at nothing else)
"""
import collections
import json
import os
import re
import sys
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROWS = os.path.join(ROOT, "openapi/errors.toml")
PAGE = os.path.join(ROOT, "openapi/errors.md")
REPORT = os.path.join(ROOT, "build/logs/error-table.md")
HEAD = """# Errors of Ark's API

Written by `tests/docs/error_table.py --write` from `errors.toml`; after the flow tests
the same program checks that each of these tests still gets this answer. The body is
`{"error":{"code","message","param","type"}}`, on both bases.

"""


def table(rows, columns):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def page(known):
    rows = [(e["status"], f"`{e['code']}`", f"`{e['type']}`", cause, f"`{test}`")
            for e in known["error"] for cause, test in e["causes"]]
    passed = known["passed"]
    rows.append(("/".join(passed["types"]), "as it came", "/".join(f"`{t}`" for t in passed["types"].values()),
                 passed["cause"], f"`{passed['test']}`"))
    return HEAD + table(rows, ("status", "code", "type", "cause", "test"))


def is_passed(known, status, code, kind):
    passed = known["passed"]
    return passed["types"].get(str(status)) == kind and bool(re.fullmatch(passed["code"], code or ""))


def read_answers(path):
    """{(status, code, type): tests}"""
    seen = collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            answer = json.loads(line)
            seen[answer["status"], answer["code"], answer["type"]].add(answer["test"])
    return seen


def write_report(known, seen):
    causes = {(e["status"], e["code"], e["type"]): "; ".join(cause for cause, _ in e["causes"])
              for e in known["error"]}
    rows = [(status, f"`{code}`", f"`{kind}`",
             causes.get((status, code, kind)) or
             (known["passed"]["cause"] if is_passed(known, status, code, kind) else "**not in the table**"),
             ", ".join(f"`{test}`" for test in sorted(seen[status, code, kind])) or "**none**")
            for status, code, kind in sorted(set(seen) | set(causes), key=str)]
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as file:
        file.write("# Which test got which error\n\n" + table(rows, ("status", "code", "type", "cause", "tests")))


def check(known, seen):
    """(how many things were looked at, what is wrong)"""
    troubles, looked = [], 0
    for error in known["error"]:
        key = error["status"], error["code"], error["type"]
        for cause, test in error["causes"]:
            looked += 1
            if test not in seen.get(key, ()):
                troubles.append(f"{test} did not get {key}: {cause}")
    looked += 1
    if not any(known["passed"]["test"] in tests for key, tests in seen.items() if is_passed(known, *key)):
        troubles.append(f"{known['passed']['test']} got nothing that is passed on")
    rows = {(e["status"], e["code"], e["type"]) for e in known["error"]}
    for key, tests in sorted(seen.items(), key=str):
        looked += 1
        if key not in rows and not is_passed(known, *key):
            troubles.append(f"{key} has no row in errors.toml; got by {sorted(tests)}")
    return looked, troubles


def main(arguments):
    with open(ROWS, "rb") as file:
        known = tomllib.load(file)
    if arguments == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(page(known))
        return 0
    if len(arguments) != 1:
        print(__doc__)
        return 2
    try:
        seen = read_answers(arguments[0])
    except FileNotFoundError:
        seen = {}  # every cause is missed then
    looked, troubles = check(known, seen)
    write_report(known, seen)
    looked += 1
    with open(PAGE, encoding="utf-8") as file:
        if file.read() != page(known):
            troubles.append("openapi/errors.md is not what errors.toml says; run tests/docs/error_table.py --write")
    for trouble in troubles:
        print(f"FAILED {trouble}")
    print(f"{looked - len(troubles)} passed, {len(troubles)} failed")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

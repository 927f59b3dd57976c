#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are openapi/errors.toml and openapi/volc_errors.toml the whole truth about the errors of
Ark's API and of the asset actions?

Each cause there must have been provoked by the test that it names, every error that any
test got must have its row, every row of the asset actions' own table in the source must
have one too, and the pages beside them must be what the rows say.

usage: error_table.py ANSWERS     (what the flow tests wrote to ARKGATE_ANSWERS)
       error_table.py --write     (writes the pages, looks at nothing else)
"""
import collections
import json
import os
import re
import sys
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REPORT = os.path.join(ROOT, "build/logs/error-table.md")
ARK_HEAD = """# Errors of Ark's API

Written by `tests/docs/error_table.py --write` from `errors.toml`; after the flow tests
the same program checks that each of these tests still gets this answer. The body is
`{"error":{"code","message","param","type"}}`, on both bases.

"""
VOLC_HEAD = """# Errors of the asset actions

Written by `tests/docs/error_table.py --write` from `volc_errors.toml`; after the flow tests
the same program checks that each of these tests still gets this answer. The body is
`{"ResponseMetadata":{…,"Error":{"CodeN","Code","Message"}}}`, on all three paths. An asset
whose file broke a rule is no error of a call: it is shown with 200, `Status` `Failed` and
the `Error` that stands at the end of the table.

"""
# Of each API: rows and page, what "type" is in them, and a table of the source that they must hold.
Api = collections.namedtuple("Api", "name rows page type head source")
APIS = (
    Api("ark", "openapi/errors.toml", "openapi/errors.md", "type", ARK_HEAD, None),
    Api("volc", "openapi/volc_errors.toml", "openapi/volc_errors.md", "CodeN", VOLC_HEAD,
        "gateway/dialect/volc_errmap.c"),
)


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def table(rows, columns):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def page(api, known):
    rows = [(e["status"], f"`{e['code']}`", f"`{e['type']}`", cause, f"`{test}`")
            for e in known["error"] for cause, test in e["causes"]]
    if passed := known.get("passed"):
        rows.append(("/".join(passed["types"]), "as it came", "/".join(f"`{t}`" for t in passed["types"].values()),
                     passed["cause"], f"`{passed['test']}`"))
    rows += [(e["status"], f"`{e['code']}`", f"`{e['type']}`", e["why"], "none can") for e in known.get("unprovoked", [])]
    return api.head + table(rows, ("status", "code", api.type, "cause", "test"))


def is_passed(known, status, code, kind):
    passed = known.get("passed")
    return bool(passed and passed["types"].get(str(status)) == kind and re.fullmatch(passed["code"], code or ""))


def read_answers(path, api):
    """{(status, code, type): tests}"""
    seen = collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            answer = json.loads(line)
            if answer["api"] == api.name:
                seen[answer["status"], answer["code"], answer["type"]].add(answer["test"])
    return seen


def report(api, known, seen):
    causes = {(e["status"], e["code"], e["type"]): "; ".join(cause for cause, _ in e["causes"])
              for e in known["error"]}
    rows = [(status, f"`{code}`", f"`{kind}`",
             causes.get((status, code, kind)) or
             (known["passed"]["cause"] if is_passed(known, status, code, kind) else "**not in the table**"),
             ", ".join(f"`{test}`" for test in sorted(seen[status, code, kind])) or "**none**")
            for status, code, kind in sorted(set(seen) | set(causes), key=str)]
    return f"# Which test got which error: {api.name}\n\n" + table(rows, ("status", "code", api.type, "cause", "tests"))


def check_causes(known, seen, bad):
    """How many things were looked at."""
    looked = 0
    for error in known["error"]:
        key = error["status"], error["code"], error["type"]
        for cause, test in error["causes"]:
            looked += 1
            if test not in seen.get(key, ()):
                bad(f"{test} did not get {key}: {cause}")
    if passed := known.get("passed"):
        looked += 1
        if not any(passed["test"] in tests for key, tests in seen.items() if is_passed(known, *key)):
            bad(f"{passed['test']} got nothing that is passed on")
    return looked


def check_answers(api, known, seen, bad):
    rows = {(e["status"], e["code"], e["type"]) for e in known["error"]}
    for key, tests in sorted(seen.items(), key=str):
        if key not in rows and not is_passed(known, *key):
            bad(f"{key} has no row among the errors of {api.rows}; got by {sorted(tests)}")
    return len(seen)


def source_rows(text):
    """{(status, code, number)} of the table in a file of C."""
    numbers, number = {}, 0
    for name, value in re.findall(r"^    NUMBER_(\w+)(?: = (\d+))?,?$", text, re.M):
        numbers[name] = number = int(value) if value else number + 1
    return {(int(status), code, numbers[name])
            for code, name, status in re.findall(r'"([A-Za-z_.]+)", NUMBER_(\w+), (\d+)', text)}


def check_source(api, known, bad):
    """How many rows the program's own table has."""
    if api.source is None:
        return 0
    ours = source_rows(read(api.source))
    rows = {(e["status"], e["code"], e["type"]) for e in known["error"] + known.get("unprovoked", [])}
    for key in sorted(ours - rows):
        bad(f"{api.source} has {key}, which has no row in {api.rows}")
    if not ours:
        bad(f"no row was found in {api.source}")
    return len(ours)


def check(api, known, path, bad):
    try:
        seen = read_answers(path, api)
    except FileNotFoundError:
        seen = {}  # every cause is missed then
    looked = check_causes(known, seen, bad) + check_answers(api, known, seen, bad) + check_source(api, known, bad)
    if read(api.page) != page(api, known):
        bad(f"{api.page} is not what {api.rows} says; run tests/docs/error_table.py --write")
    return looked + 1, report(api, known, seen)


def main(arguments):
    known = {api: tomllib.loads(read(api.rows)) for api in APIS}
    if arguments == ["--write"]:
        for api in APIS:
            with open(os.path.join(ROOT, api.page), "w", encoding="utf-8") as file:
                file.write(page(api, known[api]))
        return 0
    if len(arguments) != 1:
        print(__doc__)
        return 2
    looked, reports, troubles = 0, [], []
    for api in APIS:
        count, text = check(api, known[api], arguments[0], troubles.append)
        looked += count
        reports.append(text)
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    with open(REPORT, "w", encoding="utf-8") as file:
        file.write("\n".join(reports))
    for trouble in troubles:
        print(f"FAILED {trouble}")
    print(f"{looked - len(troubles)} passed, {len(troubles)} failed")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

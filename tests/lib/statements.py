# SPDX-License-Identifier: Apache-2.0
"""The SQL of the *_repo.c files, read from their source, and empty databases to try it on."""
import contextlib
import glob
import os
import re
import sqlite3
import sys
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))

import postgres  # noqa: E402
import preprocess  # noqa: E402

# sqlite and pg: the text on each engine, None where it is never prepared. collected: those of
# a transaction are run as one on PostgreSQL.
Statement = namedtuple("Statement", "path function name sqlite pg collected")

# Tables that grow with the tasks and the assets, and indexes over few of their rows: open tasks,
# unsettled attempts, holds in review.
GROWING = ("task", "attempt", "evidence", "idempotency", "event", "ledger", "hold", "asset", "asset_group",
           "asset_count", "asset_group_count", "asset_request", "ingest")
SMALL = {"task_open", "attempt_prepared", "attempt_unknown", "attempt_released", "hold_in_review"}
# The indexes in whose order the pages of lists come, and where those are.
LISTS = {"task_by_tenant", "task_by_identity", "task_by_shown", "task_by_model", "task_by_tier",
         "asset_group_by_tenant", "asset_group_by_identity", "asset_by_tenant", "asset_by_identity", "asset_by_update",
         "asset_by_group"}
PAGES = ("task_list_repo.c", "browse_repo.c")

STRING = preprocess.STRING
TEXT = rf"(?:{STRING}|[A-Z][A-Z0-9_]*|\s)+"  # literals side by side, and what _text refuses
VERB = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def _text(body, where):
    pieces = []
    for token in re.findall(rf"{STRING}|\w+", body):
        if token[0] != '"':
            raise AssertionError(f"{where}: {token} stands in a statement and is no literal")
        pieces.append(re.sub(r'\\(["\\])', r"\1", token[1:-1]))
    return "".join(pieces)


def _table(body, where):
    """The texts of a table of statements, by their places; none for a table of other texts."""
    texts = [_text(text, where) for text in re.findall(rf"{STRING}(?:\s*{STRING})*", body)]
    if not any(map(VERB.match, texts)):
        return {}
    rest = re.sub(rf"{STRING}|\[\w+\] =|[{{}},\s]", "", body)
    if rest or not all(map(VERB.match, texts)):
        raise AssertionError(f"{where}: a table not only of statements: {rest or texts}")
    return {f"[{at}]": text for at, text in enumerate(texts)}


def _texts(source, where):
    """By its name, what a constant says; each of a table's statements, by its place there."""
    for name, body in re.findall(rf"\bstatic const char (\w+)\[\] =({TEXT});", source):
        yield name, _text(body, f"{where}: {name}")
    for name, body in re.findall(rf"\bstatic const char \*const (\w+)[][\w]+ =((?:{STRING}|[^\";])*);", source):
        for place, text in _table(body, f"{where}: {name}").items():
            yield name + place, text


def _functions(source):
    """(name, text) of each; what stands between them belongs to the next one."""
    begun = 0
    for end in re.finditer(r"^}\n", source, re.M):
        text = source[begun:end.end()]
        name = re.search(r"(\w+)\([^;{]*\)\n{\n(?!.*^{\n)", text, re.M | re.S)
        if name:
            yield name.group(1), text
        begun = end.end()


def of_source(path, source, headers=()):
    """The statements of one file's text. Fails on SQL that it cannot make out."""
    source = preprocess.expanded(source, headers)
    shared, found, prepared = {}, [], 0
    for name, body in re.findall(rf"^static const char (\w+)\[\] =({TEXT});", source, re.M):
        shared[name] = _text(body, f"{path}: {name}")  # outside of functions
    for function, text in _functions(source):
        where = f"{path}: {function}"
        texts = dict(_texts(text, where))
        texts.update({name: body for name, body in shared.items() if re.search(rf"\b{name}\b", text)})
        pairs = {}
        for first, second in re.findall(rf"\bSQL2\(({TEXT}|\s*\w+\s*),({TEXT}|\s*\w+\s*)\)", text):
            sides = [texts.get(side.strip()) or _text(side, where) for side in (first, second)]
            found.append(Statement(path, function, "SQL2", *sides, False))
            pairs.update({first.strip(): True, second.strip(): True})
        for name, body in texts.items():
            if name not in pairs and VERB.match(body):
                found.append(Statement(path, function, name, body, body, "db_prepare_rows(" in text))
        if "db_prepare2(" in text and not pairs:
            raise AssertionError(f"{where}: db_prepare2 without SQL2(a, b)")
        prepared += len(re.findall(r"\bdb_prepare(?:2|_rows)?\(", text))
    # Every literal that begins like a statement begins one of them, and nothing else is prepared.
    begun = sum(bool(VERB.match(literal[1:])) for literal in re.findall(STRING, source))
    made = sum(1 if one.sqlite == one.pg else 2 for one in found)
    if begun != made or made < prepared:
        raise AssertionError(f"{path}: {begun} literals begin like statements, {prepared} are prepared,"
                             f" {made} were made out")
    return found


def statements():
    """Of every *_repo.c, in the order of the files."""
    found = []
    for path in sorted(glob.glob("**/*_repo.c", root_dir=ROOT, recursive=True)):
        folder = os.path.dirname(os.path.join(ROOT, path))
        headers = [open(name, encoding="utf-8").read() for name in sorted(glob.glob(f"{folder}/*.h"))]
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            found += of_source(path, file.read(), headers)
    return found


def is_meant_to_walk(sql):
    """The operator's list, newest first, ends at its limit; so does the look at what is due next."""
    return "ORDER BY id DESC LIMIT $4" in sql or (sql.startswith("SELECT due_us FROM ingest ") and sql.endswith("ORDER BY due_us LIMIT 1"))


def is_page(one):
    return os.path.basename(one.path) in PAGES and "OFFSET" in one.sqlite


def migrations(engine):
    """The scripts of "sqlite" or "pg", oldest first."""
    for path in sorted(glob.glob(os.path.join(ROOT, f"base/store/migrations/*.{engine}.sql"))):
        with open(path, encoding="utf-8") as file:
            yield file.read()


def sqlite_database():
    """In memory, with the schema."""
    db = sqlite3.connect(":memory:")
    for script in migrations("sqlite"):
        db.executescript(script)
    return db


@contextlib.contextmanager
def postgres_database():
    """A cursor in a database with the schema, on the server at ARKGATE_TEST_POSTGRES or on one
    that lives as long; each statement is a transaction of its own."""
    with contextlib.ExitStack() as stack:
        if postgres.VARIABLE in os.environ:
            server = postgres.Server(os.environ[postgres.VARIABLE])
        else:
            server = stack.enter_context(postgres.Cluster())
        database = postgres.Database(server)
        stack.callback(database.drop)
        conn = postgres.psycopg2().connect(database.url, **({"password": server.password} if server.password else {}))
        stack.callback(conn.close)
        conn.autocommit = True
        cursor = conn.cursor()
        for script in migrations("pg"):
            cursor.execute(script)
        yield cursor

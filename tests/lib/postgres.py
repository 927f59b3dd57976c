#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for tests: a server of one's own in a temporary folder, which ends with who
started it, and databases on a server that is there. Needs postgresql-15 and
python3-psycopg2; touches no cluster of the machine's.

usage: postgres.py run COMMAND...

COMMAND finds a server at ARKGATE_TEST_POSTGRES; the exit status is COMMAND's.
"""
import ctypes
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

BIN = "/usr/lib/postgresql/15/bin"
VARIABLE = "ARKGATE_TEST_POSTGRES"
SUPERUSER = "postgres"
OURS = "arkgate-test"  # application_name of what tests themselves ask
START_S = 30  # sanitizers and two cores that others use; it needs 0.2 s
CONNECT_S = 10
# A collation in which no two keys stand as their bytes do ("a" < "B" < "c"): what forgets
# COLLATE "C" shows.
INITDB = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync",
          "--no-instructions")
# Shared memory in files of the data folder: SIGKILL leaves nothing of it behind in /dev/shm.
SETTINGS = {"listen_addresses": "'127.0.0.1'", "shared_buffers": "32MB", "dynamic_shared_memory_type": "mmap",
            "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB", "log_line_prefix": "'%m [%p] %a '"}
LIBC = ctypes.CDLL(None)
IPC_RMID, PR_SET_PDEATHSIG = 0, 1


# -- asking a server -------------------------------------------------------------------


def psycopg2():
    """Debian's, also for another python that comes first in PATH."""
    try:
        import psycopg2 as module
    except ImportError:
        sys.path.append("/usr/lib/python3/dist-packages")
        import psycopg2 as module
    return module


def _plain(value):
    """As SQLite gives it: whole numbers, truth too, as int; bytes as bytes."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, bool) or isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def _placeholders(sql):
    """? outside of literals becomes psycopg2's %s, and its % is doubled."""
    return re.sub(r"'[^']*'|\?|%", lambda found: "%s" if found.group() == "?" else found.group().replace("%", "%%"), sql)


class Session:
    """A connection; parameters are libpq's."""

    def __init__(self, url, password=None, read_only=False, **parameters):
        self.conn = psycopg2().connect(url, password=password, application_name=OURS, connect_timeout=CONNECT_S,
                                       **parameters)
        self.conn.set_session(autocommit=True, readonly=read_only)

    def ask(self, sql, values=()):
        """One statement, committed at once: the rows as dicts, or how many it changed."""
        with self.conn.cursor() as cursor:
            cursor.execute(*((_placeholders(sql), values) if values else (sql,)))
            if cursor.description is None:
                return cursor.rowcount
            names = [column.name for column in cursor.description]
            return [dict(zip(names, map(_plain, row))) for row in cursor.fetchall()]

    def close(self):
        self.conn.close()


def ask(url, sql, values=(), password=None, **parameters):
    """One statement on a connection of its own."""
    with closing(Session(url, password, **parameters)) as session:
        return session.ask(sql, values)


class Server:
    """A server, by the URL of a database of its superuser's."""

    def __init__(self, base, password=None):
        self.base, self.password = base, password

    def url(self, database="postgres", user=None, **parameters):
        """Without a password; parameters are libpq's, host= a folder for its unix socket."""
        parts = urlsplit(self.base)
        where = f"{user or parts.username}@{parts.netloc.rpartition('@')[2]}"
        if "host" in parameters:
            parameters["port"] = parts.port
            where = where.partition("@")[0] + "@"
        query = "&".join(filter(None, (parts.query, urlencode(parameters))))
        return f"{parts.scheme}://{where}/{database}" + (f"?{query}" if query else "")

    def query(self, sql, *values, database="postgres", **options):
        return ask(self.url(database), sql, values, self.password, **options)

    def create_database(self, name, owner=None, template="template1"):
        self.query(f'CREATE DATABASE "{name}" OWNER "{owner or urlsplit(self.base).username}" TEMPLATE "{template}"')
        return self.url(name, owner)

    def drop_database(self, name):
        """Also one that is in use."""
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def connections(self, database):
        """Of clients, but for the tests' own."""
        return self.query("SELECT * FROM pg_stat_activity WHERE datname = ? AND backend_type = 'client backend'"
                          " AND application_name <> ?", database, OURS)

    def terminate_backends(self, database):
        """Cuts those connections; says how many."""
        return sum(row["cut"] for row in self.query(
            "SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity WHERE datname = ?"
            " AND backend_type = 'client backend' AND application_name <> ?", database, OURS))


class Database:
    """An empty database whose owner may do nothing elsewhere; drop() removes both. .environment
    has the owner's password, where the server wants one."""

    def __init__(self, server):
        self.server, self.name = server, f"test_{secrets.token_hex(6)}"
        self.environment = {"PGPASSWORD": server.password} if server.password else {}
        server.query(f'CREATE ROLE "{self.name}" LOGIN' + (f" PASSWORD '{server.password}'" if server.password else ""))
        self.url = server.create_database(self.name, self.name)
        self._lock, self._reader = threading.Lock(), None

    def rows(self, sql, *values):
        """On a connection that is kept, for what waits looks often; a new one when the server
        has been away."""
        with self._lock:
            for last in (False, True):
                try:
                    self._reader = self._reader or Session(self.server.url(self.name), self.server.password, True)
                    return self._reader.ask(sql, values)
                except (psycopg2().OperationalError, psycopg2().InterfaceError):
                    self._reader = None
                    if last:
                        raise

    def write(self, sql, *values):
        """As who controls the server could: no foreign key is in the way. The rows changed."""
        return ask(self.server.url(self.name), sql, values, self.server.password,
                   options="-c session_replication_role=replica")

    def dump(self):
        """All rows by table."""
        tables = self.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        return {table["name"]: self.rows(f'SELECT * FROM "{table["name"]}"') for table in tables}

    def drop(self):
        if self._reader:
            self._reader.close()
        try:
            self.server.drop_database(self.name)
            self.server.query(f'DROP ROLE IF EXISTS "{self.name}"')
        except psycopg2().OperationalError:
            pass  # the server has gone before


# -- running one -----------------------------------------------------------------------


def _service_user():
    """PostgreSQL refuses to run as root: whose it is then, and what Popen wants for it."""
    if os.getuid() != 0:
        return None, {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    return user, {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port():
    """Below the ports that the kernel gives to clients: while the server is down, one that
    keeps asking for its port could otherwise be given that very port, and speak to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        limit = min(int(file.read().split()[0]), 32768)
    while True:
        port = random.SystemRandom().randrange(limit // 2, limit)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def _working_in(folder):
    """The processes whose working directory it is: of a server's data folder, all of its."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == folder:
                found.append(int(pid))
        except OSError:
            pass  # it has ended, or is nobody we may look at
    return found


def _signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _wait_for(what, probe, seconds):
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise AssertionError(f"PostgreSQL: after {seconds} s still not {what}")
        time.sleep(0.01)


def _kill_all(data):
    """SIGKILL to every process of a data folder, the postmaster first: it makes the others.
    What the kernel keeps for them, the pid file and a segment of shared memory, goes too, so
    that a pid that is used again cannot look like a server."""
    lock = os.path.join(data, "postmaster.pid")
    try:
        with open(lock, encoding="ascii") as file:
            lines = file.read().splitlines()
        _signal([int(lines[0])] if int(lines[0]) in _working_in(data) else [], signal.SIGKILL)
    except (OSError, IndexError, ValueError):
        lines = []  # not started, or not yet

    def gone():
        left = _working_in(data)
        _signal(left, signal.SIGKILL)
        return not left
    _wait_for("killed", gone, 10)
    if len(lines) > 6 and lines[6].strip():
        LIBC.shmctl(int(lines[6].split()[1]), IPC_RMID, None)
    if os.path.exists(lock):
        os.remove(lock)


class Cluster(Server):
    """A server of PostgreSQL 15 on a free port of 127.0.0.1 and on a unix socket in .folder.
    Its role postgres is a superuser. auth: "trust", or "scram-sha-256" with .password for
    that role. tls: plain connections are refused, .certificate is its own authority. fsync
    is off: what is killed loses nothing that the kernel has. settings: of postgresql.conf.
    parent: where its folder lies.
    A process beside it removes it all, should its maker end without close()."""

    def __init__(self, auth="trust", tls=False, fsync=False, max_connections=300, settings=None, parent=None):
        self._user, self._as_user = _service_user()
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="arkgate-pg-", dir=parent))
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "server.log")
        self.certificate = os.path.join(self.folder, "server.crt") if tls else None
        self.port = _free_port()
        self.postmaster = None
        self._watch = subprocess.Popen([sys.executable, os.path.abspath(__file__), "watch", self.folder],
                                       stdin=subprocess.PIPE, cwd="/", start_new_session=True)
        demand = "?" + urlencode({"sslmode": "verify-full", "sslrootcert": self.certificate}) if tls else ""
        super().__init__(f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/postgres{demand}",
                         None if auth == "trust" else secrets.token_hex(12))
        try:
            self._make(auth, tls, {
                **SETTINGS, "unix_socket_directories": f"'{self.folder}'", "max_connections": max_connections,
                "fsync": "on" if fsync else "off", "full_page_writes": "on" if fsync else "off", **(settings or {})})
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- making it -------------------------------------------------------------

    def _run(self, *command, **options):
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                             cwd=self.folder, env=self._environment(), start_new_session=True, **options)
        if ran.returncode != 0:
            raise AssertionError(f"{command[0]} ended with {ran.returncode}:\n{ran.stdout[-2000:]}")

    def _environment(self):
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": self.folder}

    def _give(self, name, text=None):
        """A file, perhaps a new one, to the server's user alone."""
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
                file.write(text)
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)
        return path

    def _make(self, auth, tls, settings):
        self._give(".")
        secret = ()
        if self.password:
            secret = (f"--pwfile={self._give('password', self.password)}",)
        self._run(f"{BIN}/initdb", "-D", self.data, "-U", SUPERUSER, f"--auth={auth}", *secret, *INITDB, **self._as_user)
        if tls:
            self._run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-days", "30", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                      "-keyout", "server.key", "-out", "server.crt", **self._as_user)
            settings = {**settings, "ssl": "on", "ssl_cert_file": f"'{self.certificate}'",
                        "ssl_key_file": f"'{self.folder}/server.key'"}
        self._give("data/pg_hba.conf", f"local all all {auth}\n{'hostssl' if tls else 'host'} all all 127.0.0.1/32 {auth}\n")
        self._give("data/postgresql.conf", "".join(f"{name} = {value}\n" for name, value in settings.items()))

    # -- running it ------------------------------------------------------------

    def _ready(self):
        if self.postmaster.poll() is not None:
            return True  # start() looks again
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.postmaster.pid) and lines[7].strip() == "ready"

    def log(self, size=3000):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-size:]

    def running(self):
        return self.postmaster is not None and self.postmaster.poll() is None

    def start(self, seconds=START_S):
        """Until it takes connections, after a kill() its recovery included; the port stays."""
        deadline = time.monotonic() + seconds
        while not self.running():
            with open(self.log_path, "ab") as log:
                begun = log.tell()
                self.postmaster = subprocess.Popen(
                    [f"{BIN}/postgres", "-D", self.data, "-p", str(self.port)], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, cwd=self.data, env=self._environment(), start_new_session=True, **self._as_user)
            _wait_for("ready", self._ready, max(1, deadline - time.monotonic()))
            if not self.running():
                with open(self.log_path, encoding="utf-8", errors="replace") as log:
                    log.seek(begun)
                    said = log.read()
                if "could not bind" not in said or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL ended with {self.postmaster.returncode}:\n{said[-3000:]}")
                time.sleep(0.1)  # whoever has the port for a moment
        return self

    def stop(self, mode="fast", seconds=START_S):
        """fast: with a checkpoint; immediate: without, so that start() recovers; smart: when
        the last client has gone."""
        if self.running():
            self.resume()
            self.postmaster.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT,
                                         "smart": signal.SIGTERM}[mode])
            try:
                self.postmaster.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"PostgreSQL did not stop within {seconds} s:\n{self.log()}")

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def kill(self):
        """SIGKILL to all of it at once."""
        _kill_all(self.data)
        if self.postmaster:
            self.postmaster.wait()

    def pause(self):
        """SIGSTOP to all of it: connections stay open, nobody answers."""
        def stopped():
            # The postmaster makes the others, so it is the first of each look.
            left = [pid for pid in [self.postmaster.pid, *_working_in(self.data)] if _state(pid) not in "TZX"]
            _signal(left, signal.SIGSTOP)
            return not left
        _wait_for("paused", stopped, 10)

    def resume(self):
        _signal(_working_in(self.data), signal.SIGCONT)

    def close(self):
        """Stops it and removes the folder."""
        try:
            if self.running():
                self.stop("immediate")
        finally:
            self._watch.stdin.close()
            self._watch.wait()


def _state(pid):
    """One letter, see proc(5); X for none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


# -- as a program ----------------------------------------------------------------------


def watch(folder):
    """Until its end of the pipe is the last: who made the server has closed it, or is dead."""
    sys.stdin.buffer.read()
    _kill_all(os.path.join(folder, "data"))
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def run(command):
    process = None

    def pass_on(number, _):
        if process is None:
            raise SystemExit(128 + number)  # what is being started ends with us
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    with Cluster() as cluster:
        # The user's own settings for libpq are not meant. A group of its own: what a terminal
        # sends arrives once, through us.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        process = subprocess.Popen(command, env={**env, VARIABLE: cluster.url()}, process_group=0,
                                   preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
        status = process.wait()
    return status if status >= 0 else 128 - status


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "watch":
        return watch(arguments[1])
    if len(arguments) < 2 or arguments[0] != "run":
        print(__doc__, file=sys.stderr)
        return 2
    return run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

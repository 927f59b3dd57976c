#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the gateway on SQLite and on PostgreSQL in turns, in one run on one machine, and
prints Markdown. PostgreSQL is a server of its own beside the gateway, with fsync, on the
same cores: what it needs, the gateway cannot have.

usage: engines.py [--quick] [--rounds N] [--patience SECONDS] [--dir DIR] [--build DIR]
                  [--tenants N]
"""
import argparse
import os
import statistics
import sys
import tempfile

import run as base

sys.path.insert(0, os.path.join(base.ROOT, "tests/lib"))
ENGINES = ("sqlite", "postgresql")
CREATE_CLIENTS = 64
NEEDED = {"create, one tenant": 1000, "create, many tenants": 2000}


def install(bench, engine, cluster, tenants):
    """An installation with so many tenants; the file of their tokens, the first of them."""
    inst = base.arkgate.Installation(engine=engine, server=cluster)
    bench.installations.append(inst)
    inst.add_upstream(url=f"http://127.0.0.1:{bench.stub_port}")
    tokens = [inst.add_tenant(f"tenant{n}", base.CREDIT) for n in range(tenants)]
    path = os.path.join(bench.folder, f"tokens-{engine}")
    with open(path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write("".join(f"{token}\n" for token in tokens))
    return inst, path, tokens[0]


def scenarios(serve, path, token):
    task = base.first_task(serve.url, token)
    create = {"url": serve.url + base.BASE, "method": "POST", "body": base.BODY, "clients": CREATE_CLIENTS}
    for clients in base.CLIENTS:
        yield f"GET of a task, {clients} clients", {"url": f"{serve.url}{base.BASE}/{task}", "token": token,
                                                    "clients": clients}
    yield "create, one tenant", {**create, "token": token}
    yield "create, many tenants", {**create, "tokens": path}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="rounds of 1 s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS",
                        help="to wait, in all, for rounds without other load (0)")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="whose disk is measured")
    parser.add_argument("--build", default=os.path.join(base.ROOT, "build/release"))
    parser.add_argument("--tenants", type=int, default=100)
    options = parser.parse_args()
    options.seconds, options.stub_port = 1 if options.quick else 3, 0
    options.build = os.path.abspath(options.build)
    return options


def measure(bench, cluster):
    named = {}
    for engine in ENGINES:
        inst, path, token = install(bench, engine, cluster if engine == "postgresql" else None, bench.options.tenants)
        serve = inst.start_serve({"workers": base.WORKERS_LOAD})
        named[engine] = dict(scenarios(serve, path, token))
    rates = {}
    for number in range(bench.options.rounds):
        for name in named["sqlite"]:
            for engine in ENGINES:
                bench.wait_quiet()
                result = bench.load(seconds=bench.options.seconds, **named[engine][name])
                rates.setdefault((name, engine), []).append(result["rate"])
                base.log(f"round {number + 1}: {engine}: {name}: {result['rate']:.0f}/s, "
                         f"p50 {result['p50']:.1f} ms, p99 {result['p99']:.1f} ms")
    print("| a second | SQLite | PostgreSQL | ratio | needed |\n|---|---|---|---|---|")
    for name in named["sqlite"]:
        ours, theirs = (statistics.median(rates[name, engine]) for engine in ENGINES)
        needed = NEEDED.get(name, f"{0.5:.1f} x")
        print(f"| {name} | {ours:,.0f} | {theirs:,.0f} | {theirs / ours:.2f} x | {needed} |")
    print(f"\nStrangers took {bench.theirs_s / bench.whole_s:.0%} of the CPU.")


def main():
    options = parse()
    os.environ["ARKGATE_BIN"] = os.path.join(options.build, "gateway/arkgate")
    tempfile.tempdir = options.dir
    import arkgate
    import postgres
    base.arkgate = arkgate
    bench = base.Bench(options)
    try:
        bench.start_stub()
        with postgres.Cluster(fsync=True, settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}) as cluster:
            bench.children.append(cluster.postmaster)
            try:
                measure(bench, cluster)
            finally:
                bench.children.remove(cluster.postmaster)
                for inst in bench.installations:
                    inst.close()
                bench.installations = []
    finally:
        bench.close()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the asset library on both engines and prints Markdown: a list of 100 among very many
assets, creates, what a signature costs, and memory while files are fetched.

usage: assets.py [--quick] [--rounds N] [--patience SECONDS] [--dir DIR] [--build DIR] [--assets N]
"""
import argparse
import hashlib
import hmac
import http.client
import json
import os
import statistics
import struct
import sys
import tempfile
import time
import urllib.parse

import run as base

sys.path.insert(0, os.path.join(base.ROOT, "tests/lib"))
ENGINES = ("sqlite", "postgresql")
CLIENTS = 64
LISTS = 200
FILES, FILE_MB = 20, 10
ASK = "/volcark/?Action={}&Version=2024-01-01"


def act(inst, token, action, body):
    answer = inst.serve.call("POST", ASK.format(action), token, body)
    if answer.status != 200:
        base.fail(f"{action}: {answer}")
    return answer.json["Result"]


def signed(key, target, body, host):
    """Headers of a request by signature V4, as npm's client signs it."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    digest = hashlib.sha256(body.encode()).hexdigest()
    scope = f"{date[:8]}/cn-beijing/ark/request"
    canonical = (f"POST\n/volcark/\n{target.split('?')[1]}\nx-content-sha256:{digest}\nx-date:{date}\n\n"
                 f"x-content-sha256;x-date\n{digest}")
    secret = key["secret"].encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), "sha256").digest()
    text = f"HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()
    return {"X-Date": date, "X-Content-Sha256": digest,
            "Authorization": f"HMAC-SHA256 Credential={key['id']}/{scope}, SignedHeaders=x-content-sha256;x-date,"
                             f" Signature={signature}"}


def fill(inst, group_id, count):
    """Copies of the one asset there is, and what lists count."""
    series = (f"(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
              if inst.engine == "sqlite" else f"(SELECT CAST(generate_series(1, {count}) AS bigint) AS n)")
    row = inst.rows("SELECT * FROM asset")[0]
    differ = {"id": "'asset-20260101000000-' || n", "created_us": "created_us + n * 1000000",
              "updated_us": "updated_us + n * 1000000"}
    names = list(row)
    inst.write(f"INSERT INTO asset ({', '.join(names)}) SELECT {', '.join(differ.get(name, name) for name in names)}"
               f" FROM {series} AS s, (SELECT * FROM asset) AS a")
    inst.write(f"UPDATE asset_count SET n = n + {count}")
    if inst.engine == "postgresql":
        inst.write("ANALYZE asset")


def wait_ms(serve, token, body):
    """The median wait of one client for a list."""
    parts = urllib.parse.urlsplit(serve.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    waits = []
    for _ in range(LISTS):
        begun = time.perf_counter()
        connection.request("POST", ASK.format("ListAssets"), body,
                           {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        whole = answer.read()
        waits.append((time.perf_counter() - begun) * 1e3)
        if answer.status != 200 or len(json.loads(whole)["Result"]["Items"]) != 100:
            base.fail(f"ListAssets: {answer.status} {whole[:300]}")
    return statistics.median(waits)


def measure_lists(inst, token, count):
    group_id = act(inst, token, "CreateAssetGroup", {"Name": "many", "GroupType": "AIGC"})["Id"]
    act(inst, token, "CreateAsset", {"GroupId": group_id, "URL": "http://127.0.0.1:9/a", "AssetType": "Image"})
    fill(inst, group_id, count - 1)
    kinds = {"the newest 100": {}, "of one group": {"Filter": {"GroupType": "AIGC", "GroupIds": [group_id]}},
             "by UpdateTime, oldest first": {"SortBy": "UpdateTime", "SortOrder": "Asc"},
             "that are processing": {"Filter": {"GroupType": "AIGC", "Statuses": ["Processing"]}}}
    return group_id, {kind: wait_ms(inst.serve, token, json.dumps({"Filter": {"GroupType": "AIGC"}, "PageSize": 100, **more}))
                      for kind, more in kinds.items()}


def rate(bench, url, **more):
    bench.wait_quiet()
    return bench.load(url=url, clients=CLIENTS, seconds=bench.options.seconds, method="POST", **more)["rate"]


def measure_rates(bench, inst, token, key, group_id):
    create = json.dumps({"GroupId": group_id, "URL": "http://127.0.0.1:9/a.png", "AssetType": "Image", "Name": "front.png"})
    get, target = json.dumps({"Id": group_id}), ASK.format("GetAssetGroup")
    rates = {"CreateAsset": [], "GetAssetGroup, Bearer": [], "GetAssetGroup, signed": []}
    for _ in range(bench.options.rounds):
        rates["CreateAsset"].append(rate(bench, inst.serve.url + ASK.format("CreateAsset"), token=token, body=create))
        rates["GetAssetGroup, Bearer"].append(rate(bench, inst.serve.url + target, token=token, body=get))
        rates["GetAssetGroup, signed"].append(rate(bench, inst.serve.url + target, body=get,
                                                   headers=signed(key, target, get, inst.serve.url)))
    return {name: statistics.median(values) for name, values in rates.items()}


def picture():
    """A BMP of noise with nearly FILE_MB megabytes."""
    width, height = 2000, FILE_MB * 1000 * 1000 // 6000
    head = struct.pack("<IHHIIiiHHIIiiII", 54 + 3 * width * height, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + head + os.urandom(3 * width * height)


def measure_ingest(inst, token, media):
    server = media.Server()
    try:
        file = picture()
        urls = [server.give(f"/large-{n}.bmp", file) for n in range(FILES)]
        group_id = act(inst, token, "CreateAssetGroup", {"Name": "files", "GroupType": "AIGC"})["Id"]
        before, begun = base.memory_kb(inst.serve.popen.pid, "VmRSS"), time.monotonic()
        ids = [act(inst, token, "CreateAsset", {"GroupId": group_id, "URL": url, "AssetType": "Image"})["Id"]
               for url in urls]
        states = {}
        while len(states) < FILES:
            for one in ids:
                shown = act(inst, token, "GetAsset", {"Id": one})
                if shown["Status"] != "Processing":
                    states[one] = shown["Status"]
            time.sleep(0.05)
        if set(states.values()) != {"Active"}:
            base.fail(f"not all became active: {states}")
        return {"seconds": time.monotonic() - begun, "before": before / 1024,
                "peak": base.memory_kb(inst.serve.popen.pid, "VmHWM") / 1024}
    finally:
        server.close()


def measure(bench, engine, cluster, media):
    inst = base.arkgate.Installation(engine=engine, server=cluster)
    bench.installations.append(inst)
    token = inst.add_tenant("acme", base.CREDIT)
    inst.cli("tenant", "set", "acme", "asset_count=1000000000", f"asset_bytes={1 << 60}")
    key = inst.cli_json("access-key", "add", "acme")
    serve = inst.start_serve({"workers": base.WORKERS_LOAD, "ingest_workers": 0})
    group_id, waits = measure_lists(inst, token, bench.options.assets)
    rates = measure_rates(bench, inst, token, key, group_id)
    serve.stop()
    inst.write("DELETE FROM ingest")
    inst.start_serve({"workers": base.WORKERS_LOAD, "ingest_workers": FILES}, arguments=("--allow-private-network",))
    ingest = measure_ingest(inst, token, media)
    inst.stop()
    return waits, rates, ingest


def report(found, bench):
    print(f"| {bench.options.assets:,} assets | SQLite | PostgreSQL | needed |\n|---|---|---|---|")
    for kind in found["sqlite"][0]:
        print(f"| a list of 100, {kind}, ms | " + " | ".join(f"{found[e][0][kind]:.1f}" for e in ENGINES) + " | 5 |")
    for name in found["sqlite"][1]:
        print(f"| {name}, a second | " + " | ".join(f"{found[e][1][name]:,.0f}" for e in ENGINES)
              + f" | {'1,000' if name == 'CreateAsset' else ''} |")
    print("| what a signature costs | " + " | ".join(
        f"{found[e][1]['GetAssetGroup, Bearer'] / found[e][1]['GetAssetGroup, signed']:.2f} x" for e in ENGINES)
        + " | 1.3 x |")
    print(f"| {FILES} files of {FILE_MB} MB at once, s | " + " | ".join(f"{found[e][2]['seconds']:.1f}" for e in ENGINES) + " | |")
    print("| memory before, and at most, MB | " + " | ".join(
        f"{found[e][2]['before']:.0f}, {found[e][2]['peak']:.0f}" for e in ENGINES) + " | 100 |")
    print(f"\nStrangers took {bench.theirs_s / bench.whole_s:.0%} of the CPU.")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="rounds of 1 s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="whose disk is measured")
    parser.add_argument("--build", default=os.path.join(base.ROOT, "build/release"))
    parser.add_argument("--assets", type=int, default=1_000_000)
    options = parser.parse_args()
    options.seconds, options.stub_port = 1 if options.quick else 3, 0
    options.build = os.path.abspath(options.build)
    return options


def main():
    options = parse()
    os.environ["ARKGATE_BIN"] = os.path.join(options.build, "gateway/arkgate")
    tempfile.tempdir = options.dir
    import arkgate
    import media
    import postgres
    base.arkgate = arkgate
    bench = base.Bench(options)
    try:
        with postgres.Cluster(fsync=True, settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}) as cluster:
            bench.children.append(cluster.postmaster)
            found = {engine: measure(bench, engine, cluster if engine == "postgresql" else None, media) for engine in ENGINES}
            report(found, bench)
            bench.children.remove(cluster.postmaster)
            for inst in bench.installations:
                inst.close()
            bench.installations = []
    finally:
        media.clean()
        bench.close()


if __name__ == "__main__":
    main()

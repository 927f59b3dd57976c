# SPDX-License-Identifier: Apache-2.0
"""The ingest of assets under crashes: whatever the gateway was at, every asset becomes active
or fails, no stored file is lost, and none is left without an asset."""
import hashlib
import os
import random
import time

import arkgate
import media

SETTINGS = {"workers": 64, "ingest_look": "100ms", "ingest_retry": "50ms", "ingest_fetch": "10s", "ingest_workers": 4}
PASSAGES = (1, 2, 5)
KILLS, FILES = 10, 20
STOPS, STOP_S, LOOK_S = 2, 5, 30
# On PostgreSQL a gateway that was killed keeps its files for two minutes, a download's time in
# them: the kills at random sit that out, the others make it pass.
TAKEN_S = 200


class Library:
    """A tenant with a group, a web server with real media, and the assets that were asked for."""

    def __init__(self, inst):
        self.inst = inst
        self.token = inst.add_tenant("acme", "1")
        self.group, self.wanted = None, {}  # id: the bytes, None where it must fail
        self.server = media.Server()
        self.number = 0

    def start(self, fault=None, **settings):
        """The gateway, or None when the fault ended it before it was ready."""
        try:
            return self.inst.start_serve({**SETTINGS, **settings}, arguments=("--allow-private-network",),
                                         env={"ARKGATE_FAULT": fault} if fault else {})
        except AssertionError:
            if fault is None or self.inst.processes[-1].running():
                raise
            return None

    def act(self, action, body):
        answer = self.inst.serve.call("POST", f"/volcark/?Action={action}&Version=2024-01-01", self.token, body)
        if answer.status != 200:
            raise AssertionError(f"{action} {body}: {answer}")
        return answer.json["Result"]["Id"]

    def give(self, body, kind, good=True, pause=0.0):
        """Asks for one asset, whose file comes in twenty pieces."""
        self.number += 1
        url = self.server.give(f"/{self.number}", media.Answer(body, pause=pause, piece=len(body) // 20))
        self.group = self.group or self.act("CreateAssetGroup", {"Name": "g", "GroupType": "AIGC"})
        asset = self.act("CreateAsset", {"GroupId": self.group, "URL": url, "AssetType": kind})
        self.wanted[asset] = body if good else None

    def give_several(self, pause=0.0):
        """Of each kind, two that are equal, and what is no media."""
        for body, kind in ((media.image(), "Image"), (media.image("jpg"), "Image"), (media.image("webp"), "Image"),
                           (media.image(), "Image"), (media.video(2), "Video"), (media.audio(2), "Audio"),
                           (media.audio(2, "wav"), "Audio")):
            self.give(body, kind, pause=pause)
        self.give(b"no media\n" * 50, "Image", good=False, pause=pause)

    def died(self):
        """The fault point killed it."""
        serve = self.inst.processes[-1]
        arkgate.wait_for("the fault point", lambda: not serve.running(), 30)
        serve.ended = True
        if serve.popen.wait() != -9:
            raise AssertionError(f"the gateway ended with {serve.popen.wait()}")

    def time_passes(self):
        """What dead gateways hold is due."""
        self.inst.write("UPDATE ingest SET due_us = 1")

    def wait_for_all(self, seconds=60):
        arkgate.wait_for("every asset is active or failed", lambda: not self.inst.rows(
            "SELECT id FROM asset WHERE status = 'Processing'"), seconds, 0.1)


def stored(inst):
    """Files below blobs, by tenant and hash, and those that are unfinished."""
    root = os.path.join(inst.data, "blobs")
    kept, unfinished = {}, []
    for folder, _, names in os.walk(root):
        where = os.path.relpath(folder, root).split(os.sep)
        for name in names:
            if where[0] == "tmp":
                unfinished.append(name)
            elif where != ["."]:
                kept[int(where[0]), where[1] + name] = os.path.join(folder, name)
    return kept, unfinished


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_rows(library, bad):
    """Each answered asset is as its file deserves; the counts are those of the rows."""
    rows = {row["id"]: row for row in library.inst.rows("SELECT * FROM asset")}
    for asset, body in library.wanted.items():
        row = rows.get(asset)
        if row is None:
            bad(f"{asset} was answered and is not there")
        elif row["status"] != ("Failed" if body is None else "Active"):
            bad(f"{asset} is {row['status']}: {row['error_code']} {row['error_message']}")
        elif body is not None and bytes(row["hash"]).hex() != hashlib.sha256(body).hexdigest():
            bad(f"{asset} has other bytes than were sent")
    if library.inst.rows("SELECT * FROM ingest"):
        bad("files still wait to be fetched")
    for where in ("group_id = ''", "group_id <> ''"):
        counted = library.inst.rows(f"SELECT status, n, bytes FROM asset_count WHERE {where} AND n <> 0 ORDER BY status")
        real = library.inst.rows("SELECT status, count(*) AS n, sum(bytes) AS bytes FROM asset GROUP BY status ORDER BY status")
        if [tuple(map(str, row.values())) for row in counted] != [tuple(map(str, row.values())) for row in real]:
            bad(f"asset_count {where} says {counted}, the assets {real}")
    return rows


def check_files(library, rows, bad):
    """Every active asset has its files, with the right bytes."""
    kept, _ = stored(library.inst)
    for row in rows.values():
        for name in ("hash", "thumbnail"):
            if row["status"] == "Active" and row[name] is not None:
                path = kept.get((row["tenant_id"], bytes(row[name]).hex()))
                if path is None:
                    bad(f"{row['id']}: its {name} is not stored")
                elif digest_of(path) != bytes(row[name]).hex():
                    bad(f"{row['id']}: its {name} is damaged")


def finish(library):
    """A gateway without faults makes up for everything; after its sweep nothing is left over."""
    inst, found = library.inst, []
    if not inst.serves:
        library.start()
    library.wait_for_all(TAKEN_S)
    rows = check_rows(library, found.append)
    check_files(library, rows, found.append)
    inst.serve.stop()
    library.start(ingest_sweep="1s", ingest_keep="1s")
    needed = {(row["tenant_id"], bytes(row[name]).hex()) for row in rows.values() for name in ("hash", "thumbnail")
              if row["status"] == "Active" and row[name] is not None}

    def swept():
        kept, unfinished = stored(inst)
        return set(kept) == needed and not unfinished
    try:
        arkgate.wait_for("the sweep", swept, 20, 0.1)
    except AssertionError:
        kept, unfinished = stored(inst)
        found.append(f"after the sweep: too many {set(kept) - needed}, missing {needed - set(kept)}, unfinished {unfinished}")
    check_files(library, rows, found.append)
    if found:
        raise AssertionError("\n  ".join(["after the crashes:", *found[:30]]))
    inst.cli("doctor", "--blobs")
    inst.stop()
    return f"{len(rows)} assets, {len(needed)} files"


def killed_at(library, name):
    """The gateway dies on its 1st, 2nd and 5th way through a fault point."""
    for passage in PASSAGES:
        asked = library.start(ingest_workers=0)
        library.give_several()
        asked.kill()
        library.start(f"{name}:{passage}:kill")
        library.died()
        library.time_passes()
    return finish(library)


def fails_at(library, name):
    """What the fault point stands for fails on its 1st, 2nd and 5th time; the ingest goes on."""
    for passage in PASSAGES:
        library.start(f"{name}:{passage}:fail")
        library.give_several()
        library.wait_for_all()
        if '"ingest_later"' not in library.inst.serve.log():
            raise AssertionError(f"nothing failed at {name}")
        library.inst.serve.stop()
    return finish(library)


def kills_at_random(library, seed):
    """Ten kill -9 while twenty files are fetched, looked at and kept."""
    draw = random.Random(seed)
    library.start(ingest_workers=0)
    for _ in range(FILES):
        body, kind = draw.choice(((media.image(), "Image"), (media.image("jpg"), "Image"), (media.video(2), "Video"),
                                  (media.audio(2), "Audio")))
        library.give(body, kind, pause=draw.choice((0, 0.01)))
    library.inst.serve.kill()
    at_work = 0
    for _ in range(KILLS):
        serve = library.start(ingest_workers=2)
        time.sleep(draw.uniform(0.02, 0.4))
        at_work += bool(library.inst.rows("SELECT asset_id FROM ingest WHERE tries > 0"))
        serve.kill()
    if at_work < KILLS // 2:
        raise AssertionError(f"only {at_work} kills hit an ingest")
    library.start(ingest_workers=2)
    return finish(library)


def sigterm(library, seed):
    """SIGTERM while files come in, and while they are looked at: a clean end, and nothing lost.
    Downloads are cut at once; a look is waited for, which on a busy machine takes a while."""
    draw, took = random.Random(seed), []

    def stop():
        time.sleep(draw.uniform(0.1, 0.5))
        begun = time.monotonic()
        library.inst.serve.stop(LOOK_S)
        took.append(time.monotonic() - begun)

    for _ in range(STOPS):
        library.start()
        asked = len(library.server.asked)
        library.give_several(pause=1.0)  # none is whole before the stop
        arkgate.wait_for("downloads", lambda: len(library.server.asked) > asked)
        stop()
    if max(took) > STOP_S:
        raise AssertionError(f"with downloads alone stops took {took} s")
    for answer in library.server.answers.values():
        answer.pause = 0
    for _ in range(STOPS):
        library.start()
        stop()
    return f"stops took {', '.join(f'{seconds:.1f}' for seconds in took)} s; {finish(library)}"

# SPDX-License-Identifier: Apache-2.0
"""Whose file is worked on, and when: shares of tenants, retries, turns at looking, and which
failures count against a file."""
import collections
import itertools
import os
import threading

import media
from arkgate import PROBE, wait_for
from test_assets import group, listed
from test_ingest import ended, failed, given, start


def image_after(event):
    """What a host gives that says nothing until then."""
    def answer():
        event.wait()
        return media.Answer(media.image())
    return answer


def probe_that(inst, name, does):
    """A program that is arkgate-probe, but for what it does before with PNGs, in the shell's words."""
    path = os.path.join(inst.folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\ncase "$*" in *" png "*) {does} ;; esac\nexec "{PROBE}" "$@"\n')
    os.chmod(path, 0o700)
    return path


def beside_a_slow_host(ctx, files):
    """One tenant's files that do not come until an event, and another tenant."""
    inst, token, server = start(ctx, ingest_workers=4)
    go_on, group_id, other = threading.Event(), group(ctx, inst, token), inst.add_tenant("other")
    late = image_after(go_on)
    slow = [given(ctx, inst, token, group_id, server.give(f"/{n}.png", late)) for n in range(files)]
    wait_for("they are under way", lambda: len(server.asked) >= 2)

    def finish():
        go_on.set()
        for asset_id in slow:
            ctx.equal("in the end", ended(inst, token, asset_id)["Status"], "Active")
        server.close()
    return inst, server, other, finish


def test_slow_hosts_of_one_tenant_leave_threads_to_others(ctx):
    inst, server, other, finish = beside_a_slow_host(ctx, 4)
    quick = given(ctx, inst, other, group(ctx, inst, other), server.give("/quick.png", media.image()))
    ctx.equal("the other's", ended(inst, other, quick)["Status"], "Active")
    ctx.equal("asked for: half as many as threads, and the other's", len(server.asked), 3)
    ctx.equal("they last", listed(inst, inst.token, filter={"Statuses": ["Processing"]})[0], 4)
    finish()


def test_our_own_failures_take_no_try_from_a_file(ctx):
    inst = ctx.new(serve=False)
    broken = os.path.join(inst.folder, "broken")
    probe = probe_that(inst, "probe-that-breaks", f"[ -e {broken} ] && exit 104")
    open(broken, "w", encoding="ascii").close()
    inst.start_serve({"ingest_retry": "10ms", "probe": probe}, arguments=("--allow-private-network",))
    server, bad_day = media.Server(), []

    def answer():
        return bad_day.pop() if bad_day else media.Answer(media.image())
    asset_id = given(ctx, inst, inst.token, group(ctx, inst, inst.token), server.give("/a.png", answer))
    wait_for("many tries", lambda: len(server.asked) >= 6, 30)
    bad_day.append(media.Answer(status=503))
    wait_for("a bad day of its server", lambda: not bad_day)
    os.remove(broken)
    ctx.equal("in the end", ended(inst, inst.token, asset_id)["Status"], "Active")
    server.close()


def test_retries_do_not_wait_for_slow_hosts(ctx):
    """Whichever thread it is that a slow host keeps busy, what is due by time is begun in time."""
    inst, server, other, finish = beside_a_slow_host(ctx, 2)
    others_id = group(ctx, inst, other)
    for n in range(4):
        busy = iter([media.Answer(status=503)])
        asset_id = given(ctx, inst, other, others_id, server.give(f"/busy-{n}.png", lambda: next(busy, media.Answer(media.image()))))
        ctx.equal("at its second try", ended(inst, other, asset_id, seconds=10)["Status"], "Active")
    finish()


def test_a_file_that_gets_its_probe_killed(ctx):
    """By whom nobody knows: it is tried more often than a download, and not for ever."""
    inst = ctx.new(serve=False)
    probe = probe_that(inst, "probe-that-pngs-kill", "kill -KILL $$")
    inst.start_serve({"ingest_retry": "10ms", "probe": probe}, arguments=("--allow-private-network",))
    server = media.Server()
    group_id = group(ctx, inst, inst.token)
    bad_days = iter([media.image()] * 4)
    always = given(ctx, inst, inst.token, group_id, server.give("/always", media.image()))
    at_first = given(ctx, inst, inst.token, group_id, server.give("/at_first", lambda: media.Answer(next(bad_days, media.image("jpg")))))
    ctx.equal("a few times", ended(inst, inst.token, at_first)["Status"], "Active")
    failed(ctx, "always", ended(inst, inst.token, always), "FormatUnsupported", "memory")
    ctx.equal("tries of both", collections.Counter(path for path, _ in server.asked), {"/always": 30, "/at_first": 5})
    server.close()


def test_looks_do_not_compete(ctx):
    """No more files are looked at than there are processors, however many are fetched."""
    at_once = max(2, os.cpu_count())
    inst = ctx.new(serve=False)
    told = os.path.join(inst.folder, "told")
    probe = probe_that(inst, "probe-that-tells", f"echo 1 >> {told}; sleep 0.3; echo -1 >> {told}")
    inst.start_serve({"ingest_workers": min(4 * at_once, 64), "probe": probe}, arguments=("--allow-private-network",))
    server = media.Server()
    group_id = group(ctx, inst, inst.token)
    ids = [given(ctx, inst, inst.token, group_id, server.give(f"/{n}.png", media.image())) for n in range(2 * at_once)]
    for asset_id in ids:
        ctx.equal("in its turn", ended(inst, inst.token, asset_id)["Status"], "Active")
    with open(told, encoding="utf-8") as file:
        running = list(itertools.accumulate(map(int, file)))
    ctx.true("at once", 1 < max(running) <= at_once, running)
    server.close()

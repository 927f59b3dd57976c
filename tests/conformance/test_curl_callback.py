# SPDX-License-Identifier: Apache-2.0
"""The reseller's first example, with a callback address. A host of the test's own answer
stands for the public one, so nobody's DNS is asked."""
from curl import created


def test_create_4k_with_a_callback(ctx):
    inst = ctx.new(settings={"resolve": "example.com=93.184.215.14"})
    task = created(ctx, inst, "create-4k")
    want = {"model": "doubao-seedance-2-0", "status": "succeeded", "resolution": "4k", "ratio": "16:9", "duration": 4,
            "framespersecond": 24, "service_tier": "default", "execution_expires_after": 3600, "generate_audio": False,
            "safety_identifier": "user-hash-001", "priority": 0}
    ctx.equal("task", {name: task.get(name) for name in want}, want)
    ctx.equal("content", list(task["content"]), ["video_url", "last_frame_url"])
    ctx.equal("usage", task["usage"], {"completion_tokens": 785700, "total_tokens": 785700})

# SPDX-License-Identifier: Apache-2.0
"""Two segments: the last frame of one is the first frame of the next."""
import os
import time

from volcenginesdkarkruntime import Ark

client = Ark(
    base_url=os.environ["ARK_BASE_URL"],
    api_key=os.environ.get("ARK_API_KEY"),
)


def wait_for_end(task_id):
    while True:
        task = client.content_generation.tasks.get(task_id=task_id)
        if task.status in ("succeeded", "failed", "expired", "cancelled"):
            print(f"{task.status} {task_id}")
            return task
        time.sleep(0.1)


first = client.content_generation.tasks.create(
    model="doubao-seedance-2-0-260128",
    content=[{"type": "text", "text": "Scene 1: a paper plane leaves a window..."}],
    return_last_frame=True,
    duration=5,
)
last_frame_url = wait_for_end(first.id).content.last_frame_url
print(f"last_frame {last_frame_url}")

second = client.content_generation.tasks.create(
    model="doubao-seedance-2-0-260128",
    content=[
        {"type": "text", "text": "Scene 2: from there it glides over the roofs..."},
        {
            "type": "image_url",
            "image_url": {"url": last_frame_url},
            "role": "first_frame",
        },
    ],
    return_last_frame=True,
    duration=5,
)
print(f"last_frame {wait_for_end(second.id).content.last_frame_url}")

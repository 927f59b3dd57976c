# SPDX-License-Identifier: Apache-2.0
"""Text and a picture: make a task, ask until it has ended, print where the video is."""
import os
import time

from volcenginesdkarkruntime import Ark

client = Ark(
    base_url=os.environ["ARK_BASE_URL"],
    api_key=os.environ.get("ARK_API_KEY"),
)

created = client.content_generation.tasks.create(
    model="doubao-seedance-2-0-260128",
    content=[
        {"type": "text", "text": "The fox in the picture wakes up and stretches"},
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/fox.png"},
        },
    ],
    generate_audio=True,
    ratio="adaptive",
    duration=5,
    watermark=False,
)
print(f"created {created.id}")

while True:
    task = client.content_generation.tasks.get(task_id=created.id)
    if task.status == "succeeded":
        print(f"video {task.content.video_url}")
        print(f"last_frame {task.content.last_frame_url}")
        break
    elif task.status == "failed":
        print(f"failed {task.error}")
        break
    else:
        print(f"status {task.status}")
        time.sleep(0.1)

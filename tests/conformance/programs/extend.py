# SPDX-License-Identifier: Apache-2.0
"""A video to be continued."""
import os

from volcenginesdkarkruntime import Ark

client = Ark(
    base_url=os.environ["ARK_BASE_URL"],
    api_key=os.environ.get("ARK_API_KEY"),
)

created = client.content_generation.tasks.create(
    model="doubao-seedance-2-0-260128",
    content=[
        {"type": "text", "text": "Continue video 1: the train leaves the tunnel and crosses a snowy valley"},
        {
            "type": "video_url",
            "video_url": {"url": "https://example.com/train.mp4"},
            "role": "reference_video",
        },
    ],
    generate_audio=True,
    ratio="16:9",
    duration=8,
    watermark=False,
)
print(f"created {created.id}")

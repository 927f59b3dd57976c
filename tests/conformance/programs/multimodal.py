# SPDX-License-Identifier: Apache-2.0
"""Two pictures, a video and a piece of music as references."""
import os

from volcenginesdkarkruntime import Ark

client = Ark(
    base_url=os.environ["ARK_BASE_URL"],
    api_key=os.environ.get("ARK_API_KEY"),
)

created = client.content_generation.tasks.create(
    model="doubao-seedance-2-0-260128",
    content=[
        {
            "type": "text",
            "text": "Move the camera as in video 1, play audio 1: an orchard in image 1, the drink of image 2...",
        },
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/orchard.jpg"},
            "role": "reference_image",
        },
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/drink.jpg"},
            "role": "reference_image",
        },
        {
            "type": "video_url",
            "video_url": {"url": "https://example.com/walk.mp4"},
            "role": "reference_video",
        },
        {
            "type": "audio_url",
            "audio_url": {"url": "https://example.com/tune.mp3"},
            "role": "reference_audio",
        },
    ],
    generate_audio=True,
    ratio="16:9",
    duration=11,
    watermark=False,
)
print(f"created {created.id}")

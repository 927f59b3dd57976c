#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The calls of the vendor's and a reseller's pages as their readers type them; BASE_URL
# and TOKEN come from the environment. The last line is the status.
#
#   curl.sh STEP [TASK_ID | GROUP_ID MEDIA_URL | ASSET_ID...]
set -euo pipefail

TASK_ID=${2:-}

case "$1" in
text-to-video)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/api/v3/contents/generations/tasks" \
        -H "Content-Type: application/json" \
        -H "Authorization: Bearer $TOKEN" \
        -d '{
    "model": "doubao-seedance-2-0-260128",
    "content": [
        {
            "type": "text",
            "text": "An owl turns its head towards the camera, dim light, close-up"
        }
    ],
    "generate_audio": true,
    "ratio": "16:9",
    "duration": 5,
    "watermark": false
}'
    ;;
first-frame)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/api/v3/contents/generations/tasks" \
        -H "Content-Type: application/json" \
        -H "Authorization: Bearer $TOKEN" \
        -d '{
    "model": "doubao-seedance-2-0-260128",
    "content": [
        {
            "type": "text",
            "text": "The old man in the picture looks up and smiles"
        },
        {
            "type": "image_url",
            "image_url": {
                "url": "https://example.com/first-frame.png"
            }
        }
    ],
    "generate_audio": true,
    "ratio": "adaptive",
    "duration": 5,
    "watermark": false
}'
    ;;
poll)
    curl -sS -w '\n%{http_code}\n' -X GET "$BASE_URL/api/v3/contents/generations/tasks/$TASK_ID" \
        -H "Content-Type: application/json" \
        -H "Authorization: Bearer $TOKEN"
    ;;
create-4k)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/api/v3/contents/generations/tasks" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "content": [
      {
        "type": "text",
        "text": "一只木鸟飞过黄昏的山谷，长镜头，暖色调。"
      }
    ],
    "duration": 4,
    "ratio": "16:9",
    "resolution": "4k",
    "generate_audio": false,
    "watermark": true,
    "return_last_frame": true,
    "execution_expires_after": 3600,
    "priority": 0,
    "safety_identifier": "user-hash-001",
    "callback_url": "https://example.com/volcark/callback"
  }'
    ;;
edit-video)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/api/v3/contents/generations/tasks" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "content": [
      {
        "type": "text",
        "text": "编辑视频 1：镜头不变，把木椅换成图片 1 那样的藤椅。"
      },
      {
        "type": "video_url",
        "role": "reference_video",
        "video_url": {
          "url": "https://example.com/room.mp4"
        }
      },
      {
        "type": "image_url",
        "role": "reference_image",
        "image_url": {
          "url": "https://example.com/chair.png"
        }
      }
    ],
    "duration": 6,
    "ratio": "16:9",
    "resolution": "720p",
    "generate_audio": false
  }'
    ;;
extend-video)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/api/v3/contents/generations/tasks" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "content": [
      {
        "type": "text",
        "text": "向前延展视频 1：同一条街，同样的雨，最后接上视频 1。"
      },
      {
        "type": "video_url",
        "role": "reference_video",
        "video_url": {
          "url": "https://example.com/street.mp4"
        }
      }
    ],
    "duration": 6,
    "ratio": "16:9",
    "resolution": "720p",
    "generate_audio": false
  }'
    ;;
get)
    curl -sS -w '\n%{http_code}\n' "$BASE_URL/volcark/api/v3/contents/generations/tasks/$TASK_ID" \
        -H "Authorization: Bearer $TOKEN"
    ;;
list)
    curl -sS -w '\n%{http_code}\n' "$BASE_URL/volcark/api/v3/contents/generations/tasks?page_num=1&page_size=20&filter.status=succeeded&filter.model=doubao-seedance-2-0" \
        -H "Authorization: Bearer $TOKEN"
    ;;
delete)
    curl -sS -w '\n%{http_code}\n' -X DELETE "$BASE_URL/volcark/api/v3/contents/generations/tasks/$TASK_ID" \
        -H "Authorization: Bearer $TOKEN"
    ;;
create-group)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/?Action=CreateAssetGroup&Version=2024-01-01" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "Name": "spring-chairs",
    "GroupType": "AIGC",
    "Description": "Pictures for the chair videos"
  }'
    ;;
create-image | create-video)
    type=${1#create-}
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/?Action=CreateAsset&Version=2024-01-01" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "GroupId": "'"$2"'",
    "URL": "'"$3"'",
    "AssetType": "'"${type^}"'",
    "Name": "chair-front"
  }'
    ;;
get-asset)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/?Action=GetAsset&Version=2024-01-01" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "Id": "'"$2"'"
  }'
    ;;
list-assets)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/?Action=ListAssets&Version=2024-01-01" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "Filter": {
      "GroupType": "AIGC",
      "GroupIds": ["'"$2"'"]
    },
    "PageNumber": 1,
    "PageSize": 20
  }'
    ;;
asset-to-video)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/api/v3/contents/generations/tasks" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "content": [
      {
        "type": "text",
        "text": "从这张图片开始，镜头慢慢拉远。"
      },
      {
        "type": "image_url",
        "role": "reference_image",
        "image_url": {
          "url": "'"$2"'"
        }
      }
    ],
    "duration": 4,
    "ratio": "16:9",
    "resolution": "720p",
    "generate_audio": false
  }'
    ;;
edit-asset)
    curl -sS -w '\n%{http_code}\n' -X POST "$BASE_URL/volcark/api/v3/contents/generations/tasks" \
        -H "Authorization: Bearer $TOKEN" \
        -H "Content-Type: application/json" \
        -d '{
    "model": "doubao-seedance-2-0",
    "content": [
      {
        "type": "text",
        "text": "编辑视频 1：镜头不变，把木椅换成图片 1 那样的藤椅。"
      },
      {
        "type": "video_url",
        "role": "reference_video",
        "video_url": {
          "url": "asset://'"$2"'"
        }
      },
      {
        "type": "image_url",
        "role": "reference_image",
        "image_url": {
          "url": "asset://'"$3"'"
        }
      }
    ],
    "duration": 6,
    "ratio": "16:9",
    "resolution": "720p",
    "generate_audio": false
  }'
    ;;
*)
    echo "usage: curl.sh STEP [TASK_ID | GROUP_ID MEDIA_URL | ASSET_ID...]" >&2
    exit 2
    ;;
esac

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes the price table from first principles and compares it with the program's.

Prices, sizes and formulas stand here a second time, typed in on their own, in
exact fractions and decimals.

usage: check_prices.py [PRICE_TABLE]   (default: the one in $ARKGATE_BUILD)
"""
import math
import os
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60

YUAN_PER_MTOKEN = {
    "doubao-seedance-2-0-480p-novideo": 46,
    "doubao-seedance-2-0-480p-video": 28,
    "doubao-seedance-2-0-720p-novideo": 46,
    "doubao-seedance-2-0-720p-video": 28,
    "doubao-seedance-2-0-1080p-novideo": 51,
    "doubao-seedance-2-0-1080p-video": 31,
    "doubao-seedance-2-0-4k-novideo": 26,
    "doubao-seedance-2-0-4k-video": 16,
    "doubao-seedance-2-0-fast-novideo": 37,
    "doubao-seedance-2-0-fast-video": 22,
    "doubao-seedance-2-0-mini-novideo": 23,
    "doubao-seedance-2-0-mini-video": 14,
    "doubao-seedance-1-5-pro-audio": 16,
    "doubao-seedance-1-5-pro-silent": 8,
    "doubao-seedance-1-0-pro": 15,
    "doubao-seedance-1-0-pro-fast": Decimal("4.2"),
    "doubao-seedance-1-0-lite-t2v": 10,
    "doubao-seedance-1-0-lite-i2v": 10,
    "doubao-seedance-2-5-novideo": 70,
    "doubao-seedance-2-5-video": 42,
    "doubao-seedance-2-5-1080p-novideo": 77,
    "doubao-seedance-2-5-1080p-video": 46,
}
RATIOS = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"]
SIZES = {
    "480p": ["864x496", "752x560", "640x640", "560x752", "496x864", "992x432"],
    "720p": ["1280x720", "1112x834", "960x960", "834x1112", "720x1280", "1470x630"],
    "1080p": ["1920x1080", "1664x1248", "1440x1440", "1248x1664", "1080x1920", "2206x946"],
    "4k": ["3840x2160", "3326x2494", "2880x2880", "2494x3326", "2160x3840", "4398x1886"],
}
SIZES_1_0 = {
    "480p": ["864x480", "736x544", "640x640", "544x736", "480x864", "960x416"],
    "720p": ["1248x704", "1120x832", "960x960", "832x1120", "704x1248", "1504x640"],
    "1080p": ["1920x1088", "1664x1248", "1440x1440", "1248x1664", "1088x1920", "2176x928"],
}
SIZES_2_5 = {"480p": ["854x480"], "720p": ["1280x720"], "1080p": ["1920x1080"]}
STANDARD = "doubao-seedance-2-0"
TWO = [STANDARD, "doubao-seedance-2-0-fast", "doubao-seedance-2-0-mini"]
ONE = ["doubao-seedance-1-0-pro", "doubao-seedance-1-0-pro-fast", "doubao-seedance-1-0-lite-t2v",
       "doubao-seedance-1-0-lite-i2v"]
INPUTS_MS = [None, 0, 2000, 3333, 4000, 6660, 7350, 10000, 10041, 15000, 15200]


def tokens_of(size, output_s, input_ms):
    width, height = map(int, size.split("x"))
    if input_ms is None:
        return math.floor(Fraction(width * height * (24 * output_s + 1), 1024))
    seconds = output_s + Fraction(input_ms, 1000)
    least = math.ceil(Fraction(5 * output_s, 3))
    if seconds <= least:
        return math.floor(Fraction(width * height * 24 * least, 1024))
    return math.floor(width * height * (24 * seconds + 1) / 1024)


def frames_of(size, frames):
    width, height = map(int, size.split("x"))
    return math.floor(Fraction(width * height * (frames + 1), 1024))


def cost_of(sku, tokens):
    price = Decimal(YUAN_PER_MTOKEN[sku.removesuffix("-flex")])
    if sku.endswith("-flex"):  # half the price
        price /= 2
    exact = price * tokens / 1000000
    text = str(exact.quantize(Decimal("0.000000001"), ROUND_HALF_UP))
    return text.rstrip("0").rstrip(".")


def priced_by_video(model, sizes, seconds):
    """2.0 and 2.5: by whether a video is given, at some models by resolution."""
    for resolution, row in sizes.items():
        for ratio, size in zip(RATIOS, row):
            for number, input_ms in enumerate(INPUTS_MS):
                apart = model == STANDARD or (model.endswith("-5") and resolution == "1080p")
                sku = f"{model}-{resolution}" if apart else model
                sku += "-novideo" if input_ms is None else "-video"
                shown = -1 if input_ms is None else input_ms
                sound = "silent" if number % 2 else "sound"
                for output_s in seconds:
                    tokens = tokens_of(size, output_s, input_ms)
                    yield (f"{model} {resolution} {ratio} {output_s}s {shown} default {sound}"
                           f" {sku} {tokens} {cost_of(sku, tokens)}")


def priced_by_tier(model, sizes, seconds, frames):
    """The older ones: by tier, 1.5 pro by sound."""
    for resolution, row in sizes.items():
        for ratio, size in zip(RATIOS, row):
            for tier in ("default", "flex"):
                for sound in ("sound", "silent"):
                    sku = model
                    if model == "doubao-seedance-1-5-pro":
                        sku += "-audio" if sound == "sound" else "-silent"
                    if tier == "flex":
                        sku += "-flex"
                    head = f"{model} {resolution} {ratio}"
                    tail = f"-1 {tier} {sound} {sku}"
                    for output_s in seconds:
                        tokens = tokens_of(size, output_s, None)
                        yield f"{head} {output_s}s {tail} {tokens} {cost_of(sku, tokens)}"
                    for count in frames:
                        tokens = frames_of(size, count)
                        yield f"{head} {count}f {tail} {tokens} {cost_of(sku, tokens)}"


def expected():
    for model in TWO:
        yield from priced_by_video(model, SIZES, range(4, 16))
    without_4k = {name: SIZES[name] for name in ("480p", "720p", "1080p")}
    yield from priced_by_tier("doubao-seedance-1-5-pro", without_4k, range(4, 13), ())
    for model in ONE:
        yield from priced_by_tier(model, SIZES_1_0, range(2, 13), range(29, 290, 4))
    yield from priced_by_video("doubao-seedance-2-5", SIZES_2_5, range(4, 31))


def main():
    table = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.environ["ARKGATE_BUILD"], "tests/unit/billing/price_table")
    got = subprocess.run([table], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    want = list(expected())
    wrong = [(g, w) for g, w in zip(got, want) if g != w]
    for g, w in wrong[:10]:
        print(f"got      {g}\nexpected {w}")
    skus = {line.split()[7].removesuffix("-flex") for line in want}
    if len(got) != len(want) or skus != set(YUAN_PER_MTOKEN):
        print(f"{len(got)} lines, expected {len(want)}; {len(skus)} SKUs")
        return 1
    print(f"{len(got)} prices compared, {len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

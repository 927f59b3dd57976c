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
}
RATIOS = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"]
SIZES = {
    "480p": ["864x496", "752x560", "640x640", "560x752", "496x864", "992x432"],
    "720p": ["1280x720", "1112x834", "960x960", "834x1112", "720x1280", "1470x630"],
    "1080p": ["1920x1080", "1664x1248", "1440x1440", "1248x1664", "1080x1920", "2206x946"],
    "4k": ["3840x2160", "3326x2494", "2880x2880", "2494x3326", "2160x3840", "4398x1886"],
}
MODELS = ["doubao-seedance-2-0", "doubao-seedance-2-0-fast", "doubao-seedance-2-0-mini"]
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


def cost_of(sku, tokens):
    exact = Decimal(YUAN_PER_MTOKEN[sku]) * tokens / 1000000
    text = str(exact.quantize(Decimal("0.000000001"), ROUND_HALF_UP))
    return text.rstrip("0").rstrip(".")


def expected():
    for model in MODELS:
        for resolution, sizes in SIZES.items():
            for ratio, size in zip(RATIOS, sizes):
                for input_ms in INPUTS_MS:
                    sku = model if model != MODELS[0] else f"{model}-{resolution}"
                    sku += "-novideo" if input_ms is None else "-video"
                    for output_s in range(4, 16):
                        tokens = tokens_of(size, output_s, input_ms)
                        shown = -1 if input_ms is None else input_ms
                        yield (f"{model} {resolution} {ratio} {output_s} {shown} {sku}"
                               f" {tokens} {cost_of(sku, tokens)}")


def main():
    table = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.environ["ARKGATE_BUILD"], "tests/unit/billing/price_table")
    got = subprocess.run([table], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    want = list(expected())
    wrong = [(g, w) for g, w in zip(got, want) if g != w]
    for g, w in wrong[:10]:
        print(f"got      {g}\nexpected {w}")
    skus = {line.split()[5] for line in want}
    if len(got) != len(want) or skus != set(YUAN_PER_MTOKEN):
        print(f"{len(got)} lines, expected {len(want)}; {len(skus)} SKUs")
        return 1
    print(f"{len(got)} prices compared, {len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

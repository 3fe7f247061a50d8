"""Decodes random blocks of each kind and compares their deviation with the wanted one.

    check-blocks.py FOLDER_OF_RANDOM_GGUF
"""
import math
import random
import struct
import sys

sys.path.insert(0, sys.argv[1])
import random_gguf  # noqa: E402


def half(block, at):
    return struct.unpack_from("<e", block, at)[0]


def q4_0(block):
    d = half(block, 0)
    for byte in block[2:]:
        yield from (d * ((byte & 15) - 8), d * ((byte >> 4) - 8))


def q8_0(block):
    d = half(block, 0)
    for code in struct.unpack("<32b", block[2:]):
        assert code != -128, "a code outside -127..127"
        yield d * code


def q6_k(block):
    low, high, d = block[:128], block[128:192], half(block, 208)
    scales = struct.unpack("<16b", block[192:208])
    for n in range(2):
        for g in range(4):
            for i in range(32):
                code = (low[64 * n + 32 * (g & 1) + i] >> 4 * (g >> 1)) & 15
                code |= ((high[32 * n + i] >> 2 * g) & 3) << 4
                yield d * scales[8 * n + 2 * g + i // 16] * (code - 32)


for kind, decode in ((random_gguf.Q4_0, q4_0), (random_gguf.Q8_0, q8_0),
                     (random_gguf.Q6_K, q6_k)):
    # Two widths of the matrices of models/Qwen3.6-35B-A3B and one of models/tiny.
    for columns in (256, 512, 2048):
        wanted = 1 / math.sqrt(columns)
        data = bytes(kind.blocks(random.Random(3), 400, wanted))
        values = [v for i in range(0, len(data), kind.size)
                  for v in decode(data[i:i + kind.size])]
        assert len(values) == 400 * kind.values
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum(v * v for v in values) / len(values))
        if abs(mean) > 0.05 * wanted or not 0.85 < deviation / wanted < 1.18:
            sys.exit(f"{kind.__name__}, {columns} columns: mean {mean:.4g}, deviation "
                     f"{deviation:.4g}, expected 0 and {wanted:.4g}")
    print(kind.__name__, "deviation as asked")

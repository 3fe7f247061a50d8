"""Runs an executable that uses AMX and compares it with one that does not:
    run-amx.py WITH WITHOUT EMULATOR BOUND [options of logits]
On a machine without AMX, EMULATOR is preloaded and the executable's list of needs is
changed in place. Other cuts into steps must give equal bits; the mean difference from
WITHOUT must be below BOUND of the mean size. Prints the emulated instructions."""
import array
import os
import re
import struct
import subprocess
import sys

with_amx, without, emulator, bound, *options = sys.argv[1:]
NEEDS = b",amx_tile,amx_int8,amx_bf16"
OTHERS = b",avx2,avx2,avx2,fma,fma,fma"  # as long, and needed anyway


def logits(program, name, *more, **environment):
    done = subprocess.run([program, "logits", *options, *more, "-o", name],
                          capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode:
        sys.exit(f"{program}: status {done.returncode}: {done.stderr}")
    with open(name, "rb") as file:
        data = file.read()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    values = array.array("f")
    values.frombytes(data[start:])
    return values, done.stderr


with open("/proc/cpuinfo") as file:
    native = re.search(r"\bamx_bf16\b", file.read()) is not None
environment = {}
if not native:
    environment = {"LD_PRELOAD": emulator, "AMX_EMULATOR_COUNT": "1"}
    with open(with_amx, "rb") as file:
        data = file.read()
    if data.count(NEEDS) != 1:
        sys.exit(f"{with_amx} does not say once that it needs {NEEDS.decode()}")
    with open(with_amx, "r+b") as file:
        file.seek(data.index(NEEDS))
        file.write(OTHERS)

found, said = logits(with_amx, "with.npy", **environment)
counted = re.search(r"AMX emulator: (\d+) instructions", said)
count = int(counted.group(1)) if counted else 0
if not native and not count:
    sys.exit("no instruction of AMX was used")
for split in ("32,38", "64,6"):
    if logits(with_amx, "cut.npy", "--split", split, **environment)[0] != found:
        sys.exit(f"other bits when cut into {split}")
expected = logits(without, "without.npy")[0]
if len(found) != len(expected) or not found:
    sys.exit(f"{len(found)} logits, expected {len(expected)}")
error = (sum(abs(a - b) for a, b in zip(found, expected))
         / sum(abs(b) for b in expected))
print(f"mean difference {error:.1e}, bound {bound}; emulated {count}")
sys.exit(not error <= float(bound))

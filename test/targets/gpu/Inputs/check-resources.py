"""Checks the table of quartetc build --report: every kernel takes registers and code, no
more than a block may have, and fits at least once in a unit."""
import argparse

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("table")
parser.add_argument("--registers", type=int, required=True, help="most of a thread")
parser.add_argument("--shared", type=int, required=True, help="most bytes of a block")
parser.add_argument("--spilled", type=int, default=0, help="most bytes of a thread")
args = parser.parse_args()
kernels = [line.split() for line in open(args.table) if line.startswith("step_")]
assert len(kernels) >= 10, f"found {len(kernels)} kernels, expected at least 10"
for name, *numbers in kernels:
    registers, shared, stack, spills, code, blocks = map(int, numbers)
    assert 0 < registers <= args.registers, f"{name}: {registers} registers"
    assert shared <= args.shared, f"{name}: {shared} bytes of shared memory"
    assert max(stack, spills) <= args.spilled, f"{name}: {stack}, {spills} bytes spilled"
    assert code > 0 and blocks > 0, f"{name}: {code} bytes of code, {blocks} blocks"

"""Checks listings of persistent kernels: how blocks tell each other what they have written,
and that phases look for their arguments where kernels put them.

    check-persistent.py LISTING [--writes-back]

Per phase, the last barrier in front of the last atomic operation is its signal's: each wave
has waited for its own stores there, behind buffer_wbl2 where the chip has several
second-level caches (--writes-back). In kernels, waits are loops with s_sleep, in
which no cache is dropped: that is done behind the barrier which ends them.
"""
import argparse
import re

parser = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("listing")
parser.add_argument("--writes-back", action="store_true")
args = parser.parse_args()

STORES = re.compile(r"(global|flat|buffer|scratch)_(store|atomic)|buffer_wbl2")
DROPS = re.compile(r"buffer_(inv|wbinvl1|gl[01]_inv)|global_inv")
WAITS = re.compile(r"s_waitcnt .*vmcnt\(0\)|s_waitcnt_vscnt null, 0x0|s_wait_storecnt(_dscnt)? 0x0")
BARRIERS = "s_barrier", "s_barrier_wait -1"
JUMPS = re.compile(r"s_c?branch|s_setpc|s_swappc")

functions, current = {}, None
for line in open(args.listing):
    line = line.split(";")[0].rstrip()
    if name := re.match(r"(step_\w+):$", line):
        current = functions.setdefault(name[1], [])
    elif re.match(r"\.Lfunc_end", line):
        current = None
    elif current is not None and re.match(r"\.L|\t[a-z]", line):
        current.append(line.strip())
kernels = {n: code for n, code in functions.items() if any("s_swappc" in i for i in code)}
phases = {n: code for n, code in functions.items() if n not in kernels}
assert kernels and len(phases) >= 10, f"found {len(kernels)} kernels, {len(phases)} phases"


def check_released(name, code):
    """Nothing is told of what buffer_wbl2 is still writing back."""
    pending = False
    for instruction in code:
        pending = not WAITS.match(instruction) and (pending or "buffer_wbl2" in instruction)
        assert not (pending and "_atomic_" in instruction), f"{name}: {instruction}"


def check_signal(name, code):
    atomics = [i for i, instruction in enumerate(code) if "_atomic_" in instruction]
    assert atomics, f"{name}: no signal"
    barrier = max(i for i, line in enumerate(code[:atomics[-1]]) if line in BARRIERS)
    waited = written = False
    for instruction in reversed(code[:barrier]):
        if WAITS.match(instruction):
            waited = True
        elif "buffer_wbl2" in instruction:
            written = True
        if STORES.match(instruction) or JUMPS.match(instruction):
            break
    assert waited, f"{name}: stores may be on their way at its signal's barrier"
    assert written or not args.writes_back, f"{name}: waves other than the first write nothing back"


def check_waits(name, code):
    sleeps = [i for i, instruction in enumerate(code) if instruction.startswith("s_sleep")]
    assert len(sleeps) >= 5, f"{name}: {len(sleeps)} waits"
    for sleep in sleeps:
        loop = max(i for i, line in enumerate(code[:sleep]) if line.startswith(".L"))
        end = next(i for i, line in enumerate(code) if i > sleep and line in BARRIERS)
        assert not any(map(DROPS.match, code[loop:end])), f"{name}: caches are dropped in turns"
        behind = next(line for line in code[end:]
                      if DROPS.match(line) or re.match(r"\w+_load|s_swappc", line))
        assert DROPS.match(behind), f"{name}: {behind} in front of what drops caches"


def check_calls(name, code):
    """The block that calls a phase writes where the phase has its first argument, in
    registers other than those of the call's target."""
    calls = 0
    for i, instruction in enumerate(code):
        if not (target := re.match(r"s_swappc_b64 s\[30:31\], s\[(\d+):(\d+)\]", instruction)):
            continue
        begin = max(j for j, line in enumerate(code[:i])
                    if line.startswith(".L") or JUMPS.match(line))
        written, callee = set(), None
        for line in code[begin:i]:
            callee = (re.search(r"(step_\w+)@rel32@lo", line) or [0, callee])[1]
            if destination := re.match(r"s_\w+ s\[?(\d+)(?::(\d+))?", line):
                first, last = destination[1], destination[2] or destination[1]
                written |= set(range(int(first), int(last) + 1))
        written -= {int(target[1]), int(target[2])}
        bases = (re.search(r"^(?:global|s)_load\w+ .*, s\[(\d+):(\d+)\]", line)
                 for line in phases[callee])
        base = next(found for found in bases if found)
        assert {int(base[1]), int(base[2])} <= written, (
            f"{name} calls {callee} with arguments in {sorted(written)}: {base[0]}")
        calls += 1
    assert calls >= 5, f"{name}: {calls} calls"


for name, code in functions.items():
    check_released(name, code)
for name, code in phases.items():
    if not name.endswith("_sample"):  # nobody waits for the last one
        check_signal(name, code)
for name, code in kernels.items():
    check_waits(name, code)
    check_calls(name, code)

#!/usr/bin/env python3
"""Runs the GPU kernels of the golden checkpoints in the emulator.

    run_emulator.py --list
    run_emulator.py --quartetc build/quartetc --scratch /tmp/golden moe-sm_90a

A build (CASES below) is one chip, launch mode and precision, with a bucket of few tokens
and one of many. It is asked for
  prefill, decode, greedy   as run_golden.py does, with its bounds
  cpu        the logits of the same sequences from the step program of a CPU
  order      the same steps with other numbers of blocks and other orders of the threads:
             equal bits
  times      when each block ran each phase of a step of one token: all did, and none
             before the first block, which always has a task, was done with the phase in
             front, which it depends on
  few, many  the same tokens cut into other steps of one bucket, and beside other
             sequences: equal bits
Whatever the emulator finds wrong with a kernel makes the program fail, and so the check.
One line per check. The exit status is 0 only if all passed.
"""
import argparse
import json
import pathlib
import sys

import run_golden
from run_golden import Failure, Program, Report, command

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"

# Small kernels take seconds to compile, and many of them compete in a test run.
run_golden.TIMEOUT = 300

# Per case: the checkpoint, the chip, the launch mode, flags, the precision of the goldens
# (None: another computation) and the bound of the mean difference from the CPU's logits
# (None: not compared). On the CPU the same integers are multiplied by the same integers;
# bf16 weights meet activations that are rounded to pairs of bf16 on a GPU, which then is
# rounded to bf16 in the KV cache; where integers follow, what is rounded otherwise there
# moves activations by a step of int8 now and then.
F32 = ["--dtype", "f32"]
ONE_PART = ["--activations", "bf16"]  # CPUs have two, or f32
CASES = {
    "moe-sm_90a": ("moe", "sm_90a", "graph", F32, "f32", None),
    "next-gfx942": ("next", "gfx942", "persistent", F32, "f32", None),
    "dense-gfx1100": ("dense", "gfx1100", "persistent", ["--dtype", "bf16"], "bf16", 2e-3),
    "dense-sm_90a": ("dense", "sm_90a", "persistent", F32, "f32", None),
    "moe-int4-gfx942": ("moe", "gfx942", "graph", F32 + ["--quant", "int4"], None, 1e-5),
    "next-bf16-sm_90a": ("next", "sm_90a", "persistent", [], "bf16", 2e-3),
    "moe-bf16-sm_90a": ("moe", "sm_90a", "graph", ONE_PART, "bf16", 3e-2),
    "tiny-sm_90a": ("tiny", "sm_90a", "graph", [], None, 2e-3),
    "tiny-gfx942": ("tiny", "gfx942", "persistent", ["--quant", "w4"], None, 6e-3),
}
FEW, MANY = 4, 64
PREFILLS = [1, 65]
DECODES = [2]

# Blocks, and seed of the order in which threads run.
ORDERS = [(1, 1), (5, 7)]

# Of 12 tokens in steps of at most FEW, and 64 in steps of more than FEW whose cuts lie
# between chunks of 32, the largest of the delta rule.
FEW_SPLITS = [[1] * 12, [3, 4, 1, 4]]
MANY_SPLITS = [[64], [32, 32]]
# Sequences as ranges of the golden tokens, and how each is cut. Two chunks of the delta rule,
# at 32 and 33, begin in the tile (4) of one task.
FEW_TOGETHER = [(0, 4), (100, 102), (200, 201)], [[1, 2, 1], [1, 1], [1]]
MANY_TOGETHER = [(0, 33), (100, 107), (40, 45)]


def emulated(path, blocks=3, seed=0):
    return Program(path, "--blocks", blocks, "--emulator-seed", seed)


def build(args, name, model, flags):
    """The path of what is built."""
    path = (args.scratch / name).resolve()
    folder = MODELS / model if model == "tiny" else HERE / model
    command([args.quartetc, "build", folder, "-o", path, *flags])
    return path


def check_bits(report, name, path, tokens):
    program = emulated(path)

    def equal(what, expected, *sequences, run=program, **steps):
        report.equal(what, report.attempt(
            what, lambda: run.logits(*sequences, **steps)), expected)

    def rows(what, *sequences, **steps):
        return report.attempt(what, lambda: program.logits(*sequences, **steps))

    short = tokens[:sum(FEW_SPLITS[0])]
    alone = rows(f"{name} few", short, split=[FEW_SPLITS[0]])
    for other in FEW_SPLITS[1:]:
        equal(f"{name} few, {run_golden.join(other)}", alone, short, split=[other])
    long = tokens[:sum(MANY_SPLITS[0])]
    many = rows(f"{name} many", long, split=[MANY_SPLITS[0]])
    for other in MANY_SPLITS[1:]:
        equal(f"{name} many, {run_golden.join(other)}", many, long, split=[other])
    ranges, splits = FEW_TOGETHER
    sequences = [tokens[begin:end] for begin, end in ranges]
    parts = [rows(f"{name} few alone", s) for s in sequences]
    if all(part is not None for part in parts):
        equal(f"{name} few together", np.concatenate(parts), *sequences, split=splits)
    sequences = [tokens[begin:end] for begin, end in MANY_TOGETHER]
    parts = [rows(f"{name} many alone", s) for s in sequences]
    if all(part is not None for part in parts):
        together = np.concatenate(parts)
        equal(f"{name} many together", together, *sequences)
        for blocks, seed in ORDERS:
            equal(f"{name} many, {blocks} blocks, order {seed}", together, *sequences,
                  run=emulated(path, blocks, seed))
            equal(f"{name} few, {blocks} blocks, order {seed}", alone, short,
                  split=[FEW_SPLITS[1]], run=emulated(path, blocks, seed))


def check_cpu(report, name, program, cpu, tokens, bound):
    sequences = [tokens[:30], tokens[100:103], tokens[200:201]]
    rows = [report.attempt(name, lambda: p.logits(*sequences)) for p in (program, cpu)]
    if rows[0] is not None and rows[1] is not None:
        error = np.abs(rows[0] - rows[1]).mean() / np.abs(rows[1]).mean()
        report.line(error <= bound, f"{name} and the CPU: mean error {error:.1e}, "
                                    f"bound {bound:.1e}")


def check_tiny(report, name, program, cpu, bound):
    tokens = [(7 * i * i + 3 * i) % 500 for i in range(256)]
    check_cpu(report, name, program, cpu, tokens, bound)
    prompt = [72, 101, 108, 108, 111]
    texts = [report.attempt(name, lambda: p.greedy(prompt, 12)) for p in (program, cpu)]
    report.line(texts[0] is not None and texts[0] == texts[1],
                f"{name} greedy: {texts[0]}, on the CPU {texts[1]}")


def check_times(report, name, path):
    blocks = 3
    trace = path.parent / (path.name + ".trace.json")
    command([path, "profile", "--after", 1, "--tokens", 1, "--repeat", 1,
             "--blocks", blocks, "-o", trace])
    events = [e for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == "X"]
    phases = [e for e in events if e["tid"] == 0]
    work = {}
    for event in events:
        if event["tid"] > 0 and event["name"] != "wait":
            place = event["name"], event["args"]["layer"]
            work.setdefault(place, {})[event["tid"]] = event
    wrong, ended = [], 0
    for phase in phases:
        place = phase["name"], phase["args"]["layer"]
        by_block = work.pop(place, {})
        if len(by_block) != blocks or min(e["ts"] for e in by_block.values()) < ended:
            wrong.append(place)
        if 1 in by_block:
            ended = by_block[1]["ts"] + by_block[1]["dur"]
    report.line(len(phases) > 10 and not wrong and not work,
                f"{name} times of {len(phases)} phases{', wrong: ' if wrong else ''}"
                f"{' '.join(f'{p} {layer}' for p, layer in wrong)}")


def run_case(report, name, args):
    model, chip, launch, flags, precision, cpu_bound = CASES[name]
    # Greedy text after a short prompt has steps of few tokens alone.
    buckets = ["--buckets", str(FEW) if model == "tiny" else f"{FEW},{MANY}"]
    path = build(args, name, model, flags + buckets + [
        "--target", "emulator:" + chip, "--launch", launch])
    report.line(True, f"{name} build")
    check_times(report, name, path)
    program = emulated(path)
    cpu = None
    if cpu_bound or model == "tiny":
        shared = flags[:-2] if flags[-2:] == ONE_PART else flags
        cpu = Program(build(args, name + "-cpu", model, shared + buckets))
    if model == "tiny":
        return check_tiny(report, name, program, cpu, cpu_bound)
    golden = dict(np.load(HERE / "results" / (model + ".npz")))
    if precision:
        some = dict(golden, lengths=np.array(PREFILLS), decode_starts=np.array(DECODES),
                    greedy_count=1)
        bound = (run_golden.F32_BOUND if precision == "f32"
                 else run_golden.BF16_FACTOR * float(golden["bf16_error"]))
        run_golden.check_goldens(report, name, program, some, bound)
    if cpu_bound:
        check_cpu(report, name, program, cpu, golden["tokens"], cpu_bound)
    check_bits(report, name, path, golden["tokens"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="default: all")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--quartetc", type=pathlib.Path, help="the compiler")
    parser.add_argument("--scratch", type=pathlib.Path,
                        help="folder for what is built; made if missing")
    args = parser.parse_args()
    if args.list:
        print(*CASES, sep="\n")
        return 0
    unknown = [case for case in args.case if case not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; "
                     f"expected {', '.join(CASES)}")
    if not args.quartetc or not args.scratch:
        parser.error("expected --quartetc and --scratch")
    args.quartetc = args.quartetc.resolve()
    args.scratch.mkdir(parents=True, exist_ok=True)
    report = Report()
    for case in args.case or CASES:
        try:
            run_case(report, case, args)
        except Failure as failure:
            report.line(False, f"{case}: {failure}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The same weights through GGUF and through safetensors must give the same bits.

    run_gguf.py --quartetc build/bin/quartetc --scratch /tmp/gguf [case ...]

Each case converts a golden checkpoint (make_gguf.py), builds the GGUF and a safetensors
checkpoint of the same values, and compares the logits, the tokens of a text, and the
stop tokens. One line per check; the exit status is 0 only if all passed.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np

import make_gguf

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "golden"
TOKENS = [260, 84, 71, 65, 44, 12, 99, 7, 42, 200] * 8
TEXT = "Hello the thé\u0301 12 <|im_start|>x<think>"

F32, BF16 = ["--dtype", "f32"], ["--dtype", "bf16"]
# Relative to the largest logit. `dense` is F32: there, 1 + w and exp(A_log) were rounded
# when the GGUF was written. The others are BF16, and nothing is rounded; quantized values
# are compared with a checkpoint that has just those.
# The step program keeps quantized matrices as they are and quantizes what they are
# multiplied by, to int8: in so small a model with random weights that is felt. The generic
# lowering widens the matrices and has equal bits.
BOUNDS = {"dense-f32": 2e-6, "moe-q8_0-default": 0.3}
GENERIC = ["--lowering", "generic"]
F32_GENERIC = F32 + GENERIC

# Name: checkpoint, type, parts, fused inputs, flags for the GGUF and the safetensors.
CASES = {
    "moe-release-mtp-bf16": ("moe-release", "bf16", 1, False, BF16 + ["--mtp"],
                             BF16 + ["--mtp"]),
    "moe-f32": ("moe", "f32", 1, False, F32, F32),
    "moe-bf16": ("moe", "bf16", 1, False, BF16, BF16),
    "moe-default": ("moe", "bf16", 1, False, [], BF16),
    "moe-q8_0": ("moe", "q8_0", 1, False, F32_GENERIC, F32_GENERIC),
    "moe-q8_0-default": ("moe", "q8_0", 1, False, [], BF16),
    "moe-q4_0-split": ("moe", "q4_0", 3, False, F32_GENERIC, F32_GENERIC),
    "dense-f32": ("dense", "f32", 1, False, F32, F32),
    "dense-yarn-bf16": ("dense-yarn", "bf16", 1, False, BF16, BF16),
    "dense-yarn-q8_0": ("dense-yarn", "q8_0", 1, False, F32_GENERIC, F32_GENERIC),
    "next-bf16": ("next", "bf16", 2, False, BF16, BF16),
    "next-fused-q8_0": ("next", "q8_0", 1, True, F32_GENERIC,
                        F32_GENERIC),
}


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=120)
    if done.returncode != 0:
        sys.exit(f"FAIL {' '.join(map(str, command))}\n{done.stderr.strip()}")
    return done.stdout


def logits(program, *options):
    rows = program.with_suffix(".npy")
    run(program, "logits", "--tokens", ",".join(map(str, TOKENS)), "-o", rows, *options)
    return np.load(rows)


def check(quartetc, scratch, name):
    case, kind, parts, fused, flags, exact_flags = CASES[name]
    folder = scratch / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    exact = folder / "checkpoint"
    mtp = "--mtp" in flags
    gguf = make_gguf.convert(GOLDEN / case, folder / "model.gguf", kind, parts, exact,
                             fused, mtp)
    run(quartetc, "inspect", gguf)
    programs = []
    for model, output, options in ((gguf, "gguf", flags),
                                   (exact, "safetensors", exact_flags)):
        run(quartetc, "build", model, "-o", folder / output, "-q", *options)
        programs.append(folder / output)
    more = ["--mtp", "--drafts", "3"] if mtp else []
    found, expected = (logits(program, *more) for program in programs)
    bound = BOUNDS.get(name)
    worst = np.abs(found - expected).max() / np.abs(expected).max()
    if bound:
        what = f"logits differ by {worst:.1e} of the largest, at most {bound:.0e}"
        results = [(worst <= bound, what)]
    else:
        same = np.array_equal(found.view(np.uint32), expected.view(np.uint32))
        results = [(same, f"logits of equal bits (difference {worst:.1e})")]
    for what, *arguments in (("tokens", "tokenize", TEXT),
                             ("greedy text", "run", "-p", TEXT, "-n", "12",
                              "--temperature", "0", "--print-tokens")):
        answers = [run(program, *arguments) for program in programs]
        if what == "greedy text" and bound and bound > 0.01:
            continue  # so far apart, the likeliest token may be another one
        results.append((answers[0] and answers[0] == answers[1], f"the same {what}"))
    infos = [json.loads(run(program, "info", "--json")) for program in programs]
    stops = [sorted(info["generation"]["stop_ids"]) for info in infos]
    results.append((stops[0] and stops[0] == stops[1], f"stop tokens {stops[0]}"))
    for good, what in results:
        print("ok  " if good else "FAIL", name, what, flush=True)
    return all(good for good, _ in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quartetc", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    arguments = parser.parse_args()
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"no case {name}; there are {', '.join(CASES)}")
    results = [check(arguments.quartetc, arguments.scratch, name)
               for name in arguments.cases or CASES]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

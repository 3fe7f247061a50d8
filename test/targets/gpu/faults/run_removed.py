#!/usr/bin/env python3
"""Takes single barriers, waits and orders of atomics out of real kernels: the emulator
must report each.

    run_removed.py --quartetc build/bin/quartetc --removed RemovedCalls.cpp.o
        --tools /usr/lib/llvm-22/bin --scratch /tmp/faults graph [--every 5]

A case is a checkpoint built for the emulator and linked with RemovedCalls.cpp. A
place that is left out without a report must be in EXPECTED, which says why.
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parent.parent.parent.parent
MOE = SOURCES / "test" / "golden" / "moe-f16"
CALLS = ["barrier", "group_barrier", "warp_barrier", "wait_group", "group_fence", "transfer_wait",
         "dependency_wait", "atomic_load", "atomic_add", "fence"]
KERNELS_FAULTY = 3  # exit status of an executable whose kernels the emulator reports

# Per case: what to build, blocks, the prompt's length, the kinds of places (all), and what
# their sites contain, where they have one. One
# block has every task of a phase, so that all that lies between tasks counts; waits need
# several, and more than there are dies where these have counters. Prompts longer than 32 tokens have two chunks of the delta rule. Bulk copies need
# rows of 256 columns, which the golden checkpoints have not.
INT4 = ["--dtype", "f32", "--quant", "int4"]
TINY = SOURCES / "models" / "tiny"
WIDE = ("group-barrier", "wait-group", "group-fence", "transfer-wait")
CASES = {
    "graph": ([MOE, *INT4, "--target", "emulator:sm_90a", "--buckets", "4"], 1, 3, (), ""),
    "persistent": ([MOE, *INT4, "--target", "emulator:gfx90a", "--launch", "persistent",
                    "--buckets", "4"], 2, 3, (), ""),
    "dies": ([MOE, *INT4, "--target", "emulator:gfx942", "--launch", "persistent",
              "--buckets", "4"], 10, 3, ("release",), ""),
    "many": ([MOE, *INT4, "--target", "emulator:sm_90a", "--buckets", "64"], 1, 45, (), ""),
    "chunks": ([MOE, *INT4, "--target", "emulator:gfx942", "--buckets", "64"], 1, 45, (),
               "delta"),
    "bulk": ([TINY, *INT4, "--target", "emulator:sm_90a", "--buckets", "32",
              "--layers", "4"], 1, 20, WIDE, ""),
    "floats": ([TINY, "--target", "emulator:sm_90a", "--buckets", "32",
                "--layers", "4"], 1, 20, WIDE, ""),
    "tiles": ([TINY, "--target", "emulator:sm_90a", "--buckets", "128", "--layers", "4"],
              1, 66, ("barrier", "wait-group"), "attend"),
}

# How many places of a kind and site, over all layers, may go unnoticed. Why:
#   dependency-wait            of the first launch: nothing is in front of it in the step
#   down, in, up / matmul ...  what a product writes first lies behind its own barrier: the
#                              one in front is for the tasks that use rows just staged
#   ... / stage                sums of squares meet before rows are written; other kinds of
#                              rows have this barrier alone
#   delta / delta_scan, delta / wait
#                              between tasks and chunks, of which a block has one here; the
#                              delta rule meets again before it reads
#   delta / delta_scan (release)
#                              blocks that share a key head count who has read its window:
#                              here they are one block, or ordered by that count already
#   attend / attend            joins of several groups of heads or runs of tokens; in front of
#                              a tile's queries, behind what used this memory in other kernels
#   down / expert_pairs        rows of one slab, before which nobody has written
#   up / route                 one warp has all 16 experts, where models have more
#   down / wait                the product's own barrier comes before what it reads
#   out / wait, route / wait   behind a phase of one task: the same block goes on
#   acquire                    another wait of the phase, for something later, includes it
#   signal, release            phases of one task: the same block goes on; and nobody waits
#                              for the last phase
#   signal (dies)              the counter of a die whose tasks one block has: its release
#                              behind it, for the card, says the same. Phases that route
#                              count all blocks
EXPECTED = {
    "graph": {"dependency-wait": 1, "barrier down / expert_down": 2,
              "barrier in / matmul": 2, "barrier in / stage": 1,
              "barrier attend / attend": 1, "barrier delta / delta_scan": 4,
              "release delta / delta_scan": 2},
    "persistent": {
        "acquire delta / wait": 1, "release delta / delta_scan": 1,
        "acquire attend / wait": 1, "acquire out / wait": 3, "acquire route / wait": 2,
        "acquire sample / wait": 1, "barrier attend / signal": 1,
        "barrier delta / delta_scan": 3, "barrier delta / wait": 1,
        "barrier attend / attend": 1,
        "barrier down / expert_down": 1, "barrier down / wait": 2,
        "barrier head / stage": 1, "barrier in / matmul": 1,
        "barrier in / stage": 1, "barrier out / signal": 2, "barrier out / wait": 1,
        "barrier route / wait": 2, "barrier sample / signal": 1,
        "release attend / signal": 1, "release out / signal": 2,
        "release sample / signal": 1},
    "many": {
        "dependency-wait": 1, "barrier attend / attend": 1,
        "barrier down / expert_pairs": 1, "barrier head / stage": 1,
        "barrier in / matmul": 4, "barrier in.stage / stage": 2,
        "barrier out / stage": 2, "barrier route / stage": 4,
        "barrier up / expert_up": 2, "barrier up / route": 2},
    "dies": {
        "release attend / signal": 2, "release delta / delta_scan": 1,
        "release delta / signal": 1, "release down / signal": 2,
        "release embed / signal": 1, "release head / signal": 1,
        "release in / signal": 2, "release out / signal": 4,
        "release route / signal": 2, "release sample / signal": 2},
    "chunks": {},
    "bulk": {},
    "tiles": {"barrier attend / attend": 1},
    "floats": {"group-barrier down / expert_pairs": 1},
}


def run(words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          errors="replace", timeout=300, **more)


def check(words):
    done = run(words)
    if done.returncode:
        sys.exit(f"run_removed.py: {words[0]} failed: {done.stderr.strip()[-800:]}")


def make_compiler(args):
    """A copy of the compiler whose kit has the removing emulator."""
    triple = os.uname().machine + "-linux-gnu"
    kit = args.quartetc.parent.parent / "lib" / "quartet" / triple
    root = args.scratch / "tools"
    shutil.rmtree(root, ignore_errors=True)
    own = root / "lib" / "quartet" / triple
    own.mkdir(parents=True)
    (root / "bin").mkdir()
    for file in kit.iterdir():
        if file.name != "libquartet_emulator.a":
            (own / file.name).symlink_to(file)
    archive = own / "libquartet_emulator.a"
    renamed = [f"--redefine-sym=quartet_emu_{call}=real_emu_{call}" for call in CALLS]
    check([args.tools / "llvm-objcopy", *renamed, kit / archive.name, archive])
    check([args.tools / "llvm-ar", "r", archive, args.removed])
    compiler = root / "bin" / "quartetc"  # finds its kit from where it really lies
    try:
        os.link(args.quartetc, compiler)
    except OSError:
        shutil.copy2(args.quartetc, compiler)
    return compiler


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--quartetc", type=pathlib.Path, required=True)
    parser.add_argument("--removed", type=pathlib.Path, required=True,
                        help="RemovedCalls.cpp, compiled")
    parser.add_argument("--tools", type=pathlib.Path, required=True,
                        help="folder of llvm-objcopy and llvm-ar")
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="try every Nth place only")
    args = parser.parse_args()
    args.quartetc = args.quartetc.resolve()
    args.scratch = args.scratch.resolve() / args.case
    args.scratch.mkdir(parents=True, exist_ok=True)
    flags, blocks, prompt, kinds, part = CASES[args.case]
    program = args.scratch / "model"
    check([make_compiler(args), "build", *flags, "-o", program])

    words = [program, "run", "--tokens", ",".join(map(str, range(1, prompt + 1))), "-n", 2,
             "--temperature", 1.3, "--top-k", 20, "--seed", 7, "--ignore-eos",
             "--print-tokens", "--quiet", "--blocks", blocks]
    listing = args.scratch / "places"
    whole = run(words, env=dict(os.environ, QUARTET_TEST_LIST=str(listing)))
    if whole.returncode:
        sys.exit(f"run_removed.py: the whole kernels fail:\n{whole.stderr.strip()}")
    places = [line.split(" ", 2) for line in listing.read_text().splitlines()]
    places = [place for place in places
              if (not kinds or place[0] in kinds) and part in (place[2] or part)]
    missed, tried = collections.Counter(), places[::args.every]
    wrong = []
    for kind, place, site in tried:
        without = run(words, env=dict(os.environ, QUARTET_TEST_REMOVE=place))
        site = re.sub(r"^l\d+\.", "", site)
        if without.returncode == 0:
            missed[f"{kind} {site}".strip()] += 1
        elif without.returncode != KERNELS_FAULTY:
            wrong.append(f"{kind} {site}: exit status {without.returncode}")
    for what, count in sorted(missed.items()):
        expected = EXPECTED[args.case].get(what, 0)
        print(f"{count} not noticed, expected at most {expected}: {what}")
        if count > expected:
            wrong.append(what)
    print(f"{args.case}: {len(tried)} of {len(places)} places, "
          f"{sum(missed.values())} not noticed")
    if len(tried) < 5:
        wrong.append("fewer than 5 places tried")
    for what in wrong:
        print("FAIL", what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

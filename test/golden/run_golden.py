#!/usr/bin/env python3
"""Compiles the golden checkpoints and compares what they compute with transformers.

    run_golden.py --list
    run_golden.py --quartetc build/quartetc --scratch /tmp/golden          all cases
    run_golden.py --quartetc build/quartetc --scratch /tmp/golden moe next

Each case is built several times (BUILDS and WAYS below). A build is then asked for
  prefill    the logits of prompts of several lengths, against the goldens
  decode     single tokens after a prompt, against the goldens
  greedy     sixteen tokens of text, which must be the golden ones
  prefix     the rows of a short prompt and of a longer one, which must be equal bits
  split      the same tokens cut into other steps: equal bits
  sampling   random text: drawn in the step, by the runtime, with one thread
  together   several sequences in one step, against each alone: equal bits
  quant      packed formats, against the generic lowering of the same values
  kv int8    an int8 KV cache: goldens within a wider bound, equal bits, and against
             the generic lowering
Bits are compared between steps of one kind: of few tokens, of many, or generic.
One line per check. The exit status is 0 only if all passed. Needs Python 3.9 and
numpy. The bounds are explained in README.md.
"""
import argparse
import math
import pathlib
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    sys.exit("run_golden.py: needs numpy (Debian: apt install python3-numpy)")

HERE = pathlib.Path(__file__).resolve().parent

# Per case: name of the build, flags, and the precision to expect. Without a flag the
# precision is the checkpoint's.
FLOAT = ("f32", ["--dtype", "f32"], "f32")
STORED_BF16 = ("stored", [], "bf16")
BUILDS = {
    "moe": [FLOAT, STORED_BF16],
    "moe-release": [FLOAT, STORED_BF16],
    "moe-deep": [FLOAT, ("bf16", ["--dtype", "bf16"], "bf16")],
    "moe-f16": [FLOAT],
    "dense": [("stored", [], "f32"), ("bf16", ["--dtype", "bf16"], "bf16")],
    "dense-yarn": [FLOAT, STORED_BF16],
    "next": [FLOAT, STORED_BF16],
}

# Ways to lower a model: name, flags, and how steps are cut where bits must be equal.
# Steps of many tokens work on chunks of the sequence; cuts inside one change bits.
# None: steps of both kinds take part, so bits are not compared.
WAYS = [("step", [], None),
        ("few", ["--buckets", "1,4,16"], "anywhere"),
        ("many", ["--buckets", "64,512"], "chunks"),
        ("generic", ["--lowering", "generic"], "anywhere")]

# Quantized step programs against the generic lowering of the same quantized values. Floats
# are multiplied as they are; for integers, what they are multiplied by is rounded to int8,
# which random weights of so small a model make felt. On a CPU with AMX, bf16 is multiplied
# by 16 bits of the activations.
QUANT_CASES = ["moe", "dense"]
QUANTS = {"bf16": 5e-5, "f16": 1e-5, "fp8": 1e-5, "int8": 0.15, "int6": 0.15,
          "int4": 0.3}

# Builds with an int8 KV cache. A value at the middle between two integers may be rounded
# otherwise when it was computed otherwise: over all rows, that is little.
KV_CASES = ["moe"]
KV_WAY_BOUND = 1e-4    # mean, between the ways
KV_GOLDEN_BOUND = 2e-2  # relative to the largest logit of the row

F32_BOUND = 2e-4   # relative to the largest logit of the row
BF16_FACTOR = 1.5  # times the largest error of transformers' own bf16 run

# Steps that cross the chunk of 64 in different ways. "7 7 7 ..." is made to fit.
SPLITS = {130: [[1, 62, 1, 66], [7] * 18 + [4], [1] * 130],
          300: [[64, 1, 128, 107]]}
CHUNK_SPLITS = {130: [[64, 66], [32, 96, 2]], 300: [[64, 64, 128, 44], [256, 44]]}

# Several sequences at once, as ranges of the golden tokens, and how to cut each.
TOGETHER = [(0, 65), (100, 103), (200, 201), (40, 60)]
TOGETHER_SPLIT = [[64, 1], [2, 1], [1], [3, 10, 7]]
CHUNK_TOGETHER_SPLIT = [[64, 1], [3], [1], [20]]

TIMEOUT = 60  # seconds for one command


class Failure(Exception):
    """A command that did not do what it should; the text says which and how."""


class Hang(Failure):
    """No answer in time: the rest of the build is left out."""


def command(arguments):
    arguments = [str(argument) for argument in arguments]
    shown = " ".join(a if len(a) < 60 else a[:57] + "..." for a in arguments)
    try:
        done = subprocess.run(arguments, capture_output=True, text=True,
                              errors="replace", timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Hang(f"no answer within {TIMEOUT} s: {shown}") from None
    except OSError as error:
        raise Failure(f"can't run: {shown}: {error.strerror}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message")
        last = "\n       ".join(said.splitlines()[-4:])
        raise Failure(f"exit status {done.returncode}: {shown}\n       {last}")
    return done.stdout


def join(values):
    return ",".join(str(int(value)) for value in values)


class Program:
    """One compiled model, run with `options`."""

    def __init__(self, path, *options):
        self.path = path
        self.options = options

    def logits(self, *sequences, split=None):
        """Rows of all sequences in order; `split` has the steps of each."""
        file = self.path.with_suffix(".npy")
        file.unlink(missing_ok=True)
        arguments = [self.path, "logits", *self.options,
                     "--tokens", ";".join(map(join, sequences))]
        if split:
            arguments += ["--split", ";".join(map(join, split))]
        command(arguments + ["-o", file])
        try:
            rows = np.load(file)
        except (OSError, ValueError) as error:
            raise Failure(f"no logits in {file}: {error}") from None
        tokens = sum(map(len, sequences))
        if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != tokens:
            raise Failure(f"{file} has {rows.dtype} {list(rows.shape)}, "
                          f"expected float32 [{tokens}, vocabulary]")
        return rows

    def greedy(self, tokens, count):
        return self.run(tokens, count, "--temperature", "0")

    def run(self, tokens, count, *options):
        """Ids that `run` generates."""
        text = command([self.path, "run", *self.options, "--tokens", join(tokens),
                        "-n", count, "--print-tokens", *options])
        try:
            return [int(word) for word in text.split()]
        except ValueError:
            raise Failure("expected only token ids on the standard output, found "
                          + repr(text[:80])) from None


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def line(self, good, text):
        self.passed += good
        self.failed += not good
        print("ok  " if good else "FAIL", text, flush=True)

    def attempt(self, what, action):
        """The result of `action`, or None and a failed check."""
        try:
            return action()
        except Hang:
            raise
        except Failure as failure:
            return self.line(False, f"{what}: {failure}")

    def close(self, what, found, expected, bound):
        if found is None:
            return None
        error = relative_error(found, expected)
        self.line(error <= bound, f"{what}: error {error:.1e}, bound {bound:.1e}")

    def equal(self, what, found, expected):
        """Bit for bit, so that -0 and NaN count as well."""
        if found is None:
            return None
        if expected is None:
            return self.line(False, f"{what}: nothing to compare with")
        if found.shape != expected.shape:
            return self.line(False, f"{what}: shape {list(found.shape)}, "
                                    f"expected {list(expected.shape)}")
        found, expected = (np.ascontiguousarray(x) for x in (found, expected))
        different = found.view(np.uint32) != expected.view(np.uint32)
        if not different.any():
            return self.line(True, f"{what}: equal bits")
        row = int(different.any(axis=1).argmax())
        self.line(False, f"{what}: {int(different.sum())} of {different.size} values "
                         f"differ, first in row {row}, relative "
                         f"{relative_error(found, expected):.1e}, bound 0")


def relative_error(found, expected):
    """Largest difference in a row relative to the row's largest value."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return math.inf
    found, expected = (x.astype(np.float64) for x in (found, expected))
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    return float((np.abs(found - expected) / scale).max())


def check_goldens(report, name, program, golden, bound):
    """Returns the rows of each prefill for the checks on equal bits."""
    tokens, rows = golden["tokens"], {}
    for n in golden["lengths"].tolist():
        what, expected = f"{name} prefill {n}", golden[f"prefill_{n}"]
        rows[n] = report.attempt(what, lambda: program.logits(tokens[:n]))
        last = rows[n] if rows[n] is None else rows[n][-len(expected):]
        report.close(what, last, expected, bound)
    for n in golden["decode_starts"].tolist():
        what, expected = f"{name} decode after {n}", golden[f"decode_{n}"]
        steps = [n] + [1] * len(expected)
        report.close(what, report.attempt(what, lambda: program.logits(
            tokens[:sum(steps)], split=[steps])[n:]), expected, bound)
    for i in range(int(golden["greedy_count"])):
        prompt, text = golden[f"greedy_prompt_{i}"], golden[f"greedy_tokens_{i}"]
        what = f"{name} greedy after {len(prompt)}"
        found = report.attempt(what, lambda: program.greedy(prompt, len(text)))
        if found is not None:
            same = found == text.tolist()
            report.line(same, f"{what}: " + (
                "equal" if same else f"found {found}, expected {text.tolist()}"))
    return rows


def check_bits(report, name, program, tokens, rows, cuts):
    inside = cuts == "anywhere"
    splits_of = SPLITS if inside else CHUNK_SPLITS
    def equal(what, expected, *sequences, **steps):
        what = f"{name} {what}"
        report.equal(what, report.attempt(
            what, lambda: program.logits(*sequences, **steps)), expected)

    longest = max(rows)
    if rows[longest] is not None:
        for n in sorted(rows)[:-1]:
            report.equal(f"{name} prefix {n} of {longest}", rows[longest][:n], rows[n])
    for n, splits in splits_of.items():
        for split in splits:
            shown = join(split[:4]) + (",..." if len(split) > 4 else "")
            equal(f"split {n} into {shown}", rows[n], tokens[:n], split=[split])
    sequences = [tokens[begin:end] for begin, end in TOGETHER]
    alone = report.attempt(f"{name} alone", lambda: np.concatenate(
        [program.logits(sequence) for sequence in sequences]))
    equal("together", alone, *sequences)
    equal("together, split", alone, *sequences,
          split=TOGETHER_SPLIT if inside else CHUNK_TOGETHER_SPLIT)


def check_sampling(report, name, program, prompt):
    """The same draws by quartet.sample in the step and by the runtime, which takes
    over when there is a penalty: one too small to change a logit."""
    options = ["--temperature", "1.3", "--top-k", "20", "--top-p", "0.9", "--min-p",
               "0.01", "--seed", "7", "--ignore-eos"]
    ids = [report.attempt(f"{name} sampling", lambda: program.run(
        prompt, 48, *options, *more)) for more in (
            [], ["--presence-penalty", "1e-30"], ["--threads", "1"])]
    for other, what in zip(ids[1:], ("by the runtime", "with one thread")):
        report.line(ids[0] is not None and other == ids[0] and len(set(other)) > 1,
                    f"{name} sampling in the step and {what}: "
                    + ("equal" if other == ids[0] else f"{ids[0]} and {other}"))


def check_quants(report, case, args, golden):
    tokens = golden["tokens"][:40]
    for quant, bound in QUANTS.items():
        rows = []
        for way in ("step", "generic"):
            path = (args.scratch / f"{case}-{quant}-{way}").resolve()
            what = f"{case} {quant} {way}"
            # What is compared with needs no fast code.
            quick = ["--quick"] if way == "generic" else []
            rows.append(report.attempt(what, lambda: command(
                [args.quartetc, "build", HERE / case, "-o", path, "--dtype", "f32",
                 "--quant", quant, "--lowering", way, *quick, *args.build_flag])
                and None or Program(path).logits(tokens)))
        if rows[0] is not None and rows[1] is not None:
            # Over all rows: one token that takes another expert is not a defect.
            error = np.abs(rows[0] - rows[1]).mean() / np.abs(rows[1]).mean()
            report.line(error <= bound, f"{case} {quant}: mean error {error:.1e}, "
                                        f"bound {bound:.1e}")


def check_kv(report, case, args, golden):
    tokens, rows = golden["tokens"], {}
    longest = max(golden["lengths"].tolist())
    for way, flags, cuts in WAYS[1:]:
        name = f"{case} kv int8 {way}"
        path = (args.scratch / f"{case}-kv-{way}").resolve()
        program = Program(path)
        of_length = {}
        rows[way] = report.attempt(name, lambda: command(
            [args.quartetc, "build", HERE / case, "-o", path, "--dtype", "f32",
             "--kv-cache", "int8", *flags, *(["--quick"] if way == "generic" else []),
             *args.build_flag])
            and None or program.logits(tokens[:longest]))
        if rows[way] is None:
            continue
        for n in golden["lengths"].tolist():
            expected = golden[f"prefill_{n}"]
            of_length[n] = report.attempt(name, lambda: program.logits(tokens[:n]))
            found = None if of_length[n] is None else of_length[n][-len(expected):]
            report.close(f"{name} prefill {n}", found, expected, KV_GOLDEN_BOUND)
        if way == "generic":
            continue
        check_bits(report, name, program, tokens, of_length, cuts)
    for way in ("few", "many"):
        if rows[way] is not None and rows["generic"] is not None:
            error = (np.abs(rows[way] - rows["generic"]).mean()
                     / np.abs(rows["generic"]).mean())
            report.line(error <= KV_WAY_BOUND,
                        f"{case} kv int8 {way} and generic: mean error {error:.1e}, "
                        f"bound {KV_WAY_BOUND:.1e}")


def run_case(report, case, args):
    golden = dict(np.load(HERE / "results" / (case + ".npz")))
    if case in KV_CASES:
        check_kv(report, case, args, golden)
    if case in QUANT_CASES:
        check_quants(report, case, args, golden)
    for i, (build, flags, precision) in enumerate(BUILDS[case]):
        bound = (F32_BOUND if precision == "f32"
                 else BF16_FACTOR * float(golden["bf16_error"]))
        # Every way for one precision, the usual one for the other.
        for way, more, cuts in WAYS if i == 0 else WAYS[:1]:
            try:
                run_build(report, f"{case} {build} {way}",
                          (args.scratch / f"{case}-{build}-{way}").resolve(),
                          [args.quartetc, "build", HERE / case, *flags, *more,
                           *args.build_flag], golden, bound, cuts)
            except Failure as failure:
                report.line(False, f"{case} {build} {way}: {failure}")


def run_build(report, name, path, build, golden, bound, cuts):
    files = path, path.with_name(path.name + ".safetensors")
    for file in files:  # of an earlier run
        file.unlink(missing_ok=True)
    command([*build, "-o", path])
    for file in files:
        if not file.exists():
            raise Failure(f"the build left no {file}")
    report.line(True, f"{name} build")
    program = Program(path)
    rows = check_goldens(report, name, program, golden, bound)
    if cuts:
        check_bits(report, name, program, golden["tokens"], rows, cuts)
    check_sampling(report, name, program, golden["tokens"][:9])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="default: all")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--quartetc", type=pathlib.Path, help="the compiler")
    parser.add_argument("--scratch", type=pathlib.Path,
                        help="folder for what is built; made if missing")
    parser.add_argument("--build-flag", action="append", default=[], metavar="FLAG",
                        help="a further argument of quartetc build; may be repeated")
    args = parser.parse_args()
    if args.list:
        print(*BUILDS, sep="\n")
        return 0
    unknown = [case for case in args.case if case not in BUILDS]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; "
                     f"expected {', '.join(BUILDS)}")
    if not args.quartetc or not args.scratch:
        parser.error("expected --quartetc and --scratch")
    args.quartetc = args.quartetc.resolve()
    args.scratch.mkdir(parents=True, exist_ok=True)
    report = Report()
    for case in args.case or BUILDS:
        run_case(report, case, args)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

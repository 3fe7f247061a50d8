#!/usr/bin/env python3
"""Compares compiled multi-token prediction with the goldens of make_mtp.py.

    run_mtp.py --quartetc build/quartetc --scratch /tmp/golden             all cases
    run_mtp.py --quartetc build/quartetc --scratch /tmp/golden moe-release

Each case is built with --mtp in several ways. A build is then asked for
  rows       the logits of the pairs and drafts, against the goldens
  split      the same tokens cut into other steps, and several sequences: equal bits
  model      the model's own logits, against its goldens, where it has some
  quant      packed formats, against the generic lowering of the same values
One line per check. The exit status is 0 only if all passed. Needs Python 3.9 and
numpy.
"""
import argparse
import pathlib
import sys

import run_golden
from run_golden import HERE, F32_BOUND, Failure, Report, command, join, np

# Ways to lower the model: flags, and how steps are cut where bits must be equal, as in
# run_golden.py.
WAYS = {"few": (["--buckets", "16"], "anywhere"),
        "many": (["--buckets", "64"], "chunks"),
        "step": (["--buckets", "16,64"], None),
        "generic": (["--lowering", "generic"], "anywhere")}

# Per case: ways, and packed formats with their bounds as in run_golden.py.
CASES = {
    "moe-release": (["few", "many"], {}),
    "mtp-dense": (["step"], {}),
    "mtp-next": (["generic", "few"], {"int8": 0.15}),
}

# How the 74 tokens that the model runs are cut.
SPLITS = {"anywhere": [1, 62, 1, 10], "chunks": [32, 32, 10]}


class Program:
    def __init__(self, path):
        self.path = path

    def rows(self, *sequences, drafts=0, split=None):
        file = self.path.with_suffix(".npy")
        file.unlink(missing_ok=True)
        arguments = [self.path, "logits", "--mtp", "--drafts", drafts, "--tokens",
                     ";".join(map(join, sequences))]
        if split:
            arguments += ["--split", ";".join(map(join, split))]
        command(arguments + ["-o", file])
        rows = np.load(file)
        expected = sum(len(tokens) - 1 + drafts for tokens in sequences)
        if rows.dtype != np.float32 or len(rows) != expected:
            raise Failure(f"{file} has {rows.dtype} {list(rows.shape)}, "
                          f"expected float32 [{expected}, vocabulary]")
        return rows


def build(case, way, args, *more):
    path = (args.scratch / f"{case}-mtp-{way}{''.join(more)}").resolve()
    command([args.quartetc, "build", HERE / case, "-o", path, "--mtp", "--dtype",
             "f32", *WAYS[way][0], *more, *args.build_flag])
    return Program(path)


def check_way(report, case, way, args, golden):
    name, cuts = f"{case} mtp {way}", WAYS[way][1]
    program = build(case, way, args)
    tokens, drafts = golden["tokens"], int(golden["drafts"])
    rows = report.attempt(name, lambda: program.rows(tokens, drafts=drafts))
    if rows is None:
        return
    report.close(f"{name} rows", rows[golden["kept"]], golden["rows"], F32_BOUND)
    if cuts:
        split = SPLITS[cuts]
        report.equal(f"{name} split", program.rows(
            tokens, drafts=drafts, split=[split]), rows)
        short = tokens[5:9]
        both = program.rows(tokens, short, drafts=drafts,
                            split=[split, [len(short) - 1]])
        report.equal(f"{name} with another sequence", both[:len(rows)], rows)
        report.equal(f"{name} beside another sequence", both[len(rows):],
                     program.rows(short, drafts=drafts))
    model = HERE / "results" / f"{case}.npz"
    if model.exists():
        known, n = dict(np.load(model)), 65
        found = run_golden.Program(program.path).logits(known["tokens"][:n])
        expected = known[f"prefill_{n}"]
        report.close(f"{name} model", found[-len(expected):], expected, F32_BOUND)


def check_quant(report, case, quant, bound, args, golden):
    rows = [build(case, way, args, "--quant", quant).rows(golden["tokens"])
            for way in ("few", "generic")]
    error = np.abs(rows[0] - rows[1]).mean() / np.abs(rows[1]).mean()
    report.line(error <= bound, f"{case} mtp {quant}: mean error {error:.1e}, "
                                f"bound {bound:.1e}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="default: all")
    parser.add_argument("--quartetc", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True,
                        help="folder for what is built; made if missing")
    parser.add_argument("--build-flag", action="append", default=[], metavar="FLAG",
                        help="a further argument of quartetc build; may be repeated")
    args = parser.parse_args()
    unknown = [case for case in args.case if case not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; "
                     f"expected {', '.join(CASES)}")
    args.quartetc = args.quartetc.resolve()
    args.scratch.mkdir(parents=True, exist_ok=True)
    report = Report()
    for case in args.case or CASES:
        ways, quants = CASES[case]
        golden = dict(np.load(
            HERE / "results" / f"{case.removeprefix('mtp-')}-mtp.npz"))
        for way in ways:
            report.attempt(f"{case} mtp {way}", lambda: check_way(
                report, case, way, args, golden))
        for quant, bound in quants.items():
            report.attempt(f"{case} mtp {quant}", lambda: check_quant(
                report, case, quant, bound, args, golden))
    print(f"{report.passed} passed, {report.failed} failed")
    return report.failed != 0


if __name__ == "__main__":
    sys.exit(main())

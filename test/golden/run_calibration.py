#!/usr/bin/env python3
"""Compares `quartetc calibrate` with what the numpy reference sees in front of each matrix,
and shows that a build that uses the statistics makes smaller errors where they count.

    run_calibration.py --quartetc build/bin/quartetc --scratch /tmp/calibration [CASE...]

Needs Python 3.9 and numpy. reference.py itself is held to the stored goldens.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

import reference

HERE = pathlib.Path(__file__).resolve().parent
CASES = ("moe", "dense", "next")
TEXT = ("In the beginning was the sum of the squares, 1 + 4 + 9 = 14; and the mean\n"
        "was with the columns. Every expert sees other tokens: naïve, übung, 漢字.\n")
BOUND = 1e-4  # of a row's mean; in float32, against float64

# Projections that no fusion joins with others, as they are named in a checkpoint.
PACKED = {"l0.delta_out": "linear_attn.out_proj.weight",
          "l3.attn_out": "self_attn.o_proj.weight"}

# Names in a checkpoint to those of weights, and how many matrices make up one.
NAMES = {
    "linear_attn.in_proj_qkv": ["qkv"], "linear_attn.in_proj_z": ["z"],
    "linear_attn.in_proj_b": ["b"], "linear_attn.in_proj_a": ["a"],
    "linear_attn.in_proj_qkvz": ["qkv", "z"], "linear_attn.in_proj_ba": ["b", "a"],
    "linear_attn.out_proj": ["delta_out"], "self_attn.q_proj": ["q"],
    "self_attn.k_proj": ["k"], "self_attn.v_proj": ["v"],
    "self_attn.o_proj": ["attn_out"], "mlp.gate": ["router"],
    "mlp.gate_proj": ["mlp_gate_up"], "mlp.up_proj": ["mlp_gate_up"],
    "mlp.down_proj": ["mlp_down"], "mlp.shared_expert.gate_proj": ["shared_gate_up"],
    "mlp.shared_expert.up_proj": ["shared_gate_up"],
    "mlp.shared_expert.down_proj": ["shared_down"],
    "mlp.shared_expert_gate": ["shared_gate"],
}


class Recorder(reference.Model):
    """Notes the rows that each matrix is multiplied with."""

    def __init__(self, folder):
        super().__init__(folder)
        self.means = {}  # (layer, weight) or (layer, weight, expert)

    def see(self, layer, weight, rows, expert=None):
        key = (layer, weight) if expert is None else (layer, weight, expert)
        self.means[key] = np.mean(rows * rows, axis=0)

    def linear(self, x, name):
        _, layer, rest = name.removesuffix(".weight").split(".", 2)
        part = rest.split(".")
        if part[:2] == ["mlp", "experts"]:
            self.see(int(layer), "down" if part[3] == "down_proj" else "gate_up", x,
                     int(part[2]))
        else:
            for weight in NAMES[rest]:
                self.see(int(layer), weight, x)
        return super().linear(x, name)

    def expert(self, h, name, e):
        if not self.has(name + "experts.gate_up_proj"):
            return super().expert(h, name, e)
        layer = int(name.split(".")[1])
        gate, up = np.split(h @ self.get(name + "experts.gate_up_proj")[e].T, 2, -1)
        hidden = reference.silu(gate) * up
        self.see(layer, "gate_up", h, e)
        self.see(layer, "down", hidden, e)
        return hidden @ self.get(name + "experts.down_proj")[e].T


def run(*words, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, timeout=60, **options)
    if done.returncode:
        sys.exit(f"{words[:2]} failed: {done.stderr.decode()}")
    return done.stdout.decode()


def check(case, quartetc, scratch):
    """\\returns the largest error, and how many experts saw no token."""
    folder = HERE / case
    (scratch / "text").write_text(TEXT)
    run(quartetc, "build", folder, "--no-weights", "-q", "-o", scratch / "tokenizer")
    with open(scratch / "text") as text:
        ids = run(scratch / "tokenizer", "tokenize", "--ids", "-", stdin=text)
    run(quartetc, "calibrate", folder, "--text", scratch / "text", "--scratch", scratch,
        "--dtype", "f32", "-q", "-o", scratch / "stats.safetensors")
    found = reference.read_safetensors(scratch / "stats.safetensors")

    model = Recorder(folder)
    def note(name, value):
        if name == "final_norm":
            model.see(None, "embed" if model.head is model.embedding else "lm_head", value)
    model.step([int(i) for i in ids.split(",")], reference.State(), note)

    period = 4
    worst, seen = 0.0, set()
    for key, expected in model.means.items():
        layer, weight = key[:2]
        name = weight if layer is None else f"l{layer % period}.{weight}"
        row = found[name] if layer is None else found[name][layer // period]
        row = row[key[2]] if len(key) == 3 else row
        seen.add(name)
        worst = max(worst, float(np.abs(row - expected).max() / expected.mean()))
    assert seen == set(found), seen ^ set(found)
    # Whoever saw nothing has zeros, and nobody else.
    unseen = 0
    for name, rows in found.items():
        if rows.ndim != 3:
            continue
        for repeat, experts in enumerate(rows):
            for e, row in enumerate(experts):
                layer = repeat * period + int(name[1])
                known = (layer, name.split(".")[1], e) in model.means
                assert known == bool(row.any()), (name, repeat, e)
                unseen += not known
    return worst, unseen


def unpack(panels, rows, columns):
    """The values of a matrix in int4:64, [panels, bytes] of uint8: per panel of 16 rows the
    scales of each group, then lines of 8 columns (dialects/Quartet/PackedFormat.h)."""
    padded = -(-columns // 64) * 64
    scale_bytes = padded // 64 * 32
    start = -(-scale_bytes // 64) * 64
    scales = np.ascontiguousarray(panels[:, :scale_bytes]).view("<f2").astype(float)
    scales = np.repeat(scales.reshape(len(panels), -1, 16).transpose(0, 2, 1), 64, axis=2)
    lines = panels[:, start:].reshape(len(panels), padded // 8, 16, 4)
    values = np.concatenate([lines & 15, lines >> 4], axis=3).astype(float) - 8
    values = values.transpose(0, 2, 1, 3).reshape(len(panels), 16, padded)
    return (scales * values).reshape(-1, padded)[:rows, :columns]


def check_use(case, quartetc, scratch):
    """How much smaller the weighted error of matrices is in builds that use the statistics
    than in builds without: the largest ratio."""
    stats, errors = scratch / "stats.safetensors", []
    means, model = reference.read_safetensors(stats), reference.Model(HERE / case)
    for options in ([], ["--activation-stats", stats]):
        run(quartetc, "build", HERE / case, "--quant", "int4", "-q", "-o", scratch / "int4",
            *options)
        packed = read_packed(scratch / "int4.safetensors")
        error = []
        for name, source in PACKED.items():
            exact = model.get(f"layers.{name[1]}.{source}")
            found = unpack(packed[name][0, 0], *exact.shape)
            error.append(np.sum(means[name][0] * (found - exact) ** 2))
        errors.append(np.array(error))
    return float((errors[1] / errors[0]).max())


def read_packed(path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    return {name: np.frombuffer(data[8 + size:][slice(*entry["data_offsets"])], np.uint8)
            .reshape(entry["shape"])
            for name, entry in header.items() if entry.get("dtype") == "U8"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quartetc", required=True, type=os.path.abspath)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    args = parser.parse_args()
    failed = False
    for case in args.cases or CASES:
        scratch = args.scratch.resolve() / case
        scratch.mkdir(parents=True, exist_ok=True)
        worst, unseen = check(case, args.quartetc, scratch)
        ratio = check_use(case, args.quartetc, scratch)
        good = worst <= BOUND and ratio < 1
        failed |= not good
        print(f"{'ok  ' if good else 'FAIL'} {case}: mean squares differ by up to {worst:.1e} of "
              f"the mean, bound {BOUND:.0e}; {unseen} experts saw no token; weighted errors "
              f"of int4 become {ratio:.2f} of what they were")
    return failed


if __name__ == "__main__":
    sys.exit(main())

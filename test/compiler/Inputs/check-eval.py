#!/usr/bin/env python3
"""Checks the results of `quartetc eval-quant --json` in a folder.

    check-eval.py FOLDER        same.json, int4.json; and the logits of
                                the same text by `logits -o`: reference.npy,
                                int4.npy, and its tokens: ids
"""
import json, math, os, sys

import numpy as np

folder = sys.argv[1]


def read(name):
    with open(os.path.join(folder, name)) as f:
        return json.load(f)


def log_softmax(rows):
    rows = rows.astype(np.float64)
    top = rows.max(axis=1, keepdims=True)
    return rows - top - np.log(np.exp(rows - top).sum(axis=1, keepdims=True))


def expect(condition, what):
    if not condition:
        sys.exit(f"check-eval.py: {what}")


same, int4 = read("same.json"), read("int4.json")

# A build against itself: not nearly, but exactly nothing.
expect(all(value == 0 for value in same["kl_divergence"].values()), same)
expect(same["same_top_token"] == 1 and same["perplexity_ratio"] == 1, same)

kl = lambda result: result["kl_divergence"]["mean"]
expect(0.003 < kl(int4) < 0.05, int4)
expect(int4["same_top_token"] < 1, int4)
expect(0.97 < int4["perplexity_ratio"] < 1.05, int4)
expect("int4:64" in int4["quantized"]["formats"], int4)
expect(int4["reference"]["formats"] == "bf16", int4)

# The same numbers from files of logits.
ids = np.array(open(os.path.join(folder, "ids")).read().split(","), dtype=int)
n = int4["predictions"]
p = log_softmax(np.load(os.path.join(folder, "reference.npy"))[:n])
q = log_softmax(np.load(os.path.join(folder, "int4.npy"))[:n])
divergence = np.maximum((np.exp(p) * (p - q)).sum(axis=1), 0)
rows, following = np.arange(n), ids[1:n + 1]
near = lambda found, expected: math.isclose(found, expected, rel_tol=1e-6)
expect(near(kl(int4), divergence.mean()), divergence.mean())
expect(near(int4["kl_divergence"]["max"], divergence.max()), divergence.max())
expect(near(int4["kl_divergence"]["median"], np.sort(divergence)[n // 2 - 1]), "median")
for build, logs in (("reference", p), ("quantized", q)):
    expect(near(int4[build]["perplexity"], np.exp(-logs[rows, following].mean())), build)
expect(int4["same_top_token"] == (p.argmax(axis=1) == q.argmax(axis=1)).mean(), "agreement")
print("the results agree with the logits")

#!/usr/bin/env python3
"""Compares two files of logits: compare-logits.py A.npy B.npy BOUND. The bound is
relative to the largest logit of the row. Needs numpy."""
import sys

import numpy as np

first, second = (np.load(path) for path in sys.argv[1:3])
if first.shape != second.shape or first.ndim != 2 or first.size == 0:
    sys.exit(f"shapes differ or are empty: {first.shape} and {second.shape}")
if not (np.isfinite(first).all() and np.isfinite(second).all()):
    sys.exit("not all logits are finite")
scale = np.abs(first).max(axis=1)
error = np.abs(first - second).max(axis=1) / scale
worst = int(error.argmax())
print(f"rows {len(first)}, largest error {error[worst]:.2e} in row {worst}")
if not error[worst] <= float(sys.argv[3]):
    sys.exit(f"above {sys.argv[3]}")

#!/usr/bin/env python3
"""What test/gpu/run.sh measured, as one table.

  table.py FOLDER

Reads NAME.bench.json, NAME.batches.json and NAME.trace-TOKENS.json of each executable.
A cell without a measurement is a dash. Python's own library is enough.
"""
import glob
import json
import os
import sys


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def rate(entries, seconds, count, **wanted):
    """Tokens/s by the device's clock and the fraction of the ceiling, of an entry."""
    for entry in entries:
        if all(entry.get(key) == value for key, value in wanted.items()):
            median = entry.get(seconds, {}).get("median") or 0
            if median <= 0:
                return "-"
            text = f"{count / median:,.0f}"
            fraction = entry.get("fraction_of_bandwidth" if "batch" in wanted
                                 else "fraction_of_matrix_peak")
            return text + (f" ({fraction:.0%})" if fraction else "")
    return "-"


def delta_per_layer(base, of):
    """Milliseconds of a layer's delta rule over `of` tokens, from its phases in the longest
    steps that there is a trace of."""
    for tokens in (4096, 512):
        trace = load(f"{base}.trace-{tokens}.json") or {}
        total = 0
        for phase in (".delta", ".delta.prepare"):
            times = [event["args"]["median_us"] for event in trace.get("traceEvents", [])
                     if event.get("ph") == "X" and event.get("tid") == 0
                     and event.get("name", "").endswith(phase)]
            total += sum(times) / len(times) if times else 0
        if total:
            return f"{total * of / tokens / 1e3:.2f}"
    return "-"


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    rows = []
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.bench.json"))):
        base = path[:-len(".bench.json")]
        alone, batches = load(path) or {}, load(base + ".batches.json") or {}
        decode = "device_seconds_per_step"
        peak = alone.get("matrix_peak", {})
        rows.append([
            os.path.basename(base), alone.get("device", {}).get("name", "-"),
            rate(alone.get("decode", []), decode, 1, batch=1, context=64),
            rate(alone.get("decode", []), decode, 1, batch=1, context=4096),
            rate(alone.get("decode", []), decode, 1, batch=1, context=131072),
            rate(batches.get("decode", []), decode, 16, batch=16, context=64),
            rate(alone.get("prefill", []), "device_seconds", 8192, tokens=8192),
            delta_per_layer(base, 32768),
            f"{alone.get('read_bandwidth', {}).get('bytes_per_second', 0) / 1e9:,.0f}",
            f"{peak.get('bf16_operations_per_second', 0) / 1e12:,.0f}"])
    heads = ["executable", "device", "batch 1 at 64, tokens/s", "at 4,096", "at 131,072",
             "batch 16 at 64, tokens/s in all", "prefill of 8,192, tokens/s",
             "delta rule of 32,768 tokens, ms a layer", "copies, GB/s", "bf16 peak, TFLOP/s"]
    print("| " + " | ".join(heads) + " |")
    print("|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print("\nBy the device's clock; in brackets the fraction of the bandwidth of copies, for "
          "prefill of the\nmatrix peak. The delta rule's time is that of steps of 4,096 tokens, or of 512.")


if __name__ == "__main__":
    main()

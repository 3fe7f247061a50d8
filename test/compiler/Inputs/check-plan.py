"""Checks what `quartetc plan --json` prints: FAST SLOW, the same plan with twice and once
a bandwidth; or --manifest INFO PLAN, the manifest of an executable and its plan."""

import json
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def phases(plan):
    """All phases, without what belongs to the step of the report."""
    return [
        {key: value for key, value in phase.items() if key != "step"}
        for bucket in plan["buckets"]
        for phase in bucket["phases"]
    ]


if sys.argv[1] == "--manifest":
    manifest, plan = load(sys.argv[2]), load(sys.argv[3])
    assert phases(manifest["plan"]) == phases(plan)
    print(len(phases(plan)), "phases are the same")
    sys.exit()

fast, slow = load(sys.argv[1]), load(sys.argv[2])
ratio = (
    fast["decode"][0]["most_tokens_per_second"]
    / slow["decode"][0]["most_tokens_per_second"]
)
print(f"decode {ratio:.2f}")
for bucket in fast["buckets"]:
    for key in ("bytes", "flops", "least_seconds"):
        total = sum(phase["step"][key] for phase in bucket["phases"])
        assert abs(total - bucket["step"][key]) <= 1e-9 * total, (bucket["tokens"], key)
print("phases add up")

#!/usr/bin/env bash
# Builds what test/gpu/run.sh -g compares: golden checkpoints for one GPU, with the
# tokens and the logits wanted beside them.
#
#   test/gpu/golden.sh QUARTETC TARGET FOLDER     e.g. build/bin/quartetc sm_90a /tmp/g
set -euo pipefail
if [[ $# -ne 3 ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
  exit 2
fi
quartetc=$1 target=$2 folder=$3
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder"
for case in moe dense next; do
  "$quartetc" build "$here/golden/$case" --target "$target" --dtype f32 \
    --buckets 1,16,64 -q -o "$folder/$case"
  "$python" - "$here/golden/results/$case.npz" "$folder/$case" <<'PYTHON'
import sys, numpy
results = numpy.load(sys.argv[1])
# The last two tokens of a prompt of 130, and the eight behind it.
wanted = numpy.concatenate([results["prefill_130"], results["decode_130"]])
tokens = results["tokens"][:138]
with open(sys.argv[2] + ".tokens", "w") as out:
    out.write(",".join(str(int(t)) for t in tokens))
numpy.save(sys.argv[2] + ".npy", wanted)
PYTHON
done
echo "golden: $folder; now test/gpu/run.sh -g $folder/moe -g $folder/dense -g $folder/next"

#!/usr/bin/env bash
# Builds what test/gpu/run.sh -g compares: golden checkpoints for one GPU, with the
# tokens and the logits wanted beside them; and for -p a small model of int4, whose steps of
# many tokens have the kernels that the float32 ones lack. All have the same kernels for the
# emulator, too, so that selftest compares phase by phase.
#
#   test/gpu/golden.sh QUARTETC TARGET FOLDER     e.g. build/bin/quartetc sm_90a /tmp/g
set -euo pipefail
if [[ $# -ne 3 ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
  exit 2
fi
quartetc=$1 target=$2 folder=$3
python=${PYTHON:-python3}
"$python" -c 'import numpy' 2>/dev/null || {
  echo "golden.sh: $python has no NumPy, which writes the logits that are wanted; install it" \
    "(pip install numpy), or set PYTHON to a Python that has it" >&2
  exit 2
}
here=$(cd "$(dirname "$0")/.." && pwd)
case $target in
  emulator:gfx*) reference=emulator:sm_90a ;; # another one: AMD's and NVIDIA's phases agree
  emulator*) reference=emulator:gfx942 ;;
  *) reference=emulator:$target ;;
esac
mkdir -p "$folder"
build() { # CHECKPOINT NAME OPTION...
  "$quartetc" build "$1" --target "$target,$reference" --fat --buckets 1,16,64 -q \
    -o "$folder/$2" "${@:3}"
  echo "$target" >"$folder/$2.program" # what run.sh tests, and nothing else
}
build "$here/../models/tiny" int4 --quant w4 --layers 4
for case in moe dense next; do
  build "$here/golden/$case" "$case" --dtype f32
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
echo "golden: $folder; now test/gpu/run.sh -p $folder/int4 -g $folder/moe -g $folder/dense" \
  "-g $folder/next"

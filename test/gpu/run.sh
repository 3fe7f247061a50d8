#!/usr/bin/env bash
# Everything to do with a GPU at hand, with built executables only: no compiler, no
# checkout, no network. Correctness first, then speed; one folder of results.
#
#   test/gpu/run.sh [-o FOLDER] [-g GOLDEN]... [-p SMALL]... EXECUTABLE...
#
# EXECUTABLE  from `quartetc build MODEL --target sm_90a ...`. Without its weight file
#             it is measured with made-up weights (--synthetic-weights 1).
# -g GOLDEN   an executable of a golden checkpoint, beside it NAME.tokens (ids, with
#             commas) and NAME.npy (logits wanted of the last tokens): compared with NumPy if Python
#             has it; and its phases with the emulator's. `test/gpu/golden.sh` builds them.
# -p SMALL    an executable whose phases are compared with the emulator's, no more
# -o FOLDER   where results go (default: gpu-results)
#
# Exit status: 0 when every check passed; speeds are reported, not judged.
set -uo pipefail

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }
results=gpu-results golden=() small=()
while getopts o:g:p:h option; do
  case $option in
    o) results=$OPTARG ;;
    g) golden+=("$OPTARG") ;;
    p) small+=("$OPTARG") ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
if [[ $# -eq 0 && ${#golden[@]} -eq 0 && ${#small[@]} -eq 0 ]]; then
  usage >&2
  exit 2
fi
mkdir -p "$results"
failed=0

# check WHAT FILE COMMAND...: runs it, keeps what it prints, says how it went.
check() {
  local what=$1 file=$results/$2
  shift 2
  local start=$SECONDS
  if "$@" >"$file" 2>&1; then
    echo "passed  $what ($((SECONDS - start)) s)"
  else
    echo "FAILED  $what (exit $?): see $file"
    failed=1
  fi
}

{ date -u; uname -a; command -v nvidia-smi >/dev/null && nvidia-smi
  command -v rocm-smi >/dev/null && rocm-smi; } >"$results/machine.txt" 2>&1

for program in "${small[@]}" "${golden[@]}"; do
  name=$(basename "$program")
  check "$name: phases" "$name.phases.txt" "$program" selftest
done

compare='
import sys, numpy
got, want = (numpy.load(name).astype("f8") for name in sys.argv[1:3])
got = got[-len(want):]  # the rows wanted are the last ones
error = (abs(got - want).max(1) / abs(want).max(1)).max()
print(f"worst row: {error:.2e} of its largest logit, bound {float(sys.argv[3]):.0e}")
sys.exit(not error <= float(sys.argv[3]))'
for program in "${golden[@]}"; do
  name=$(basename "$program")
  check "$name: golden logits" "$name.logits.txt" bash -c '
    "$1" logits --tokens "$(cat "$1.tokens")" -o "$2.npy" &&
    "${PYTHON:-python3}" -c "$3" "$2.npy" "$1.npy" "$(cat "$1.bound" 2>/dev/null || echo 2e-4)"
  ' _ "$program" "$results/$name" "$compare"
  # Memory errors and races, on a model small enough for tools that slow down a lot.
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
      check "$name: $tool" "$name.$tool.txt" compute-sanitizer --tool "$tool" \
        --error-exitcode 1 "$program" run --tokens 1,2,3,4,5 -n 4 --print-tokens
    done
  fi
done

for program in "$@"; do
  name=$(basename "$program")
  weights=()
  [[ -f $program.safetensors ]] || weights=(--synthetic-weights 1)
  check "$name: devices" "$name.devices.txt" "$program" info --devices
  check "$name: selftest" "$name.selftest.txt" "$program" selftest "${weights[@]}"
  check "$name: bench" "$name.bench.json" "$program" bench "${weights[@]}" \
    --context 64,4096,32768,131072 --batch 1,4,16 --prompt 512,8192 --json
  for tokens in 1 16 512; do
    check "$name: profile of $tokens" "$name.profile-$tokens.txt" "$program" \
      profile "${weights[@]}" --tokens "$tokens" -o "$results/$name.trace-$tokens.json"
  done
done
echo "results: $results"
exit $failed

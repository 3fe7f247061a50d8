#!/usr/bin/env bash
# Everything to do with a GPU at hand, with built executables only: no compiler, no
# checkout, no network. Correctness first, then speed; one folder of results.
#
#   test/gpu/run.sh [-o FOLDER] [-t SECONDS] [-s] [-g GOLDEN]... [-p SMALL]... EXECUTABLE...
#
# EXECUTABLE  from `quartetc build MODEL --target sm_90a ...`. Without its weight file
#             it is measured with made-up weights (--synthetic-weights 1).
# -g GOLDEN   an executable of a golden checkpoint, beside it NAME.tokens (ids, with
#             commas) and NAME.npy (logits wanted of the last tokens): compared with NumPy;
#             and its phases with the emulator's. `test/gpu/golden.sh` builds them, and
#             NAME.program beside each, so that no other program of it is taken.
# -p SMALL    an executable whose phases are compared with the emulator's, no more
# -o FOLDER   where results go (default: gpu-results); FOLDER.tgz has all of them
# -t SECONDS  longest time of each check (default: 240)
# -s          a rehearsal: the same commands with little to measure, e.g. on an emulator
#
# Checks of memory and races run where NVIDIA's compute-sanitizer is; FOLDER/table.md
# is made where Python is. Exit status: 0 when every check passed; speeds are reported,
# not judged.
set -uo pipefail

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }
results=gpu-results limit=240 short=false golden=() small=()
while getopts o:t:sg:p:h option; do
  case $option in
    o) results=$OPTARG ;;
    t) limit=$OPTARG ;;
    s) short=true ;;
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
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
command -v "$python" >/dev/null || python=
mkdir -p "$results" || exit 2
failed=0

# check WHAT FILE COMMAND...: runs it, keeps what it prints, says how it went. Notes go
# to FILE.err, so that FILE is JSON where the command writes that.
check() {
  local what=$1 file=$results/$2
  shift 2
  local start=$SECONDS code=0
  timeout -k 10 "$limit" "$@" >"$file" 2>"$file.err" || code=$?
  [[ -s $file.err ]] || rm -f "$file.err"
  case $code in
    0) echo "passed  $what ($((SECONDS - start)) s)" ;;
    124 | 137) echo "HANGS   $what: ended after $limit s; see $file"; failed=1 ;;
    *)
      echo "FAILED  $what (exit $code): see $file"
      [[ -f $file.err ]] && tail -n 3 "$file.err" | sed 's/^/        /'
      failed=1
      ;;
  esac
}
# The executable as a command: a path, and the program that is to be tested.
of() {
  command=("$(realpath "$1")")
  [[ -f $1.program ]] && command+=(--program "$(cat "$1.program")")
  name=$(basename "$1")
}

{ date -u; uname -a; command -v nvidia-smi >/dev/null && nvidia-smi
  command -v rocm-smi >/dev/null && rocm-smi; } >"$results/machine.txt" 2>&1

for program in ${small[@]+"${small[@]}"} ${golden[@]+"${golden[@]}"}; do
  of "$program"
  check "$name: phases" "$name.phases.txt" "${command[@]}" selftest
done

compare='
import sys, numpy
got, want = (numpy.load(name).astype("f8") for name in sys.argv[1:3])
got = got[-len(want):]  # the rows wanted are the last ones
error = (abs(got - want).max(1) / abs(want).max(1)).max()
print(f"worst row: {error:.2e} of its largest logit, bound {float(sys.argv[3]):.0e}")
sys.exit(not error <= float(sys.argv[3]))'
for program in ${golden[@]+"${golden[@]}"}; do
  of "$program"
  check "$name: logits" "$name.logits.txt" "${command[@]}" logits \
    --tokens "$(cat "$program.tokens")" -o "$results/$name.npy"
  if [[ -n $python ]] && "$python" -c 'import numpy' 2>/dev/null; then
    check "$name: golden logits" "$name.golden.txt" "$python" -c "$compare" \
      "$results/$name.npy" "$program.npy" "$(cat "$program.bound" 2>/dev/null || echo 2e-4)"
  else
    echo "skipped $name: golden logits (no Python with NumPy)"
  fi
done

# Memory errors and races, on models small enough for tools that slow down a lot; 70
# tokens are a step of many and one of a few, and what is generated are steps of one.
if command -v compute-sanitizer >/dev/null; then
  for program in ${small[@]+"${small[@]}"} ${golden[@]+"${golden[@]}"}; do
    of "$program"
    for tool in memcheck racecheck; do
      check "$name: $tool" "$name.$tool.txt" compute-sanitizer --tool "$tool" \
        --error-exitcode 1 "${command[@]}" run --tokens "$(seq -s, 1 70)" -n 3 \
        --temperature 0 --ignore-eos --print-tokens
    done
  done
elif [[ ${#small[@]} -gt 0 || ${#golden[@]} -gt 0 ]]; then
  echo "skipped memcheck and racecheck (no compute-sanitizer)"
fi

# What speed is measured of.
alone=(--batch 1 --context 64,4096,32768,131072 --prompt 512,8192)
together=(--batch 4,16 --context 64,4096 --prompt 512 --tokens 16 --repeat 3)
if $short; then
  alone=(--batch 1 --context 64,128 --prompt 16 --tokens 1 --repeat 1)
  together=(--batch 2 --context 64 --prompt 16 --tokens 1 --repeat 1)
fi
for program in "$@"; do
  of "$program"
  weights=()
  [[ -f $program.safetensors ]] || weights=(--synthetic-weights 1)
  check "$name: devices" "$name.devices.txt" "${command[@]}" info --devices
  check "$name: selftest" "$name.selftest.txt" "${command[@]}" selftest \
    ${weights[@]+"${weights[@]}"}
  check "$name: bench" "$name.bench.json" "${command[@]}" bench \
    ${weights[@]+"${weights[@]}"} "${alone[@]}" --json
  check "$name: bench of batches" "$name.batches.json" "${command[@]}" bench \
    ${weights[@]+"${weights[@]}"} "${together[@]}" --json
  for tokens in 1 16 512 4096; do
    [[ $tokens -gt 16 ]] && $short && continue
    "${command[@]}" info --json 2>/dev/null | grep -q "\"tokens\": $tokens\b" || continue
    check "$name: profile of $tokens" "$name.profile-$tokens.txt" "${command[@]}" profile \
      ${weights[@]+"${weights[@]}"} --tokens "$tokens" --all \
      -o "$results/$name.trace-$tokens.json"
  done
done
if [[ $# -gt 0 && -n $python ]]; then
  "$python" "$here/table.py" "$results" >"$results/table.md" && cat "$results/table.md" || failed=1
fi
tar czf "$results.tgz" -C "$(dirname "$results")" "$(basename "$results")"
echo "results: $results, $results.tgz"
exit $failed

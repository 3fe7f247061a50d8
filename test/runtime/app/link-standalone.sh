#!/bin/sh
# Links the fake model with nothing but the kit, as docs/linking.md says, and
# runs the result from another folder with an empty environment.
# usage: link-standalone.sh CC LLD KIT INCLUDE SOURCE
set -eu
cc=$1 lld=$2 kit=$3 include=$4 source=$5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "link-standalone: $*" >&2; exit 1; }

"$cc" -O2 -fPIE -I"$include" -c "$source" -o "$dir/model.o"
"$lld" -pie --eh-frame-hdr --hash-style=gnu --build-id=none \
  -dynamic-linker /lib64/ld-linux-x86-64.so.2 \
  --gc-sections --strip-all -z relro -z now -o "$dir/fake" \
  "$kit/Scrt1.o" "$kit/crti.o" "$kit/crtbeginS.o" "$dir/model.o" \
  --start-group "$kit/libquartet_runtime.a" "$kit/libpcre2-8.a" \
  "$kit/libutf8proc.a" "$kit/libstdc++.a" "$kit/libclang_rt.builtins.a" \
  "$kit/libgcc.a" "$kit/libgcc_eh.a" "$kit/libc_nonshared.a" --end-group \
  "$kit/libc.so.6" "$kit/libm.so.6" \
  --as-needed "$kit/ld-linux-x86-64.so.2" --no-as-needed \
  "$kit/crtendS.o" "$kit/crtn.o"

# The weight file: header length, header, two floats.
header='{"__metadata__":{"quartet.weights_id":"abc"},"one":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} '
while [ $(( (${#header} + 8) % 8 )) -ne 0 ]; do header="$header "; done
printf "\\$(printf %03o ${#header})\0\0\0\0\0\0\0%s12345678" "$header" \
  > "$dir/fake.safetensors"

cd /
found=$(env -i "$dir/fake" run --tokens 1,2,3 -n 4 --print-tokens 2>"$dir/err") ||
  fail "run failed: $(cat "$dir/err")"
[ "$found" = "4 5 6 7" ] || fail "run printed '$found', expected '4 5 6 7'"
grep -q "generated: 4 tokens" "$dir/err" || fail "no statistics: $(cat "$dir/err")"

# Without its weights it can still be measured, on two workers.
env -i "$dir/fake" bench --synthetic-weights 1 --threads 2 --context 8 --prompt 20 \
  --tokens 4 --repeat 2 --json --weights /none > "$dir/bench" 2>"$dir/err" ||
  fail "bench failed: $(cat "$dir/err")"
grep -q '"target": "any"' "$dir/bench" || fail "wrong program: $(cat "$dir/bench")"

size=$(stat -c %s "$dir/fake")
[ "$size" -lt 8000000 ] || fail "the executable has $size bytes, expected under 8 MB"
needed=$(ldd "$dir/fake" | grep -v -E 'linux-vdso|libc\.so\.6|libm\.so\.6|ld-linux' || true)
[ -z "$needed" ] || fail "needs more than libc and libm: $needed"

# A weight file of another model is refused with both files and both ids.
sed 's/"abc"/"xyz"/' "$dir/fake.safetensors" > "$dir/other.safetensors"
code=0
env -i "$dir/fake" run --tokens 1 --print-tokens --weights "$dir/other.safetensors" \
  > "$dir/out" 2>"$dir/err" || code=$?
[ "$code" -eq 1 ] || fail "exit code $code for a foreign weight file, expected 1"
for word in other.safetensors "$dir/fake" xyz abc; do
  grep -q -- "$word" "$dir/err" || fail "'$word' is not in: $(cat "$dir/err")"
done
echo "linked and ran: $size bytes"

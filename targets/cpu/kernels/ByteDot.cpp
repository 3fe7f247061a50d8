// Four ways to the same sums. A line is 16 rows x 4 bytes, a quad is 4 int8
// activations that meet each row's 4 bytes:
//   Vnni  unsigned weights, 64 bytes at a time
//   Avx2  up to 63 (int6): vpmaddubsw, its int16 pairs kept until
//         they could overflow; larger weights would saturate there, so their
//         even and odd columns are widened and go to vpmaddwd
//   Neon  signed weights, 16 bytes at a time
//   Widen four int32 products per row
#include "targets/cpu/kernels/ByteDot.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;
namespace arith = mlir::arith;

static int64_t codebookOffset(Codebook codebook) {
  return codebook == Codebook::E2M1 ? 12 : 128;
}

ByteDotBuilder::ByteDotBuilder(KernelBuilder &k, const PackedFormat &format)
    : k(k), format(format), way(k.machine.byteDot) {
  largest = (1 << integerBits(format.value)) - 1;
  if (format.codebook != Codebook::None) {
    // Signed for sdot; elsewhere moved up to be unsigned.
    int64_t offset = codebookOffset(format.codebook);
    largest = format.codebook == Codebook::E2M1 ? 24 : 255;
    operandBias = way == ByteDot::Neon ? 0 : -offset;
    return;
  }
  if (way == ByteDot::Neon && largest > 127)
    operandBias = 128;
}

/// 64 bytes from 16 constants in each 16 of them.
static V repeatedTable(KernelBuilder &k, llvm::ArrayRef<int8_t> table,
                       int64_t bytes) {
  SmallVector<int8_t> all;
  for (int64_t i = 0; i < bytes; ++i)
    all.push_back(table[i % 16]);
  return k.i8s(all);
}

V ByteDotBuilder::lookUp(V indices) const {
  const int8_t *values = codebookValues(format.codebook);
  SmallVector<int8_t> table;
  for (int i = 0; i < 16; ++i)
    table.push_back(static_cast<int8_t>(values[i] - operandBias));
  if (way == ByteDot::Vnni)
    return k.intrinsic("llvm.x86.avx512.pshuf.b.512", indices.type(),
                       {repeatedTable(k, table, 64), indices});
  if (way == ByteDot::Avx2) {
    V entries = repeatedTable(k, table, 32);
    V low = k.intrinsic("llvm.x86.avx2.pshuf.b", entries.type(),
                        {entries, k.slice(indices, 0, 32)});
    V high = k.intrinsic("llvm.x86.avx2.pshuf.b", entries.type(),
                         {entries, k.slice(indices, 32, 32)});
    return k.concat(low, high);
  }
  if (way == ByteDot::Neon) {
    V entries = k.i8s(table);
    SmallVector<V> found;
    for (int i = 0; i < 4; ++i)
      found.push_back(k.intrinsic("llvm.aarch64.neon.tbl1.v16i8",
                                  entries.type(),
                                  {entries, k.slice(indices, 16 * i, 16)}));
    return k.concat(k.concat(found[0], found[1]), k.concat(found[2], found[3]));
  }
  // Each bit of the index chooses between two halves of what is left.
  SmallVector<V> choices;
  for (int8_t entry : table)
    choices.push_back(k.constant(indices.type(), int64_t(entry)));
  for (int bit = 0; bit < 4; ++bit) {
    V isSet = (indices & (int64_t(1) << bit)) != k.zero(indices.type());
    SmallVector<V> rest;
    for (size_t i = 0; i < choices.size(); i += 2)
      rest.push_back(k.select(isSet, choices[i + 1], choices[i]));
    choices = rest;
  }
  return choices.front();
}

ByteDotBuilder::Operand ByteDotBuilder::split(V bytes) const {
  switch (way) {
  case ByteDot::Vnni:
    return {bytes};
  case ByteDot::Neon: {
    if (operandBias)
      bytes = bytes ^ k.constant(bytes.type(), int64_t(-128));
    Operand parts;
    for (int i = 0; i < 4; ++i)
      parts.push_back(k.slice(bytes, 16 * i, 16));
    return parts;
  }
  case ByteDot::Avx2: {
    V low = k.slice(bytes, 0, 32), high = k.slice(bytes, 32, 32);
    if (largest < 128)
      return {low, high};
    Operand parts;
    for (V half : {low, high}) {
      V pairs = k.bitcast(half, k.vec(16, k.i16()));
      parts.push_back(pairs & int64_t(0xff));
      parts.push_back(pairs >> 8);
    }
    return parts;
  }
  case ByteDot::Widen: {
    V quads = k.bitcast(bytes, k.vec(16, k.i32()));
    Operand parts;
    for (int j = 0; j < 4; ++j)
      parts.push_back((quads >> (8 * j)) & int64_t(0xff));
    return parts;
  }
  }
  return {};
}

SmallVector<V> ByteDotBuilder::loadBytes(V values) const {
  mlir::Type bytes = k.vec(64, k.i8()), words = k.vec(kPanelRows, k.i32());
  SmallVector<V> lines;
  for (int64_t i = 0; i < unitLines(format.value); ++i)
    lines.push_back(k.load(words, values, i * kPanelAlign, kPanelAlign));
  if (format.value == ValueType::INT8)
    return {k.bitcast(lines[0], bytes)};
  // Nibbles by shifts of wider lanes: x86 has none of bytes.
  constexpr int64_t kNibbles = 0x0f0f0f0f, kPairs = 0x30303030;
  SmallVector<V> codes;
  for (V line : llvm::ArrayRef(lines).take_front(2)) {
    codes.push_back(line & kNibbles);
    codes.push_back((line >> 4) & kNibbles);
  }
  if (format.value == ValueType::INT6) {
    V high = lines[2];
    V moved[] = {high << 4, high << 2, high, high >> 2};
    for (auto [code, pairs] : llvm::zip(codes, moved))
      code = code | (pairs & kPairs);
  }
  for (V &code : codes) {
    V each = k.bitcast(code, bytes);
    code = format.codebook != Codebook::None ? lookUp(each) : each;
  }
  return codes;
}

SmallVector<ByteDotBuilder::Operand> ByteDotBuilder::loadUnit(V values) const {
  SmallVector<Operand> operands;
  for (V each : loadBytes(values))
    operands.push_back(split(each));
  return operands;
}

ByteDotBuilder::Sum ByteDotBuilder::begin(V start) const {
  Sum sum;
  V first = start ? start : k.zero(k.vec(16, k.i32()));
  int pieces = way == ByteDot::Avx2 ? 2 : way == ByteDot::Neon ? 4 : 1;
  for (int i = 0; i < pieces; ++i)
    sum.wide.push_back(
        pieces == 1 ? first : k.slice(first, 16 / pieces * i, 16 / pieces));
  return sum;
}

/// \p value shifted right by \p bits, the sign moving in.
static V shiftSigned(KernelBuilder &k, V value, int bits) {
  V amount = k.constant(value.type(), int64_t(bits));
  return k.wrap(arith::ShRSIOp::create(k.b, value.get(), amount.get()));
}

void ByteDotBuilder::add(Sum &sum, const Operand &weights, V quad) const {
  switch (way) {
  case ByteDot::Vnni: {
    V four = k.bitcast(k.splat(quad, 16), k.vec(64, k.i8()));
    sum.wide[0] =
        k.intrinsic("llvm.x86.avx512.vpdpbusd.512", sum.wide[0].type(),
                    {sum.wide[0], weights[0], four});
    return;
  }
  case ByteDot::Neon: {
    V four = k.bitcast(k.splat(quad, 4), k.vec(16, k.i8()));
    for (int i = 0; i < 4; ++i)
      sum.wide[i] =
          k.intrinsic("llvm.aarch64.neon.sdot.v4i32.v16i8", sum.wide[i].type(),
                      {sum.wide[i], weights[i], four});
    return;
  }
  case ByteDot::Avx2: {
    mlir::Type words = k.vec(16, k.i16());
    V eight = k.splat(quad, 8);
    if (largest < 128) {
      V four = k.bitcast(eight, k.vec(32, k.i8()));
      if (2 * (sum.pending + 1) * largest * 127 > 32767)
        settle(sum);
      for (int i = 0; i < 2; ++i) {
        V pairs =
            k.intrinsic("llvm.x86.avx2.pmadd.ub.sw", words, {weights[i], four});
        if (sum.pending)
          sum.narrow[i] = sum.narrow[i] + pairs;
        else
          sum.narrow.push_back(pairs);
      }
      ++sum.pending;
      return;
    }
    V pairs = k.bitcast(eight, words);
    V parts[2] = {shiftSigned(k, pairs << 8, 8), shiftSigned(k, pairs, 8)};
    for (int i = 0; i < 4; ++i)
      sum.wide[i / 2] =
          sum.wide[i / 2] + k.intrinsic("llvm.x86.avx2.pmadd.wd",
                                        sum.wide[0].type(),
                                        {weights[i], parts[i % 2]});
    return;
  }
  case ByteDot::Widen: {
    V four = k.splat(quad, 16);
    for (int j = 0; j < 4; ++j) {
      V column = shiftSigned(k, j == 3 ? four : four << (24 - 8 * j), 24);
      sum.wide[0] = sum.wide[0] + weights[j] * column;
    }
    return;
  }
  }
}

void ByteDotBuilder::settle(Sum &sum) const {
  if (!sum.pending)
    return;
  V ones = k.constant(sum.narrow[0].type(), int64_t(1));
  for (int i = 0; i < 2; ++i)
    sum.wide[i] =
        sum.wide[i] + k.intrinsic("llvm.x86.avx2.pmadd.wd", sum.wide[i].type(),
                                  {sum.narrow[i], ones});
  sum.narrow.clear();
  sum.pending = 0;
}

V ByteDotBuilder::finish(Sum &sum) const {
  settle(sum);
  if (sum.wide.size() == 1)
    return sum.wide[0];
  if (sum.wide.size() == 2)
    return k.concat(sum.wide[0], sum.wide[1]);
  return k.concat(k.concat(sum.wide[0], sum.wide[1]),
                  k.concat(sum.wide[2], sum.wide[3]));
}

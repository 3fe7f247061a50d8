// Shifts and conversions, no tables. A line is read as 16 x i32, one per row,
// so every column falls out in the order of rows.
#include "targets/cpu/kernels/DotUnpack.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace quartet;
using namespace quartet::cpu;
using llvm::SmallVector;

double cpu::unpackFactor(ValueType value) {
  return value == ValueType::FP8 ? 256.0 : 1.0;
}

int64_t cpu::scaleBytes(ScaleType type) {
  return type == ScaleType::None ? 0 : type == ScaleType::F32 ? 4 : 2;
}

/// f32 from the f16 in the low half of each of 16 x i32; the high half may hold
/// anything.
static V fromLowHalf(KernelBuilder &k, V words) {
  mlir::Type floats = k.vec(16, k.f32());
  if (k.machine.f16Convert) {
    V halves = k.truncate(words, k.vec(16, k.i16()));
    return k.convert(k.bitcast(halves, k.vec(16, k.f16())), floats);
  }
  // Exponent and mantissa moved to their places read as value * 2^-112, also
  // when subnormal; infinities and NaN need the whole exponent set.
  V magnitude = (words & int64_t(0x7fff)) << 13;
  V sign = (words & int64_t(0x8000)) << 16;
  V scaled = k.bitcast(magnitude, floats) * 0x1p112;
  V special = k.bitcast(
      magnitude | k.constant(words.type(), int64_t(0x7f800000)), floats);
  V isSpecial = magnitude >= (int64_t(0x7c00) << 13);
  V value = k.select(isSpecial, special, scaled);
  return k.bitcast(k.bitcast(value, words.type()) | sign, floats);
}

/// The fp8 in the low byte of each word, divided by 256: as an f32 exponent its
/// four bits mean 2^(e - 127) in place of 2^(e - 7).
static V fromLowByte(KernelBuilder &k, V words) {
  mlir::Type floats = k.vec(16, k.f32());
  V sign = (words & int64_t(0x80)) << 24;
  V magnitude = k.bitcast((words & int64_t(0x7f)) << 20, floats) * 0x1p112;
  return k.bitcast(k.bitcast(magnitude, words.type()) | sign, floats);
}

/// The fp8 in each of 64 bytes as f16 pairs: the even columns of the line in
/// the first result, the odd ones in the second. Divided by 256, because as f16
/// the four exponent bits mean 2^(e - 15) in place of 2^(e - 7).
static std::pair<V, V> toHalves(KernelBuilder &k, V line) {
  V pairs = k.bitcast(line, k.vec(32, k.i16()));
  auto place = [&](V high) {
    // The byte is on top: one shift down, which copies the sign to where the
    // exponent's highest bit is; that bit goes.
    V one = k.constant(high.type(), int64_t(1));
    V moved = k.wrap(mlir::arith::ShRSIOp::create(k.b, high.get(), one.get()));
    V placed = moved & k.constant(high.type(), int64_t(int16_t(0xbf80)));
    return k.bitcast(placed, line.type());
  };
  return {place(pairs << 8), place(pairs)};
}

/// The f16 in the low and in the high halves of 16 words, as f32.
static std::pair<V, V> fromPairs(KernelBuilder &k, V words) {
  // Registers of 16 lanes drop the other halves in one instruction.
  if (!k.machine.f16Convert || k.machine.lanes == 16)
    return {fromLowHalf(k, words), fromLowHalf(k, words >> 16)};
  V halves = k.bitcast(words, k.vec(32, k.f16()));
  mlir::Type floats = k.vec(16, k.f32());
  V low = k.convert(k.slice(halves, 0, 16), floats);
  V high = k.convert(k.slice(halves, 16, 16), floats);
  SmallVector<int64_t> even, odd;
  for (int64_t i = 0; i < 16; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  return {k.shuffle(low, high, even), k.shuffle(low, high, odd)};
}

SmallVector<V> cpu::unpackFloats(KernelBuilder &k, ValueType value, V line) {
  mlir::Type floats = k.vec(16, k.f32()), words = k.vec(16, k.i32());
  if (value == ValueType::F32)
    return {k.load(floats, line, int64_t(0), kPanelAlign)};
  V bits = k.load(words, line, int64_t(0), kPanelAlign);
  if (value == ValueType::BF16) {
    V high = bits & int64_t(int32_t(0xffff0000));
    return {k.bitcast(bits << 16, floats), k.bitcast(high, floats)};
  }
  if (value == ValueType::F16) {
    auto [first, second] = fromPairs(k, bits);
    return {first, second};
  }
  if (k.machine.f16Convert) {
    auto [even, odd] = toHalves(k, bits);
    auto [first, third] = fromPairs(k, even);
    auto [second, fourth] = fromPairs(k, odd);
    return {first, second, third, fourth};
  }
  SmallVector<V> columns;
  for (int j = 0; j < 4; ++j)
    columns.push_back(fromLowByte(k, bits >> (8 * j)));
  return columns;
}

V cpu::loadScales(KernelBuilder &k, ScaleType type, V pointer) {
  mlir::Type floats = k.vec(16, k.f32()), words = k.vec(16, k.i32());
  if (type == ScaleType::F32)
    return k.load(floats, pointer, int64_t(0), kPanelAlign);
  unsigned align = kPanelAlign / 2;
  if (type == ScaleType::F16 && k.machine.f16Convert)
    return k.convert(k.load(k.vec(16, k.f16()), pointer, int64_t(0), align),
                     floats);
  V bits = k.zeroExtend(k.load(k.vec(16, k.i16()), pointer, int64_t(0), align),
                        words);
  return type == ScaleType::F16 ? fromLowHalf(k, bits)
                                : k.bitcast(bits << 16, floats);
}

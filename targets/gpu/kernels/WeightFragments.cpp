// Words of four rows at a time; shifts and masks, no tables in memory.
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

int64_t gpu::byteMultiple(const PackedFormat &format) {
  return format.codebook == Codebook::None ? 128 / integerMiddle(format.value)
                                           : 1;
}

/// \p byte in each byte of an i32, as a number that fits one.
static int64_t repeated(uint8_t byte) { return int32_t(byte * 0x01010101u); }

/// The value of a codebook for the index in the low bits of each byte: bit by
/// bit, each chooses between two halves of what is left. Bits of a word choose
/// as masks of whole bytes.
static V lookUp(DeviceBuilder &k, Codebook codebook, V indices) {
  const int8_t *table = codebookValues(codebook);
  Type type = indices.type();
  auto mask = [&](int bit) {
    V set = (bit ? indices >> bit : indices) & repeated(1);
    return set * int64_t(255);
  };
  SmallVector<V> choices;
  V first = mask(0);
  for (int i = 0; i < 16; i += 2)
    choices.push_back((first & repeated(uint8_t(table[i] ^ table[i + 1]))) ^
                      k.constant(type, repeated(uint8_t(table[i]))));
  for (int bit = 1; bit < 4; ++bit) {
    V chosen = mask(bit);
    SmallVector<V> rest;
    for (size_t i = 0; i < choices.size(); i += 2)
      rest.push_back(((choices[i] ^ choices[i + 1]) & chosen) ^ choices[i]);
    choices = rest;
  }
  return choices[0];
}

/// Words of integers from the lines of a unit, four columns each.
static SmallVector<V> integerWords(DeviceBuilder &k, const PackedFormat &format,
                                   ArrayRef<V> lines) {
  Type type = lines[0].type();
  V sign = k.constant(type, repeated(0x80));
  SmallVector<V> words;
  switch (format.value) {
  case ValueType::INT8:
    for (V line : lines)
      words.push_back(line ^ sign);
    return words;
  case ValueType::INT6: {
    // The low four bits to bits 2 to 5, the two high ones above them.
    V high = lines[2];
    V low[] = {lines[0] << 2, lines[0] >> 2, lines[1] << 2, lines[1] >> 2};
    V top[] = {high << 6, high << 4, high << 2, high};
    for (int i = 0; i < 4; ++i)
      words.push_back((low[i] & repeated(0x3c)) |
                      ((top[i] & repeated(0xc0)) ^ sign));
    return words;
  }
  default:
    break;
  }
  for (V line : lines) {
    if (format.codebook != Codebook::None) {
      words.push_back(lookUp(k, format.codebook, line & repeated(0x0f)));
      words.push_back(lookUp(k, format.codebook, (line >> 4) & repeated(0x0f)));
      continue;
    }
    words.push_back(((line << 4) & repeated(0xf0)) ^ sign);
    words.push_back((line & repeated(0xf0)) ^ sign);
  }
  return words;
}

SmallVector<V> gpu::bf16Parts(DeviceBuilder &k, V value, int parts,
                              bool rounded) {
  Type floats = value.type(), bits = k.withElement(floats, k.i32());
  SmallVector<V> result;
  for (int part = 0; part < parts; ++part) {
    V all = k.bitcast(value, bits);
    bool last = part + 1 == parts;
    // To nearest even; NaN may become infinite.
    if (last && rounded)
      all = all + k.constant(bits, int64_t(0x7fff)) + ((all >> 16) & 1);
    result.push_back(all);
    if (!last)
      value = value - k.bitcast(all & int64_t(int32_t(0xffff0000)), floats);
  }
  return result;
}

V gpu::bf16Pair(V low, V high) {
  return (low >> 16) | (high & int64_t(int32_t(0xffff0000)));
}

/// The f32 of an fp8 (e4m3) in byte \p byte of each word; NaN reads as 480.
static V fromFp8(DeviceBuilder &k, V words, int byte) {
  Type floats = k.withElement(words.type(), k.f32());
  // As an f32 exponent its four bits mean 2^(e - 127) in place of 2^(e - 7),
  // also for subnormals.
  V moved = byte < 3 ? words << (20 - 8 * byte) : words >> 4;
  V magnitude = k.bitcast(moved & int64_t(0x07f00000), floats) * 0x1p120;
  V sign = (byte < 3 ? words << (24 - 8 * byte) : words) &
           int64_t(int32_t(0x80000000));
  return k.bitcast(k.bitcast(magnitude, words.type()) | sign, floats);
}

/// The f32 columns of a unit.
static SmallVector<V> floatColumns(DeviceBuilder &k, ValueType value,
                                   ArrayRef<V> lines) {
  SmallVector<V> columns;
  Type floats = k.vec(4, k.f32()), halves = k.vec(4, k.i16());
  for (V line : lines) {
    if (value == ValueType::F32)
      columns.push_back(k.bitcast(line, floats));
    else if (value == ValueType::F16)
      for (V half : {line, line >> 16})
        columns.push_back(k.convert(
            k.bitcast(k.truncate(half, halves), k.vec(4, k.f16())), floats));
    else
      for (int byte = 0; byte < 4; ++byte)
        columns.push_back(fromFp8(k, line, byte));
  }
  return columns;
}

SmallVector<SmallVector<V>>
gpu::weightWords(DeviceBuilder &k, const ColumnPlan &plan, ArrayRef<V> lines) {
  const PackedFormat &format = plan.format;
  if (format.isInteger())
    return {integerWords(k, format, lines)};
  if (format.value == ValueType::BF16)
    return {SmallVector<V>(lines)};
  SmallVector<SmallVector<V>> words(plan.weightParts);
  SmallVector<V> columns = floatColumns(k, format.value, lines);
  for (size_t i = 0; i < columns.size(); i += 2) {
    SmallVector<V> low = bf16Parts(k, columns[i], plan.weightParts,
                                   plan.roundedWeights),
                   high = bf16Parts(k, columns[i + 1], plan.weightParts,
                                    plan.roundedWeights);
    for (int part = 0; part < plan.weightParts; ++part)
      words[part].push_back(bf16Pair(low[part], high[part]));
  }
  return words;
}

V gpu::loadFourScales(DeviceBuilder &k, ScaleType type, V pointer, V offset) {
  Type floats = k.vec(4, k.f32());
  if (type == ScaleType::F32)
    return k.load(floats, pointer, offset, 16);
  if (type == ScaleType::F16)
    return k.convert(k.load(k.vec(4, k.f16()), pointer, offset, 8), floats);
  V bits = k.zeroExtend(k.load(k.vec(4, k.i16()), pointer, offset, 8),
                        k.vec(4, k.i32()));
  return k.bitcast(bits << 16, floats);
}

// Words of four rows at a time; shifts and masks, no tables in memory.
#include "targets/gpu/kernels/WeightFragments.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "targets/gpu/kernels/Matmul.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

int64_t quartet::gpu::byteMultiple(const PackedFormat &format) {
  return format.codebook == Codebook::None ? 128 / integerMiddle(format.value)
                                           : 1;
}

/// \p byte in each byte of an i32, as a number that fits one.
static int64_t repeated(uint8_t byte) { return int32_t(byte * 0x01010101u); }

/// Bytes of \p low (0 to 3) and \p high (4 to 7), chosen by the low nibbles of
/// \p selector on NVIDIA, by its bytes on AMD; i32.
static V pickBytes(DeviceBuilder &k, V low, V high, V selector) {
  if (k.machine.vendor == Vendor::Nvidia)
    return k.wrap(NVVM::PermuteOp::create(k.b, k.i32(), low.get(), high.get(),
                                          selector.get(),
                                          NVVM::PermuteMode::DEFAULT));
  return k.intrinsic("llvm.amdgcn.perm", k.i32(), {high, low, selector});
}

namespace {
/// The values of a codebook in four registers, from which bytes are picked.
class Table {
public:
  Table(DeviceBuilder &k, Codebook codebook) : k(k) {
    const int8_t *values = codebookValues(codebook);
    for (int i = 0; i < 16; i += 4)
      words.push_back(k.i32(int32_t(uint32_t(uint8_t(values[i])) |
                                    uint32_t(uint8_t(values[i + 1])) << 8 |
                                    uint32_t(uint8_t(values[i + 2])) << 16 |
                                    uint32_t(uint8_t(values[i + 3])) << 24)));
  }
  /// Columns 0 to 3 and 4 to 7 of the row whose part of a line is \p row.
  std::pair<V, V> columns(V row) const;

private:
  /// Four values: \p index chooses among eight, bit 2 of \p half among halves.
  V pick(V index, V half) const {
    return pickBytes(k, pickBytes(k, words[0], words[1], index),
                     pickBytes(k, words[2], words[3], index), half);
  }
  DeviceBuilder &k;
  SmallVector<V> words;
};
} // namespace

std::pair<V, V> Table::columns(V row) const {
  if (k.machine.vendor == Vendor::Amd) {
    auto four = [&](V codes) {
      V half = ((codes & repeated(0x08)) >> 1) | k.i32(0x03020100);
      return pick(codes & repeated(0x07), half);
    };
    return {four(row), four(row >> 4)};
  }
  // Nibbles are selectors as they are: columns 0, 4, 1, 5, then 2, 6, 3, 7.
  V index = row & repeated(0x77);
  V half = ((row & repeated(0x88)) >> 1) | k.i32(0x32103210);
  V first = pick(index, half), second = pick(index >> 16, half >> 16);
  return {pickBytes(k, first, second, k.i32(0x6420)),
          pickBytes(k, first, second, k.i32(0x7531))};
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
      Table table(k, format.codebook);
      V low = k.zero(type), high = low;
      for (int row = 0; row < 4; ++row) {
        auto [first, second] = table.columns(k.extract(line, row));
        low = k.insert(first, low, row);
        high = k.insert(second, high, row);
      }
      words.append({low, high});
      continue;
    }
    words.push_back(((line << 4) & repeated(0xf0)) ^ sign);
    words.push_back((line & repeated(0xf0)) ^ sign);
  }
  return words;
}

SmallVector<V> quartet::gpu::bf16Parts(DeviceBuilder &k, V value, int parts,
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

V quartet::gpu::bf16Pair(V low, V high) {
  return (low >> 16) | (high & int64_t(int32_t(0xffff0000)));
}

SmallVector<std::array<V, 2>> quartet::gpu::bf16Words(DeviceBuilder &k, V four,
                                                      int parts) {
  SmallVector<std::array<V, 2>> words;
  for (V bits : bf16Parts(k, four, parts, parts < kExactParts))
    words.push_back({bf16Pair(k.extract(bits, 0), k.extract(bits, 1)),
                     bf16Pair(k.extract(bits, 2), k.extract(bits, 3))});
  return words;
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
  Type line = lines[0].type();
  Type floats = k.withElement(line, k.f32()),
       halves = k.withElement(line, k.i16());
  for (V word : lines) {
    if (value == ValueType::F32)
      columns.push_back(k.bitcast(word, floats));
    else if (value == ValueType::F16)
      for (V half : {word, word >> 16})
        columns.push_back(k.convert(
            k.bitcast(k.truncate(half, halves), k.withElement(line, k.f16())),
            floats));
    else
      for (int byte = 0; byte < 4; ++byte)
        columns.push_back(fromFp8(k, word, byte));
  }
  return columns;
}

SmallVector<SmallVector<V>> quartet::gpu::weightWords(DeviceBuilder &k,
                                                      const ColumnPlan &plan,
                                                      ArrayRef<V> lines) {
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

V quartet::gpu::loadConstant(DeviceBuilder &k, Type type, V pointer, V offset,
                             unsigned align) {
  V value = k.load(type, pointer, offset, align);
  value.get().getDefiningOp<LLVM::LoadOp>().setInvariant(true);
  return value;
}

Type quartet::gpu::fourScalesType(DeviceBuilder &k, ScaleType type) {
  return k.vec(4, type == ScaleType::F32   ? k.f32()
                  : type == ScaleType::F16 ? k.f16()
                                           : k.i16());
}

V quartet::gpu::scalesAsFloats(DeviceBuilder &k, ScaleType type, V stored) {
  Type floats = k.vec(4, k.f32());
  if (type == ScaleType::F32)
    return stored;
  if (type == ScaleType::F16)
    return k.convert(stored, floats);
  return k.bitcast(k.zeroExtend(stored, k.vec(4, k.i32())) << 16, floats);
}

V quartet::gpu::fourScales(DeviceBuilder &k, ScaleType type,
                           llvm::function_ref<V(Type)> load) {
  return scalesAsFloats(k, type, load(fourScalesType(k, type)));
}

V quartet::gpu::loadFourScales(DeviceBuilder &k, ScaleType type, V pointer,
                               V offset) {
  return fourScales(k, type, [&](Type four) {
    return loadConstant(k, four, pointer, offset,
                        unsigned(4 * scaleBytes(type)));
  });
}

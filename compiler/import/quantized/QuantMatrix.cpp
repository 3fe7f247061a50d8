// Decoders of rows. Codes come first, then scales and zero points per group of
// the packed format, which divides the checkpoint's own group.
#include "compiler/import/quantized/QuantMatrix.h"
#include "compiler/import/Convert.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/quant/Quantize.h"
#include "compiler/import/quantized/WidenRows.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include <cmath>

using namespace llvm;

namespace quartet {
namespace {

/// AWQ: nibble i of a word is the code of output 8 c + awqOrder[i]; this is the
/// inverse.
constexpr int awqNibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

Error failure(const Checkpoint &checkpoint, const StoredTensor &tensor,
              const Twine &message) {
  return createStringError(checkpoint.fileOf(tensor) + ": tensor '" +
                           printable(tensor.name) + "': " + message);
}

/// The numbers of a tensor of scales.
class Numbers {
public:
  Numbers() = default;
  Numbers(const StoredTensor &tensor, ArrayRef<uint8_t> data)
      : data(data), type(StringSwitch<Type>(tensor.dtype)
                             .Case("F32", Type::F32)
                             .Case("F16", Type::F16)
                             .Case("F8_E4M3", Type::E4M3)
                             .Cases({"U8", "F8_E8M0"}, Type::E8M0)
                             .Default(Type::BF16)) {}

  float operator[](int64_t index) const {
    const uint8_t *bytes = data.data();
    switch (type) {
    case Type::F32:
      return bit_cast<float>(support::endian::read32le(bytes + 4 * index));
    case Type::F16:
      return halfToFloat(support::endian::read16le(bytes + 2 * index));
    case Type::BF16:
      return bf16ToFloat(support::endian::read16le(bytes + 2 * index));
    case Type::E4M3:
      return fp8ToFloat(bytes[index]);
    case Type::E8M0:
      return bytes[index] == 255 ? NAN
                                 : std::ldexp(1.0f, int(bytes[index]) - 127);
    }
    return NAN;
  }

private:
  enum class Type { F32, F16, BF16, E4M3, E8M0 };
  ArrayRef<uint8_t> data;
  Type type = Type::F32;
};

class Reader {
public:
  Reader(const Checkpoint &checkpoint, const QuantMatrix &matrix)
      : m(matrix), checkpoint(checkpoint), codes(bytes(matrix.codes)),
        zeroBytes(bytes(matrix.zeros)), orderBytes(bytes(matrix.order)),
        scales(*matrix.scales, bytes(matrix.scales)) {
    if (m.global) {
      globals = Numbers(*m.global, bytes(m.global));
      oneGlobal = m.global->bytes == 4;
    }
  }

  const QuantMatrix &m;

  /// Unsigned codes of columns [0, K) of a row, as packed formats store them.
  void readCodes(int64_t row, uint8_t *out) const;
  /// The same for \p count rows.
  void readCodes(int64_t firstRow, int64_t count, uint8_t *out) const;
  /// Of scale column \p column.
  float scale(int64_t row, int64_t column) const;
  int64_t zero(int64_t row, int64_t column) const;
  int64_t order(int64_t column) const {
    return int32_t(word(orderBytes, column));
  }
  float global(int64_t slice) const { return globals[oneGlobal ? 0 : slice]; }
  /// Do packed zero points all have the middle of the codes?
  bool hasMiddleZeros() const;
  /// Fails for a scale that no writer of the format means.
  Error check(int64_t row, int64_t column, float scale) const;
  /// Fails for codes that are not numbers, or that a scale of zero hides.
  Error checkCodes(int64_t row, const uint8_t *values,
                   const float *rowScales) const;
  Error fail(const StoredTensor &tensor, const Twine &message) const {
    return failure(checkpoint, tensor, message);
  }
  /// Lets go of the pages of rows [begin, end); those of GPTQ and AWQ, which
  /// are spread over the slice, with its last row.
  void release(int64_t begin, int64_t end) const {
    uint64_t rowBytes = m.codes->bytes / uint64_t(m.allRows());
    if (m.layout == CodeLayout::Gptq || m.layout == CodeLayout::Awq)
      begin = end % m.rows == 0 ? end - m.rows : end;
    checkpoint.release(m.codes->name, rowBytes * uint64_t(begin),
                       rowBytes * uint64_t(end));
  }

private:
  const Checkpoint &checkpoint;
  ArrayRef<uint8_t> codes, zeroBytes, orderBytes;
  Numbers scales, globals;
  bool oneGlobal = true;

  ArrayRef<uint8_t> bytes(const StoredTensor *tensor) const {
    return tensor ? checkpoint.data(tensor->name) : ArrayRef<uint8_t>();
  }
  static uint32_t word(ArrayRef<uint8_t> data, int64_t index) {
    return support::endian::read32le(data.data() + 4 * index);
  }
  uint32_t field(uint32_t word, int64_t index) const {
    return word >> (index * m.bits) & ((1u << m.bits) - 1);
  }
};

bool Reader::hasMiddleZeros() const {
  uint32_t one = uint32_t((1 << (m.bits - 1)) - m.zeroAdded), all = one;
  for (int64_t bits = m.bits; bits < 32; bits *= 2)
    all |= all << bits;
  for (size_t i = 0; i < zeroBytes.size() / 4; ++i)
    if (word(zeroBytes, int64_t(i)) != all)
      return false;
  return true;
}

void Reader::readCodes(int64_t firstRow, int64_t count, uint8_t *out) const {
  int64_t perWord = 32 / m.bits;
  if (m.layout != CodeLayout::Gptq && m.layout != CodeLayout::Awq) {
    for (int64_t row = 0; row < count; ++row)
      readCodes(firstRow + row, out + row * m.columns);
    return;
  }
  // Column by column of the input: neighbouring rows are neighbours in memory.
  for (int64_t row = 0; row < count;) {
    int64_t slice = (firstRow + row) / m.rows,
            first = (firstRow + row) % m.rows;
    int64_t length = std::min(count - row, m.rows - first);
    uint8_t *target = out + row * m.columns;
    row += length;
    if (m.layout == CodeLayout::Gptq) {
      int64_t words = m.columns / perWord;
      for (int64_t w = 0; w < words; ++w)
        for (int64_t n = 0; n < length; ++n) {
          uint32_t bits = word(codes, (slice * words + w) * m.rows + first + n);
          for (int64_t i = 0; i < perWord; ++i)
            target[n * m.columns + w * perWord + i] = uint8_t(field(bits, i));
        }
      continue;
    }
    for (int64_t k = 0; k < m.columns; ++k)
      for (int64_t n = 0; n < length; ++n) {
        int64_t at = first + n;
        uint32_t bits =
            word(codes, ((slice * m.columns + k) * m.rows + at) / perWord);
        target[n * m.columns + k] = uint8_t(field(bits, awqNibble[at % 8]));
      }
  }
}

void Reader::readCodes(int64_t row, uint8_t *out) const {
  int64_t count = m.columns;
  const uint8_t *in = codes.data() + row * count;
  switch (m.layout) {
  case CodeLayout::Fp8:
    std::copy(in, in + count, out);
    break;
  case CodeLayout::Int8:
    for (int64_t i = 0; i < count; ++i)
      out[i] = in[i] ^ 0x80;
    break;
  case CodeLayout::Fp4:
    in = codes.data() + row * (count / 2);
    for (int64_t i = 0; i < count; ++i)
      out[i] = (in[i / 2] >> 4 * (i % 2)) & 15;
    break;
  case CodeLayout::Packed: {
    int64_t perWord = 32 / m.bits, words = (count + perWord - 1) / perWord;
    for (int64_t i = 0; i < count; ++i)
      out[i] =
          uint8_t(field(word(codes, row * words + i / perWord), i % perWord));
    break;
  }
  case CodeLayout::Gptq:
  case CodeLayout::Awq:
    break; // by whole columns, above
  }
}

float Reader::scale(int64_t row, int64_t column) const {
  int64_t slice = row / m.rows, n = row % m.rows / m.blockRows;
  bool transposed = m.layout == CodeLayout::Gptq || m.layout == CodeLayout::Awq;
  int64_t index =
      transposed ? column * m.scaleRows + n : n * m.scaleColumns + column;
  float value = scales[slice * m.scaleRows * m.scaleColumns + index];
  if (!m.global)
    return value;
  float factor = global(slice);
  return m.globalDivides ? value / factor : value * factor;
}

int64_t Reader::zero(int64_t row, int64_t column) const {
  int64_t middle = int64_t(1) << (m.bits - 1);
  if (!m.zeros)
    return middle;
  int64_t slice = row / m.rows, n = row % m.rows;
  int64_t perWord = 32 / m.bits;
  switch (m.layout) {
  case CodeLayout::Gptq:
  case CodeLayout::Awq: {
    int64_t words = m.rows / perWord;
    uint32_t bits = word(zeroBytes, (slice * m.scaleColumns + column) * words +
                                        n / perWord);
    int64_t place =
        m.layout == CodeLayout::Awq ? awqNibble[n % 8] : n % perWord;
    return int64_t(field(bits, place)) + m.zeroAdded;
  }
  case CodeLayout::Packed: {
    int64_t words = (m.rows + perWord - 1) / perWord;
    uint32_t bits = word(
        zeroBytes, (slice * words + n / perWord) * m.scaleColumns + column);
    return field(bits, n % perWord);
  }
  default: // Int8, signed
    return int8_t(zeroBytes[size_t((slice * m.scaleRows + n / m.blockRows) *
                                       m.scaleColumns +
                                   column)]) +
           128;
  }
}

Error Reader::check(int64_t row, int64_t column, float scale) const {
  bool isFloat = m.layout == CodeLayout::Fp8 || m.layout == CodeLayout::Fp4;
  if (std::isfinite(scale) && (scale >= 0 || !isFloat))
    return Error::success();
  return fail(*m.scales,
              "scale " + std::to_string(scale) + " found for row " +
                  Twine(row) + ", column " + Twine(column * m.blockColumns) +
                  ", expected a " +
                  (isFloat ? "finite number, not negative" : "finite number") +
                  " (is the file damaged?)");
}

Error Reader::checkCodes(int64_t row, const uint8_t *values,
                         const float *rowScales) const {
  if (m.layout != CodeLayout::Fp8)
    return Error::success();
  for (int64_t i = 0; i < m.columns; ++i) {
    uint8_t magnitude = values[i] & 0x7f;
    if (magnitude == 0x7f)
      return fail(*m.codes, "NaN found in row " + Twine(row) + ", column " +
                                Twine(i) + ", expected a number");
    if (magnitude != 0 && rowScales[i / m.format.group] == 0)
      return fail(*m.scales, "scale 0 found for row " + Twine(row) +
                                 ", column " + Twine(i) +
                                 ", whose value is not 0; expected a positive "
                                 "number");
  }
  return Error::success();
}

/// One scale per group of the packed format; null where all are fine.
Error readScales(const Reader &reader, int64_t row, QuantizedRows &out,
                 int64_t outRow) {
  const QuantMatrix &m = reader.m;
  // Codebook values are doubled.
  float half = out.format.codebook == Codebook::E2M1 ? 0.5f : 1.0f;
  for (int64_t g = 0; g < out.groups; ++g) {
    int64_t column = g * out.format.group / m.blockColumns;
    size_t at = size_t(outRow * out.groups + g);
    float scale = reader.scale(row, column);
    if (Error error = reader.check(row, column, scale))
      return error;
    out.scales[at] = scale * half;
    if (out.format.zero == ZeroKind::None)
      continue;
    float zero = float(reader.zero(row, column));
    out.zeros[at] = out.format.zero == ZeroKind::Min ? -zero * scale : zero;
  }
  return Error::success();
}

ScaleType scaleType(const StoredTensor &tensor) {
  return tensor.dtype == "F16"   ? ScaleType::F16
         : tensor.dtype == "F32" ? ScaleType::F32
                                 : ScaleType::BF16; // BF16, and powers of two
}

/// The largest group of packed formats that divides \p size.
int32_t packedGroup(int64_t size) {
  for (int32_t group : {128, 64, 32})
    if (size % group == 0)
      return group;
  return 16;
}

/// What the stored zero points need: nothing when they are all the middle.
ZeroKind zeroKind(const Reader &reader) {
  const QuantMatrix &m = reader.m;
  if (!m.zeros || (m.layout != CodeLayout::Int8 && reader.hasMiddleZeros()))
    return ZeroKind::None;
  int64_t middle = int64_t(1) << (m.bits - 1), largest = 0;
  bool symmetric = true;
  for (int64_t row = 0; row < m.allRows(); row += m.blockRows)
    for (int64_t column = 0; column < m.scaleColumns; ++column) {
      int64_t zero = reader.zero(row, column);
      symmetric &= zero == middle;
      largest = std::max(largest, zero);
      if (!symmetric && m.bits == 4)
        return ZeroKind::Point;
    }
  // 255 stored less one is no u8.
  return symmetric       ? ZeroKind::None
         : largest < 256 ? ZeroKind::Point
                         : ZeroKind::Min;
}

/// Is every product of a scale with the global one exact in f32?
bool hasExactProducts(const Reader &reader) {
  for (int64_t slice = 0; slice < reader.m.slices; ++slice)
    for (int mantissa = 8; mantissa < 16; ++mantissa) {
      float scale = float(mantissa), global = reader.global(slice);
      bool exact =
          reader.m.globalDivides
              ? double(scale / global) * double(global) == scale
              : double(scale * global) == double(scale) * double(global);
      if (!exact)
        return false;
    }
  return true;
}

} // namespace

Error analyze(const Checkpoint &checkpoint, QuantMatrix &m) {
  Reader reader(checkpoint, m);
  if (m.order) {
    bool sequential = true;
    for (int64_t k = 0; k < m.columns; ++k) {
      int64_t group = reader.order(k);
      if (group < 0 || group >= m.scaleColumns)
        return failure(checkpoint, *m.order,
                       "entry " + Twine(k) + " is " + Twine(group) +
                           ", expected a group from 0 to " +
                           Twine(m.scaleColumns - 1));
      sequential &= group == k / m.blockColumns;
    }
    if (sequential)
      m.order = nullptr;
  }
  if (m.order) {
    m.requantized = true;
    m.format = {ValueType::INT8, 32, ScaleType::F16};
    return Error::success();
  }
  m.format.group = m.scaleColumns == 1 ? 128 : packedGroup(m.blockColumns);
  m.format.scale = scaleType(*m.scales);
  switch (m.layout) {
  case CodeLayout::Fp8:
    m.format.value = ValueType::FP8;
    m.format.scale = ScaleType::F32;
    return Error::success();
  case CodeLayout::Fp4:
    m.format.value = ValueType::INT4;
    m.format.codebook = Codebook::E2M1;
    if (!m.global)
      return Error::success();
    m.format.scale = ScaleType::F32;
    for (int64_t slice = 0; slice < m.slices; ++slice)
      if (float value = reader.global(slice);
          !(value > 0 && std::isfinite(value)))
        return failure(checkpoint, *m.global,
                       "value " + std::to_string(value) +
                           " found, expected a finite positive number");
    m.scalesRounded = !hasExactProducts(reader);
    return Error::success();
  default:
    m.format.value = m.bits == 8 ? ValueType::INT8 : ValueType::INT4;
  }
  m.format.zero = zeroKind(reader);
  if (m.format.zero == ZeroKind::None)
    m.zeros = nullptr;
  if (m.format.zero == ZeroKind::Min)
    m.format.scale = ScaleType::F32;
  return Error::success();
}

Error readMatrixRows(const Checkpoint &checkpoint, const QuantMatrix &m,
                     int64_t firstRow, int64_t rows, QuantizedRows &out) {
  out.reset(m.format, rows, m.columns);
  if (m.requantized) {
    std::vector<float> values(size_t(rows * m.columns));
    if (Error error =
            readMatrixValues(checkpoint, m, firstRow, rows, values.data()))
      return error;
    if (quantizeToInt8(values.data(), out))
      return Error::success();
    return failure(checkpoint, *m.scales,
                   "values near row " + Twine(firstRow) +
                       " are too large for int8 with scales of f16");
  }
  Reader reader(checkpoint, m);
  reader.readCodes(firstRow, rows, out.values.data());
  for (int64_t i = 0; i < rows; ++i) {
    if (Error error = readScales(reader, firstRow + i, out, i))
      return error;
    if (Error error =
            reader.checkCodes(firstRow + i, out.values.data() + i * m.columns,
                              out.scales.data() + i * out.groups))
      return error;
  }
  reader.release(firstRow, firstRow + rows);
  return Error::success();
}

Error readMatrixValues(const Checkpoint &checkpoint, const QuantMatrix &m,
                       int64_t firstRow, int64_t rows, float *out) {
  if (!m.requantized) {
    QuantizedRows stored;
    if (Error error = readMatrixRows(checkpoint, m, firstRow, rows, stored))
      return error;
    dequantizeRows(stored, out);
    return Error::success();
  }
  Reader reader(checkpoint, m);
  std::vector<uint8_t> codes(size_t(rows * m.columns));
  reader.readCodes(firstRow, rows, codes.data());
  std::vector<float> scales(size_t(m.scaleColumns)), zeros(scales.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t g = 0; g < m.scaleColumns; ++g) {
      float scale = reader.scale(firstRow + i, g);
      if (Error error = reader.check(firstRow + i, g, scale))
        return error;
      scales[size_t(g)] = scale;
      zeros[size_t(g)] = float(reader.zero(firstRow + i, g));
    }
    for (int64_t k = 0; k < m.columns; ++k) {
      size_t g = size_t(reader.order(k)), at = size_t(i * m.columns + k);
      out[at] = scales[g] * (float(codes[at]) - zeros[g]);
    }
  }
  reader.release(firstRow, firstRow + rows);
  return Error::success();
}

} // namespace quartet

// Random packed matrices and staged rows for the tests of dot products, with
// their products by plain loops. Written from the layout's description, without
// the compiler's packer.
#ifndef QUARTET_TEST_CPU_DOTDATA_H
#define QUARTET_TEST_CPU_DOTDATA_H
#include "dialects/Quartet/PackedFormat.h"
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace quartet::test {

/// 64-byte aligned bytes.
class AlignedBytes {
public:
  explicit AlignedBytes(size_t size = 0, uint8_t fill = 0);
  uint8_t *data() { return bytes.get(); }
  const uint8_t *data() const { return bytes.get(); }
  size_t size() const { return count; }
  template <typename T> T *at(size_t offset) {
    return reinterpret_cast<T *>(data() + offset);
  }
  template <typename T> const T *at(size_t offset) const {
    return reinterpret_cast<const T *>(data() + offset);
  }

private:
  struct Free {
    void operator()(uint8_t *p) const { std::free(p); }
  };
  std::unique_ptr<uint8_t, Free> bytes;
  size_t count;
};

uint16_t toBf16(float value); ///< to nearest even
uint16_t toF16(float value);  ///< towards zero, normal numbers only
float fromBf16(uint16_t bits);
float fromF16(uint16_t bits);
float fromFp8(uint8_t bits); ///< e4m3fn

/// A [rows, columns] matrix with random values in \p format.
struct PackedMatrix {
  PackedMatrix(const PackedFormat &format, int64_t rows, int64_t columns,
               std::mt19937 &random);

  PackedFormat format;
  int64_t rows, columns;      ///< as given
  int64_t paddedColumns;      ///< to whole groups, or 16
  std::vector<int> stored;    ///< [rows, columns] as stored: codes or bits
  std::vector<float> scales;  ///< [rows, groups]
  std::vector<float> offsets; ///< [rows, groups] zero points or mins
  AlignedBytes bytes;         ///< the panels

  int64_t groups() const { return scales.size() / rows; }
  int64_t panelBytes() const { return bytes.size() / ((rows + 15) / 16); }
  /// What row \p r holds at column \p c, without scale: code minus zero point
  /// for integers.
  float value(int64_t r, int64_t c) const;

private:
  void pack();
};

/// Rows of random activations, staged for \p format.
struct StagedRows {
  StagedRows(const PackedFormat &format, int64_t tokens, int64_t columns,
             std::mt19937 &random);

  std::vector<float> floats;      ///< [tokens, columns] before staging
  int64_t stride, scaleAt, sumAt; ///< bytes
  AlignedBytes bytes;
};

/// Row \p r times token \p t with the roundings of the kernels.
float plainDot(const PackedMatrix &matrix, const StagedRows &rows, int64_t r,
               int64_t t);

} // namespace quartet::test
#endif

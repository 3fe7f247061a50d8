// Writes quantized matrices as the formats' own tools do, with one plain loop
// each, from codes, scales and zero points.
#ifndef QUARTET_TEST_COMPILER_IMPORT_QUANTIZED_QUANTTESTING_H
#define QUARTET_TEST_COMPILER_IMPORT_QUANTIZED_QUANTTESTING_H
#include "../ImportTesting.h"
#include "compiler/import/Convert.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

namespace quartet::testing {

template <typename T> std::string rawBytes(const std::vector<T> &values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty())
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// \p values in the safetensors type \p dtype (F32, F16 or BF16).
inline std::string floatBytes(const std::vector<float> &values,
                              llvm::StringRef dtype) {
  if (dtype == "F32")
    return rawBytes(values);
  std::vector<uint16_t> halves;
  for (float value : values)
    halves.push_back(dtype == "F16" ? floatToHalf(value) : floatToBf16(value));
  return rawBytes(halves);
}

/// A safetensors file, tensor by tensor.
struct TensorFile {
  struct Tensor {
    std::string name, dtype;
    std::vector<int64_t> shape;
    std::string data;
  };
  std::vector<Tensor> tensors;

  void add(llvm::StringRef name, llvm::StringRef dtype,
           std::vector<int64_t> shape, std::string data) {
    tensors.push_back(
        {name.str(), dtype.str(), std::move(shape), std::move(data)});
  }
  void floats(llvm::StringRef name, llvm::StringRef dtype,
              std::vector<int64_t> shape, const std::vector<float> &values) {
    add(name, dtype, std::move(shape), floatBytes(values, dtype));
  }
  Tensor &at(llvm::StringRef name) {
    for (Tensor &tensor : tensors)
      if (tensor.name == name)
        return tensor;
    ADD_FAILURE() << "no tensor " << name.str();
    return tensors.front();
  }
  void remove(llvm::StringRef name) {
    llvm::erase_if(tensors, [&](const Tensor &t) { return t.name == name; });
  }
  std::string bytes() const {
    std::string header = "{", data;
    for (const Tensor &tensor : tensors) {
      std::string shape;
      for (int64_t extent : tensor.shape)
        shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      header += (header.size() > 1 ? "," : "") + ("\"" + tensor.name) +
                "\":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[" + shape +
                "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
                std::to_string(data.size() + tensor.data.size()) + "]}";
      data += tensor.data;
    }
    return safetensors(header + "}", data);
  }
};

/// Small numbers that look random and are the same everywhere.
inline uint32_t mixed(uint32_t a, uint32_t b = 0, uint32_t c = 0) {
  uint32_t x = a * 2654435761u ^ b * 40503u ^ c * 2246822519u;
  x ^= x >> 15;
  x *= 2246822519u;
  return x ^ x >> 13;
}

/// The value of an e4m3 as its definition says.
inline float e4m3(uint8_t bits) {
  int exponent = bits >> 3 & 15, fraction = bits & 7;
  double magnitude = exponent
                         ? (1 + fraction / 8.0) * std::pow(2.0, exponent - 7)
                         : fraction / 8.0 * std::pow(2.0, -6);
  return float(bits & 0x80 ? -magnitude : magnitude);
}

/// The value of an e2m1.
inline float e2m1(int nibble) {
  const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  return nibble & 8 ? -magnitudes[nibble & 7] : magnitudes[nibble & 7];
}

/// A matrix [rows, columns] of integer codes with groups along the columns.
struct IntegerMatrix {
  int64_t rows, columns, group; ///< group: columns per scale
  int bits = 4;
  bool symmetric = true;
  uint32_t seed = 1;
  std::string scaleType = "F16";

  int64_t groups() const { return (columns + group - 1) / group; }
  int middle() const { return 1 << (bits - 1); }
  uint32_t code(int64_t n, int64_t k) const {
    return mixed(uint32_t(n), uint32_t(k), seed) & ((1u << bits) - 1);
  }
  /// Exact in bf16, so in all types of scales.
  float scale(int64_t n, int64_t g) const {
    return float(64 + mixed(uint32_t(n), uint32_t(g), seed + 7) % 64) / 4096;
  }
  int zero(int64_t n, int64_t g) const {
    if (symmetric)
      return middle();
    return 1 + int(mixed(uint32_t(n), uint32_t(g), seed + 9) %
                   uint32_t((1 << bits) - 1));
  }
  /// The real weight.
  float value(int64_t n, int64_t k) const {
    return float(int(code(n, k)) - zero(n, k / group)) * scale(n, k / group);
  }
  std::vector<float> values() const {
    std::vector<float> all;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t k = 0; k < columns; ++k)
        all.push_back(value(n, k));
    return all;
  }

  /// X.qweight, X.qzeros, X.scales, X.g_idx; zeros are stored less \p lessZero.
  void addGptq(TensorFile &file, const std::string &module,
               int lessZero = 1) const {
    int64_t perWord = 32 / bits;
    std::vector<uint32_t> words(size_t(columns / perWord * rows));
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t k = 0; k < columns; ++k)
        words[size_t(k / perWord * rows + n)] |= code(n, k)
                                                 << (k % perWord * bits);
    std::vector<uint32_t> zeroWords(size_t(groups() * rows / perWord));
    std::vector<float> scales;
    std::vector<int32_t> order;
    for (int64_t g = 0; g < groups(); ++g)
      for (int64_t n = 0; n < rows; ++n) {
        zeroWords[size_t((g * rows + n) / perWord)] |=
            (uint32_t(zero(n, g) - lessZero) & ((1u << bits) - 1))
            << (n % perWord * bits);
        scales.push_back(scale(n, g));
      }
    for (int64_t k = 0; k < columns; ++k)
      order.push_back(int32_t(k / group));
    file.add(module + ".qweight", "I32", {columns / perWord, rows},
             rawBytes(words));
    file.add(module + ".qzeros", "I32", {groups(), rows / perWord},
             rawBytes(zeroWords));
    file.floats(module + ".scales", scaleType, {groups(), rows}, scales);
    file.add(module + ".g_idx", "I32", {columns}, rawBytes(order));
  }

  /// The same as AWQ lays it out.
  void addAwq(TensorFile &file, const std::string &module) const {
    const int order[] = {0, 2, 4, 6, 1, 3, 5, 7};
    std::vector<uint32_t> words, zeroWords;
    std::vector<float> scales;
    for (int64_t k = 0; k < columns; ++k)
      for (int64_t c = 0; c < rows / 8; ++c) {
        uint32_t word = 0;
        for (int i = 0; i < 8; ++i)
          word |= code(8 * c + order[i], k) << 4 * i;
        words.push_back(word);
      }
    for (int64_t g = 0; g < groups(); ++g) {
      for (int64_t c = 0; c < rows / 8; ++c) {
        uint32_t word = 0;
        for (int i = 0; i < 8; ++i)
          word |= uint32_t(zero(8 * c + order[i], g)) << 4 * i;
        zeroWords.push_back(word);
      }
      for (int64_t n = 0; n < rows; ++n)
        scales.push_back(scale(n, g));
    }
    file.add(module + ".qweight", "I32", {columns, rows / 8}, rawBytes(words));
    file.add(module + ".qzeros", "I32", {groups(), rows / 8},
             rawBytes(zeroWords));
    file.floats(module + ".scales", scaleType, {groups(), rows}, scales);
  }

  /// compressed-tensors: X.weight_packed and so on.
  void addPacked(TensorFile &file, const std::string &module) const {
    int64_t perWord = 32 / bits, words = (columns + perWord - 1) / perWord;
    int64_t zeroRows = (rows + perWord - 1) / perWord;
    std::vector<uint32_t> codes(size_t(rows * words));
    std::vector<uint32_t> zeros(size_t(zeroRows * groups()));
    std::vector<float> scales;
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = 0; k < columns; ++k)
        codes[size_t(n * words + k / perWord)] |= code(n, k)
                                                  << (k % perWord * bits);
      for (int64_t g = 0; g < groups(); ++g) {
        scales.push_back(scale(n, g));
        zeros[size_t(n / perWord * groups() + g)] |= uint32_t(zero(n, g))
                                                     << (n % perWord * bits);
      }
    }
    file.add(module + ".weight_packed", "I32", {rows, words}, rawBytes(codes));
    file.floats(module + ".weight_scale", scaleType, {rows, groups()}, scales);
    file.add(module + ".weight_shape", "I64", {2},
             rawBytes(std::vector<int64_t>{rows, columns}));
    if (!symmetric)
      file.add(module + ".weight_zero_point", "I32", {zeroRows, groups()},
               rawBytes(zeros));
  }
};

} // namespace quartet::testing
#endif

// Tensors of the value tests: bytes with a type and a shape, filled from
// floats.
#ifndef QUARTET_TEST_VALUES_BUFFER_H
#define QUARTET_TEST_VALUES_BUFFER_H
#include "runtime/reference/Reference.h"
#include <cstring>
#include <string>
#include <vector>

namespace quartet::test {

enum class Element { kF32, kF16, kBF16, kI32, kI8 };

inline reference::Type floatType(Element element) {
  return element == Element::kF16    ? reference::Type::kF16
         : element == Element::kBF16 ? reference::Type::kBF16
                                     : reference::Type::kF32;
}

inline const char *name(Element element) {
  const char *names[] = {"f32", "f16", "bf16", "i32", "i8"};
  return names[static_cast<int>(element)];
}

class Buffer {
public:
  /// All zero.
  Buffer(Element element, std::vector<int64_t> shape)
      : element(element), shape(std::move(shape)) {
    bytes.resize(size() * (element == Element::kI8 ? 1 : is16Bit() ? 2 : 4));
  }
  /// \p values rounded to \p element.
  Buffer(Element element, std::vector<int64_t> shape,
         const std::vector<float> &values)
      : Buffer(element, std::move(shape)) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (is16Bit()) {
        uint16_t bits = reference::toBits(floatType(element), values[i]);
        std::memcpy(&bytes[2 * i], &bits, 2);
      } else {
        std::memcpy(&bytes[4 * i], &values[i], 4);
      }
    }
  }
  Buffer(std::vector<int64_t> shape, const std::vector<int32_t> &values)
      : Buffer(Element::kI32, std::move(shape)) {
    if (!bytes.empty()) // data() of an empty vector may be null
      std::memcpy(bytes.data(), values.data(), bytes.size());
  }

  size_t size() const {
    size_t count = 1;
    for (int64_t extent : shape)
      count *= static_cast<size_t>(extent);
    return count;
  }
  std::vector<float> floats() const {
    std::vector<float> values(size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is16Bit()) {
        std::memcpy(&values[i], &bytes[4 * i], 4);
        continue;
      }
      uint16_t bits;
      std::memcpy(&bits, &bytes[2 * i], 2);
      values[i] = reference::fromBits(floatType(element), bits);
    }
    return values;
  }
  const int32_t *ints() const {
    return reinterpret_cast<const int32_t *>(bytes.data());
  }
  /// The bytes of rows [from, from + count) of the first dimension.
  std::string rows(int64_t from, int64_t count) const {
    size_t row = shape[0] ? bytes.size() / shape[0] : 0;
    return std::string(bytes.begin() + from * row,
                       bytes.begin() + (from + count) * row);
  }

  Element element;
  std::vector<int64_t> shape;
  std::vector<char> bytes;

private:
  bool is16Bit() const {
    return element == Element::kF16 || element == Element::kBF16;
  }
};

} // namespace quartet::test
#endif

// The conversion loops, one instance per pair of types. They load and store by
// memcpy because data in a mapped checkpoint may lie at any byte.
#include "compiler/import/Convert.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace quartet {
namespace {

// Weight files and safetensors are little-endian; so are all our hosts.
static_assert(llvm::endianness::native == llvm::endianness::little,
              "elements are copied without byte swaps");

template <Dtype type> struct Element;
template <> struct Element<Dtype::F32> {
  using Bits = float;
  static float load(float bits) { return bits; }
  static float store(float value) { return value; }
  static bool isInfinite(float bits) {
    return (llvm::bit_cast<uint32_t>(bits) & 0x7fffffffu) == 0x7f800000u;
  }
};
template <> struct Element<Dtype::F16> {
  using Bits = uint16_t;
  static float load(uint16_t bits) { return halfToFloat(bits); }
  static uint16_t store(float value) { return floatToHalf(value); }
  static bool isInfinite(uint16_t bits) { return (bits & 0x7fff) == 0x7c00; }
};
template <> struct Element<Dtype::BF16> {
  using Bits = uint16_t;
  static float load(uint16_t bits) { return bf16ToFloat(bits); }
  static uint16_t store(float value) { return floatToBf16(value); }
  static bool isInfinite(uint16_t bits) { return (bits & 0x7fff) == 0x7f80; }
};

template <Dtype from, Dtype to>
int64_t convertRange(const uint8_t *in, uint8_t *out, int64_t count) {
  using In = Element<from>;
  using Out = Element<to>;
  using InBits = typename In::Bits;
  using OutBits = typename Out::Bits;
  // Overflow is looked for per block: the inner loop stays a plain reduction.
  constexpr int64_t block = 4096;
  for (int64_t start = 0; start < count; start += block) {
    int64_t end = std::min(start + block, count);
    uint32_t overflowed = 0;
    for (int64_t i = start; i < end; ++i) {
      InBits source;
      std::memcpy(&source, in + i * sizeof source, sizeof source);
      OutBits result = Out::store(In::load(source));
      overflowed |=
          uint32_t(Out::isInfinite(result)) & uint32_t(!In::isInfinite(source));
      std::memcpy(out + i * sizeof result, &result, sizeof result);
    }
    for (int64_t i = start; overflowed && i < end; ++i) {
      InBits source;
      OutBits result;
      std::memcpy(&source, in + i * sizeof source, sizeof source);
      std::memcpy(&result, out + i * sizeof result, sizeof result);
      if (Out::isInfinite(result) && !In::isInfinite(source))
        return i;
    }
  }
  return -1;
}

template <Dtype from>
int64_t convertFrom(const uint8_t *in, Dtype to, uint8_t *out, int64_t count) {
  switch (to) {
  case Dtype::F32:
    return convertRange<from, Dtype::F32>(in, out, count);
  case Dtype::F16:
    return convertRange<from, Dtype::F16>(in, out, count);
  case Dtype::BF16:
    return convertRange<from, Dtype::BF16>(in, out, count);
  }
  return -1;
}

} // namespace

int64_t convertElements(Dtype from, const uint8_t *in, Dtype to, uint8_t *out,
                        int64_t count) {
  if (from == to) {
    std::memcpy(out, in, size_t(count * byteSize(from)));
    return -1;
  }
  switch (from) {
  case Dtype::F32:
    return convertFrom<Dtype::F32>(in, to, out, count);
  case Dtype::F16:
    return convertFrom<Dtype::F16>(in, to, out, count);
  case Dtype::BF16:
    return convertFrom<Dtype::BF16>(in, to, out, count);
  }
  return -1;
}

} // namespace quartet

// Random weights for builds without a checkpoint: each element is a function of
// seed, weight name and index alone, so any part can be made at any time.
// Quantized matrices are another function of the same, made as integers.
#include "compiler/import/Convert.h"
#include "compiler/import/RandomBits.h"
#include "compiler/import/WeightSource.h"
#include "compiler/import/quant/SyntheticRows.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include <algorithm>
#include <cmath>

using namespace llvm;

namespace quartet {
namespace {

/// Elements that share one key; inside, 32-bit arithmetic on the index will do,
/// which vectorises. Also the length of the buffer of floats (16 KB, in L1).
constexpr int64_t blockElements = 4096;

/// Of the sum of four uniform bytes: sqrt(4 (256^2 - 1) / 12).
constexpr double sumDeviation = 147.80223;

/// Mean plus \p scale times the sum of the four bytes of each number (less its
/// mean, 510): close to normal up to its cut at 3.45 standard deviations.
/// Weights need no better, and sums are many times faster than logarithms and
/// cosines.
void fillNormal(const BlockKey &key, uint32_t begin, uint32_t count, float mean,
                float scale, float *out) {
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t bits = key.bits(begin + i);
    uint32_t pairs = (bits & 0x00ff00ffu) + (bits >> 8 & 0x00ff00ffu);
    int32_t sum = int32_t((pairs + (pairs >> 16)) & 0xffffu);
    out[i] = float(sum - 510) * scale + mean;
  }
}

void fillBlock(const Weight &weight, const BlockKey &key, uint32_t begin,
               uint32_t count, float *out) {
  switch (weight.role) {
  case WeightRole::Matrix:
  case WeightRole::Router:
  case WeightRole::Embedding:
  case WeightRole::Conv: {
    int64_t fanIn = weight.shape.empty() ? 1 : weight.shape.back();
    double deviation = 1.0 / std::sqrt(double(std::max<int64_t>(fanIn, 1)));
    float scale = float(deviation / sumDeviation);
    return fillNormal(key, begin, count, 0.0f, scale, out);
  }
  // Deviation 0.036. A power of two makes the product exact, so that adding the
  // mean gives the same bits with and without a fused multiply-add.
  case WeightRole::Norm:
    return fillNormal(key, begin, count, 0.0f, 0x1p-12f, out);
  case WeightRole::GatedNorm:
    return fillNormal(key, begin, count, 1.0f, 0x1p-12f, out);
  case WeightRole::ALog: // a uniform in (1, 16)
    for (uint32_t i = 0; i < count; ++i)
      out[i] = float(std::log(1.0 + 15.0 * key.uniform(begin + i)));
    return;
  case WeightRole::DtBias: // dt log-uniform in (0.001, 0.1)
    for (uint32_t i = 0; i < count; ++i) {
      double low = std::log(0.001), high = std::log(0.1);
      double dt = std::exp(low + (high - low) * key.uniform(begin + i));
      out[i] = float(std::log(std::expm1(dt))); // inverse of softplus
    }
    return;
  }
}

class SyntheticSource final : public WeightSource {
public:
  explicit SyntheticSource(uint64_t seed) : seed(seed) {}

  Error read(const Weight &weight, int64_t begin,
             MutableArrayRef<uint8_t> out) override {
    int64_t size = byteSize(weight.dtype);
    int64_t end = begin + int64_t(out.size()) / size;
    uint64_t key = keyOf(weight);
    float values[blockElements];
    uint8_t *next = out.data();
    while (begin < end) {
      int64_t first = begin % blockElements;
      int64_t count = std::min(blockElements - first, end - begin);
      BlockKey block(mix64(key + uint64_t(begin / blockElements)));
      fillBlock(weight, block, uint32_t(first), uint32_t(count), values);
      convertElements(Dtype::F32, reinterpret_cast<uint8_t *>(values),
                      weight.dtype, next, count);
      next += count * size;
      begin += count;
    }
    return Error::success();
  }

  bool owns(const Weight &, const PackedFormat &format) const override {
    return format.isInteger() || format.value == ValueType::FP8;
  }

  Error readOwn(const Weight &weight, int64_t firstRow, int64_t rows,
                QuantizedRows &out) override {
    SyntheticRows(out.format, out.columns).fill(keyOf(weight), firstRow, out);
    return Error::success();
  }

  bool isConcurrent() const override { return true; }

private:
  uint64_t seed;

  uint64_t keyOf(const Weight &weight) const {
    auto digest = BLAKE3::hash(arrayRefFromStringRef(weight.name));
    return mix64(seed ^ support::endian::read64le(digest.data()));
  }
};

} // namespace

std::unique_ptr<WeightSource> syntheticSource(uint64_t seed) {
  return std::make_unique<SyntheticSource>(seed);
}

} // namespace quartet

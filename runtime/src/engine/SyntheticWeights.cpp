// Random bits with the exponent put in place, eight bytes at a time.
#include "runtime/src/engine/SyntheticWeights.h"
#include "runtime/src/device/MemoryUse.h"
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace quartet::rt {

namespace {
/// Which bits of eight bytes are random, and what the others are.
struct Pattern {
  uint64_t random = ~uint64_t(0), fixed = 0;
};

/// Sign and mantissa are random, the magnitude is 2^-6 to 2^-5.
Pattern floatPattern(const std::string &type) {
  if (type == "bf16" || type == "BF16")
    return {0x807f807f807f807f, 0x3c803c803c803c80};
  if (type == "f16" || type == "F16")
    return {0x83ff83ff83ff83ff, 0x2400240024002400};
  if (type == "f32" || type == "F32")
    return {0x807fffff807fffff, 0x3c8000003c800000};
  if (type == "fp8" || type == "F8_E4M3")
    return {0x8787878787878787, 0x0808080808080808};
  return {}; // Integers: every value is one.
}

uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

/// Random numbers of a stream: xorshift, much faster than memory.
struct Random {
  uint64_t state;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
};

void fillPattern(uint8_t *out, uint64_t bytes, Pattern pattern,
                 Random &random) {
  for (uint64_t at = 0; at < bytes; at += 8) {
    uint64_t value = (random.next() & pattern.random) | pattern.fixed;
    memcpy(out + at, &value, size_t(std::min<uint64_t>(8, bytes - at)));
  }
}

/// Repeats a number of a panel's scale type over \p bytes; \p exponent is that
/// of two.
void fillPower(uint8_t *out, uint64_t bytes, const std::string &type,
               int exponent, bool negative) {
  uint32_t bits = 0;
  uint64_t size = type == "f32" ? 4 : 2;
  if (type == "f32")
    bits = uint32_t(127 + exponent) << 23 | uint32_t(negative) << 31;
  else if (type == "bf16")
    bits = uint32_t(127 + exponent) << 7 | uint32_t(negative) << 15;
  else
    bits = uint32_t(15 + exponent) << 10 | uint32_t(negative) << 15;
  for (uint64_t at = 0; at + size <= bytes; at += size)
    memcpy(out + at, &bits, size_t(size)); // little endian
}

/// The words of "int4:64:point:bf16".
struct Format {
  explicit Format(const std::string &text) {
    for (size_t at = 0; at <= text.size();) {
      size_t end = std::min(text.find(':', at), text.size());
      std::string word = text.substr(at, end - at);
      if (at == 0)
        value = word;
      else if (word == "point" || word == "min")
        zero = word;
      else if (word == "bf16" || word == "f32")
        scale = word;
      else if (word == "iq4_nl" || word == "e2m1")
        codebook = word;
      at = end + 1;
    }
  }
  /// Scale 2^n that makes the largest value about 1/32.
  int exponent() const {
    if (value == "int8" || codebook == "iq4_nl")
      return -12; // values up to 127
    return value == "int4" ? -8 : 0;
  }
  std::string value, zero, codebook, scale = "f16";
};

void fillPanel(uint8_t *panel, const WeightInfo &weight, const Format &format,
               Random &random) {
  memset(panel, 0, size_t(weight.valuesOffset));
  fillPower(panel, uint64_t(weight.scaleBytes), format.scale, format.exponent(),
            false);
  uint8_t *zeros = panel + weight.zerosOffset;
  uint64_t zeroBytes = uint64_t(weight.valuesOffset - weight.zerosOffset);
  bool int4 = format.value == "int4";
  if (format.zero == "point") // In the middle of the stored values.
    memset(zeros, int4 ? 8 : 128, size_t(zeroBytes));
  else if (format.zero == "min")
    fillPower(zeros, zeroBytes, format.scale,
              format.exponent() + (int4 ? 3 : 7), true);
  fillPattern(panel + weight.valuesOffset,
              uint64_t(weight.panelBytes - weight.valuesOffset),
              floatPattern(format.value), random);
}

/// A part of one weight that one worker fills at once.
struct Piece {
  const WeightInfo *weight;
  uint64_t begin, end; ///< bytes of the weight
  uint8_t *out;        ///< where the first of them goes
};

struct Filling {
  uint64_t seed;
  std::vector<Piece> pieces;
  std::atomic<size_t> next{0};

  void add(const WeightInfo &weight, uint64_t begin, uint64_t end,
           uint8_t *out) {
    uint64_t size = syntheticPartBytes(weight);
    for (uint64_t at = begin; at < end; at += size)
      pieces.push_back(
          {&weight, at, std::min(at + size, end), out + (at - begin)});
  }
};

void fillPieces(void *context, int64_t, int64_t) {
  auto *filling = static_cast<Filling *>(context);
  while (true) {
    size_t index = filling->next.fetch_add(1);
    if (index >= filling->pieces.size())
      return;
    const Piece &piece = filling->pieces[index];
    const WeightInfo &weight = *piece.weight;
    Random random{mix(filling->seed ^ mix(weight.offset + piece.begin)) | 1};
    uint64_t bytes = piece.end - piece.begin;
    if (weight.format.empty()) {
      fillPattern(piece.out, bytes, floatPattern(weight.dtype), random);
      continue;
    }
    Format format(weight.format);
    for (uint64_t at = 0; at < bytes; at += uint64_t(weight.panelBytes))
      fillPanel(piece.out + at, weight, format, random);
  }
}
} // namespace

uint64_t syntheticPartBytes(const WeightInfo &weight) {
  constexpr uint64_t about = uint64_t(4) << 20;
  uint64_t unit = weight.format.empty() ? 64 : uint64_t(weight.panelBytes);
  return std::max<uint64_t>(about / unit, 1) * unit;
}

void fillSynthetic(const WeightInfo &weight, uint64_t seed, uint64_t begin,
                   uint64_t end, uint8_t *out, Team &team) {
  Filling filling;
  filling.seed = seed;
  filling.add(weight, begin, end, out);
  team.run(fillPieces, &filling);
}

std::unique_ptr<SyntheticWeights>
SyntheticWeights::create(const Manifest &manifest, uint64_t seed, Team &team,
                         std::string *error) {
  std::unique_ptr<SyntheticWeights> weights(new SyntheticWeights);
  uint64_t physical = physicalBytes();
  if (manifest.weightsBytes > physical ||
      !weights->memory.allocate(manifest.weightsBytes)) {
    *error = "the weights have " + std::to_string(manifest.weightsBytes) +
             " bytes, this machine has " + std::to_string(physical) +
             " bytes of memory";
    return nullptr;
  }
  Filling filling;
  filling.seed = seed;
  for (const WeightInfo &weight : manifest.weights) {
    uint8_t *base = weights->memory.data() + weight.offset;
    weights->bases.push_back(base);
    filling.add(weight, 0, weight.bytes, base);
  }
  team.run(fillPieces, &filling);
  return weights;
}

} // namespace quartet::rt

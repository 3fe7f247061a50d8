// Random numbers as a function of a key and an index, in any order.
#ifndef QUARTET_COMPILER_IMPORT_RANDOMBITS_H
#define QUARTET_COMPILER_IMPORT_RANDOMBITS_H
#include <cstdint>

namespace quartet {

/// SplitMix64's output function (Steele, Lea, Flood 2014).
inline uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

/// "lowbias32" of github.com/skeeto/hash-prospector: a bijection on 32 bits
/// with near-ideal avalanche, for two multiplications.
inline uint32_t mix32(uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

/// The random numbers of one block; inside, 32-bit arithmetic on the index will
/// do, which vectorises.
struct BlockKey {
  uint32_t first, second;
  explicit BlockKey(uint64_t key)
      : first(uint32_t(key)), second(uint32_t(key >> 32) | 1u) {}
  /// `second` is odd, so no two indices collide.
  uint32_t bits(uint32_t index) const { return mix32(index * second + first); }
  /// In (0, 1), all 24 bits of a float's precision.
  double uniform(uint32_t index) const {
    return ((bits(index) >> 8) + 0.5) * 0x1p-24;
  }
};

} // namespace quartet
#endif

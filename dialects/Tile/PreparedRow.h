// What tile.delta_prepare leaves of a token and a key head for tile.delta_scan.
#ifndef QUARTET_DIALECTS_TILE_PREPAREDROW_H
#define QUARTET_DIALECTS_TILE_PREPAREDROW_H
#include <cstdint>

namespace quartet::tile {

/// Tokens of a chunk of the delta rule, counted from the sequence's start.
constexpr int64_t kDeltaChunk = 32;

/// Where things are, in bytes. Split rows are sums of two bf16 for each
/// element, as long as in f32; a row of T or of what is read with d has an
/// element for each token of the chunk.
///   q, k; for each value head T without its diagonal, reads; factors, remains
///   and strengths (that diagonal) of all value heads, f32
struct PreparedRow {
  int64_t perKey; ///< value heads
  int64_t vector; ///< of q or k, whose columns are filled up to 32
  static constexpr int64_t triangle = kDeltaChunk * 4;

  PreparedRow(int64_t keyDim, int64_t perKey)
      : perKey(perKey), vector((keyDim + 31) / 32 * 32 * 4) {}
  int64_t key() const { return vector; }
  int64_t triangles() const { return 2 * vector; } ///< T of value head 0
  static constexpr int64_t perHead = 2 * triangle;
  int64_t factors() const { return triangles() + perKey * perHead; }
  int64_t remains() const { return factors() + perKey * 4; }
  int64_t strengths() const { return remains() + perKey * 4; }
  int64_t bytes() const { return (strengths() + perKey * 4 + 15) / 16 * 16; }
};

} // namespace quartet::tile
#endif

// How one staged row of activations lies in memory: the schedule plans with its
// size, kernels write and read its parts. Plain C++: no MLIR.
#ifndef QUARTET_DIALECTS_TILE_STAGEDROW_H
#define QUARTET_DIALECTS_TILE_STAGEDROW_H
#include <cstdint>

namespace quartet::tile {

/// Alignment of buffers, local values and the parts of a row, in bytes.
constexpr int64_t kTileAlign = 64;

constexpr int64_t alignTo64(int64_t bytes) {
  return (bytes + kTileAlign - 1) / kTileAlign * kTileAlign;
}

/// Where the parts of a staged row are, in bytes. Group 0: f32 values only,
/// padded to 16 columns. Otherwise int8 values, then for each group an f32
/// scale and the i32 sum of its values; each part padded to 64 bytes.
struct StagedRowLayout {
  constexpr StagedRowLayout(int64_t group, int64_t columns)
      : paddedColumns((columns + unit(group) - 1) / unit(group) * unit(group)),
        scales(group ? alignTo64(paddedColumns) : 0),
        sums(group ? scales + alignTo64(paddedColumns / group * 4) : 0),
        bytes(group ? sums + alignTo64(paddedColumns / group * 4)
                    : alignTo64(paddedColumns * 4)) {}

  int64_t paddedColumns; ///< a multiple of the group, or of 16
  int64_t scales, sums;  ///< 0 without groups
  int64_t bytes;

private:
  static constexpr int64_t unit(int64_t group) { return group ? group : 16; }
};

/// Bytes of a staged row.
constexpr int64_t stagedRowBytes(int64_t group, int64_t columns) {
  return StagedRowLayout(group, columns).bytes;
}

} // namespace quartet::tile
#endif

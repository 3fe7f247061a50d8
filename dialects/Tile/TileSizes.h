// Bytes of what the tile dialect declares. Plans, verifiers and targets agree
// on these.
#ifndef QUARTET_DIALECTS_TILE_TILESIZES_H
#define QUARTET_DIALECTS_TILE_TILESIZES_H
#include "dialects/Tile/TileOps.h"

namespace quartet::tile {

/// Alignment of buffers and local values, in bytes.
constexpr int64_t kTileAlign = 64;

constexpr int64_t alignTo64(int64_t bytes) {
  return (bytes + kTileAlign - 1) / kTileAlign * kTileAlign;
}

/// One staged row: f32[Kpad] (group 0), or int8[Kpad], f32 scale[G], i32
/// sum[G], each padded to 64 bytes. Kpad is \p columns rounded up to the group
/// (to 16 without), G the number of groups.
int64_t stagedRowBytes(int64_t columns, int64_t group);

int64_t bytesOf(RowsType type);
int64_t bytesOf(AccType type);
/// What routing leaves in local memory: experts that have tokens, and (token,
/// expert) pairs with their weights, sorted; and its working memory.
int64_t groupsBytes(RouteOp route);

/// Whether the buffer's size depends on the longest sequence.
bool isDynamic(BufferOp buffer);
/// Bytes of the buffer, a multiple of 64. Of a dynamic one: bytes per page of
/// the longest sequence, when its pages are rounded up to `pieces`.
int64_t bytesOf(BufferOp buffer);
/// `pieces` of the step's dynamic buffers; 1 without any.
int64_t piecePages(StepOp step);
/// Where dynamic buffers begin in the scratch memory of a planned step, in
/// bytes. The step's `scratch` exceeds it by what rounding pages up can cost.
int64_t dynamicBase(StepOp step);

} // namespace quartet::tile
#endif

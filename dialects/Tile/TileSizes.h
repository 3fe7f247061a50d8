// Bytes of what the tile dialect declares. Plans, verifiers and targets agree
// on these.
#ifndef QUARTET_DIALECTS_TILE_TILESIZES_H
#define QUARTET_DIALECTS_TILE_TILESIZES_H
#include "dialects/Tile/StagedRow.h"
#include "dialects/Tile/TileOps.h"

namespace quartet::tile {

/// A range of this many pages holds every sequence.
constexpr uint64_t kAllPages = 1 << 20;

int64_t bytesOf(RowsType type);
int64_t bytesOf(AccType type);
/// What routing leaves in local memory: experts that have tokens, and (token,
/// expert) pairs with their weights, sorted; and its working memory.
int64_t groupsBytes(RouteOp route);

/// Whether the buffer's size depends on the longest sequence.
bool isDynamic(BufferOp buffer);
/// Bytes of the buffer, a multiple of 64; of a dynamic one: bytes of each
/// piece. It has ceil(W / pieces) of them, W the width of the page table.
int64_t bytesOf(BufferOp buffer);
/// `pieces` of the step's dynamic buffers; 1 without any.
int64_t piecePages(StepOp step);
/// Columns of a token's row: all dimensions from the second on but a dynamic
/// one.
int64_t columnsOf(BufferOp buffer);
/// Where dynamic buffers begin in the scratch memory of a planned step, in
/// bytes: a buffer's address is scratch + dynamicBase + offset * ceil(W /
/// pieces). The step's `scratch` has room for one piece of each beyond it,
/// because ceil(W / pieces) may exceed W / pieces by nearly one.
int64_t dynamicBase(StepOp step);

} // namespace quartet::tile
#endif

// The part of tile-verify-schedule that follows weights.
#ifndef QUARTET_PASSES_TILE_VERIFYSTREAMS_H
#define QUARTET_PASSES_TILE_VERIFYSTREAMS_H
#include "passes/Tile/ScheduleAnalysis.h"

namespace quartet::tile {

/// Emits an error and fails unless each tile of weights has one use, each row
/// of a matrix that the step uses is read exactly once in each repetition, and
/// grids have as many tasks as what they cut has tiles.
mlir::LogicalResult verifyStreams(const Schedule &schedule);

} // namespace quartet::tile
#endif

// How the columns of a matrix are shared by the lanes and warps of a block: a
// function of the format, the number of columns and the machine alone, so that
// every row's products are added up in one order whatever else a step has.
#ifndef QUARTET_TARGETS_GPU_KERNELS_COLUMNPLAN_H
#define QUARTET_TARGETS_GPU_KERNELS_COLUMNPLAN_H
#include "dialects/Quartet/PackedFormat.h"
#include "targets/gpu/MatrixUnit.h"

namespace quartet::gpu {

/// From small to large: a lane takes a unit of neighbouring columns at a time,
/// the lanes of a row side by side take a step, and steps make a chunk: whole
/// groups (with steps longer than a group one step, else one group). Chunks
/// make a segment, which one warp adds up; segments are added in order. Floats
/// are multiplied in up to \p parts parts.
struct ColumnPlan {
  ColumnPlan(const MatrixUnit &unit, const PackedFormat &format,
             int64_t columns, int64_t warps, int parts);

  PackedFormat format;
  PanelLayout layout;
  int64_t unitLines, unitColumns;
  int64_t unitWords; ///< of operands
  int64_t units;     ///< of all columns
  int64_t kLanes;
  int64_t steps; ///< of a chunk
  int64_t chunkColumns, chunkGroups;
  int64_t chunks;
  int64_t segments;      ///< a power of two, at most the warps
  int64_t segmentChunks; ///< the last segments may have fewer
  /// Chunks whose loads are asked for together; divides segmentChunks.
  int64_t together;
  /// Some chunk reaches beyond the columns.
  bool ragged;
  /// bf16 parts that a weight is the sum of; 1 for integers.
  int weightParts;
  bool roundedWeights; ///< more parts would be needed for all of a weight
};

} // namespace quartet::gpu
#endif

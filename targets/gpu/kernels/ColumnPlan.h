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
/// are multiplied in up to \p parts parts; their chunks have at most \p
/// mostFloatColumns columns where that is not 0, and may be parts of a group.
struct ColumnPlan {
  ColumnPlan(const MatrixUnit &unit, const PackedFormat &format,
             int64_t columns, int64_t warps, int parts,
             int64_t mostFloatColumns = 0);

  /// Number of the lane's unit in a step of chunk \p chunk.
  V unitOf(const MatrixUnit &unit, V chunk, int64_t step) const;
  /// Number of group \p group of a chunk; the last one beyond the columns.
  V groupOf(V chunk, int64_t group) const;
  /// Whether there is such a group; null when there always is.
  V isGroup(V chunk, int64_t group) const;

  PackedFormat format;
  PanelLayout layout;
  int64_t unitLines, unitColumns;
  int64_t unitWords; ///< of operands
  int64_t units;     ///< of all columns
  int64_t kLanes;
  int64_t steps; ///< of a chunk
  int64_t chunkColumns, chunkGroups;
  int64_t groupChunks; ///< of a group that has several, else 1
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

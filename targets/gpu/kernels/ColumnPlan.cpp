// The sizes of ColumnPlan.h.
#include "targets/gpu/kernels/ColumnPlan.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;

/// Loads of 16 bytes that a lane has in flight: 8 of each of 256 threads are
/// 32 KiB per block, which is what covers the latency of HBM.
static constexpr int64_t kLoads = 8;

/// Lines that a lane takes at once: those of four columns of floats, of eight
/// of int4 and int8 (so that their activations are loads of 8 bytes), and the
/// three lines of 16 columns of int6.
static int64_t linesOfUnit(ValueType value) {
  switch (value) {
  case ValueType::F32:
    return 4;
  case ValueType::BF16:
  case ValueType::F16:
  case ValueType::INT8:
    return 2;
  case ValueType::INT6:
    return 3;
  case ValueType::FP8:
  case ValueType::INT4:
    return 1;
  }
  return 1;
}

ColumnPlan::ColumnPlan(const MatrixUnit &unit, const PackedFormat &format,
                       int64_t columns, int64_t warps, int parts,
                       int64_t mostFloatColumns)
    : format(format), layout(format, columns), kLanes(unit.kLanes),
      groupChunks(1) {
  unitLines = linesOfUnit(format.value);
  unitColumns = unitLines / quartet::unitLines(format.value) *
                quartet::unitColumns(format.value);
  unitWords = unitColumns / (format.isInteger() ? 4 : 2);
  units = layout.paddedColumns / unitColumns;
  weightParts = format.value == ValueType::F32   ? 3
                : format.value == ValueType::F16 ? 2
                                                 : 1;
  roundedWeights = weightParts > parts;
  weightParts = std::min(weightParts, parts);
  int64_t stepColumns = unitColumns * kLanes;
  bool limited = mostFloatColumns && !format.isInteger();
  if (format.group) {
    chunkColumns = std::max<int64_t>(stepColumns, format.group);
    if (limited && chunkColumns > mostFloatColumns) {
      groupChunks = chunkColumns / mostFloatColumns;
      chunkColumns = mostFloatColumns;
    }
    chunkGroups = std::max<int64_t>(1, chunkColumns / format.group);
  } else {
    // Whole instructions, and as many loads as should be in flight.
    int64_t whole = unit.kWords * 2 * kLanes;
    chunkColumns = std::max<int64_t>(1, kLoads / unitLines) * stepColumns;
    if (limited)
      chunkColumns = std::min(chunkColumns, mostFloatColumns);
    chunkColumns = llvm::alignTo(chunkColumns, whole);
    chunkGroups = 1;
  }
  steps = chunkColumns / stepColumns;
  chunks = llvm::divideCeil(layout.paddedColumns, chunkColumns);
  segments = 1;
  while (segments * 2 <= std::min(warps, chunks))
    segments *= 2;
  segmentChunks = llvm::divideCeil(chunks, segments);
  ragged = segments * segmentChunks * chunkColumns != layout.paddedColumns;
  together = 1;
  for (int64_t count = 2; count <= segmentChunks; ++count)
    if (segmentChunks % count == 0 && count * steps * unitLines <= kLoads)
      together = count;
}

V ColumnPlan::unitOf(const MatrixUnit &unit, V chunk, int64_t step) const {
  return (chunk * steps + step) * kLanes + unit.kLane;
}

V ColumnPlan::groupOf(V chunk, int64_t group) const {
  V number = groupChunks > 1
                 ? chunk >> int(llvm::Log2_64(uint64_t(groupChunks)))
                 : chunk * chunkGroups + group;
  CodeBuilder &k = chunk.k();
  return ragged ? k.min(number, k.i64(layout.groups - 1)) : number;
}

V ColumnPlan::isGroup(V chunk, int64_t group) const {
  return ragged ? chunk * chunkGroups + group < layout.groups * groupChunks
                : V();
}

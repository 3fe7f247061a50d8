// Slabs of columns on their way into shared memory: of the tokens' rows a line
// of the pattern that warp groups read, of the weights what four warps unpack.
#ifndef QUARTET_TARGETS_GPU_KERNELS_SLABCOPIES_H
#define QUARTET_TARGETS_GPU_KERNELS_SLABCOPIES_H
#include "dialects/Tile/StagedRow.h"
#include "targets/gpu/WarpGroup.h"
#include "targets/gpu/kernels/ColumnPlan.h"
#include "targets/gpu/kernels/Matmul.h"

namespace quartet::gpu {

/// Bytes of the parts of a slab, and where they begin in a stage. In front of
/// floats, a stage has weights alone.
struct Slab {
  /// A row of B has all of \p parts parts side by side where \p narrow, else
  /// one part.
  Slab(const PackedFormat &format, int64_t tokens, int64_t panels, int parts,
       bool narrow);

  int64_t columns;               ///< those that a row of B has room for
  int64_t panels;                ///< of four warps
  int64_t groups;                ///< of columns; of integers
  int64_t values, scales, zeros; ///< of one panel
  int64_t factorsAt, sumsAt, valuesAt, scalesAt, zerosAt;
  int64_t bytes;
  /// Floats: of the rows of B that a group of warps makes itself, once.
  int64_t ownBytes;
  /// From a part to the next: bytes of rows, and of a row.
  int64_t partRows, partBytes;
};

/// What starts a slab's copies. All threads of a group of warps do it together.
class SlabCopies {
public:
  /// Of passes of \p tokens tokens. \p ragged: some slab reaches beyond the
  /// columns; copies then fill up with zeros, so that nothing of it counts.
  SlabCopies(DeviceBuilder &k, const ColumnPlan &plan, const Slab &slab,
             const WeightsOperand &weights, const RowsOperand &rows,
             int64_t tokens, bool ragged);

  /// Weights come by bulk copies: their barrier has slab.panels arrivals.
  bool areBulk() const { return bulk; }
  /// Some come by asynchronous copies that threads wait for.
  bool areAsync() const { return !bulk || format.isInteger(); }
  /// Starts all copies of slab \p number into \p stage (shared): of the panels
  /// from \p firstPanel on, and of the rows at \p offsets (shared, i64 bytes)
  /// from the first row. \p barrier is told of bulk copies.
  void start(V number, V stage, V firstPanel, V offsets, V barrier) const;

private:
  int64_t groupThreads() const { return kGroupWarps * k.machine.lanes; }
  void copyWeights(V number, V stage, V firstPanel) const;
  void copyWeightsBulk(V number, V stage, V firstPanel, V barrier) const;
  void copyRows(V number, V stage, V offsets) const;
  void copyOfTokens(V number, V to, V offsets, int64_t part) const;
  void copyOfPanels(V firstPanel, V offset, V valid, int64_t bytes, V to) const;

  DeviceBuilder &k;
  const ColumnPlan &plan;
  const Slab &slab;
  const PackedFormat &format;
  tile::StagedRowLayout row;
  WeightsOperand weights;
  RowsOperand rows;
  int64_t tokens;
  bool ragged, bulk;
  V member, inGroup; ///< the warp's place in its group, the thread's
};

} // namespace quartet::gpu
#endif

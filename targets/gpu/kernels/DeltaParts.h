// What the two forms of the gated delta rule share: the convolved tokens of a
// group in shared memory, and their gates.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTAPARTS_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTAPARTS_H
#include "targets/gpu/kernels/Conv.h"
#include "targets/gpu/kernels/Delta.h"
#include "targets/gpu/kernels/MixerRows.h"

namespace quartet::gpu {

/// Both forms derive from it; a group of tokens is prepared together.
struct DeltaParts {
  DeviceBuilder &k;
  const DeltaShape &shape;
  DeltaArgs args;
  int64_t group; ///< tokens of a group at most
  DeltaRow row;
  Conv conv;
  V rows;        ///< shared: [group] of \p row
  V decay, beta; ///< shared: [group][perKey]: decay or its log, strength
  V firstRow;    ///< of the part, counted through the value heads
  V firstHead;   ///< value head 0 of the key head

  bool logs; ///< decay holds logs; groups are chunks

  /// Takes shared memory.
  DeltaParts(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
             int64_t group, const DeltaRow &row, bool logs);

  V queryOf(V token) { return rows + token * row.bytes; }
  V keyOf(V token) { return queryOf(token) + row.key; }
  V valuesOf(V token) { return queryOf(token) + row.value; }
  /// Where row \p row of the part's state begins.
  V stateRow(V row) {
    return args.state +
           ((firstHead * shape.valueDim + firstRow) + row) * (shape.keyDim * 4);
  }
  /// The value head within the key head that \p row of the part belongs to.
  V headOf(V row) { return (firstRow + row) / shape.valueDim; }
  /// Row \p row's element of \p token's output.
  V outOf(V token, V row) {
    return args.out + token * args.outStride +
           ((firstHead * shape.valueDim + firstRow) + row) * 4;
  }

  /// Convolution and gates of tokens [first, first + count). Meets before and
  /// after it writes.
  void convolve(V first, V count);
  void gates(V first, V count); ///< its part
};

} // namespace quartet::gpu
#endif

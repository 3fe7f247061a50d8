// What the forms of the gated delta rule share: gates, and where the rows of a
// part are.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTAPARTS_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTAPARTS_H
#include "targets/gpu/kernels/Delta.h"
#include "targets/gpu/kernels/MixerRows.h"

namespace quartet::gpu {

/// Of a token and value head.
struct DeltaGate {
  V logDecay, strength;
};
/// \p head: among all value heads.
DeltaGate deltaGate(DeviceBuilder &k, const DeltaArgs &args, V token, V head);

struct DeltaParts {
  DeviceBuilder &k;
  const DeltaShape &shape;
  DeltaArgs args;
  V firstRow;  ///< of the part, counted through the value heads
  V firstHead; ///< value head 0 of the key head

  DeltaParts(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args);

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
};

} // namespace quartet::gpu
#endif

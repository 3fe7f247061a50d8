// What of a chunk does not depend on the state: the vectors, their products,
// and the inverse of the triangular system. DeltaChunked.cpp has the formulas.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTAPREPARE_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTAPREPARE_H
#include "targets/gpu/kernels/ConvChunk.h"
#include "targets/gpu/kernels/DeltaParts.h"
#include "targets/gpu/kernels/DeltaProducts.h"

namespace quartet::gpu {

/// How much is in shared memory at once.
struct PrepareSizes {
  tile::PreparedRow row;
  int64_t vectors;  ///< bytes of a token's q and k
  int64_t rawRow;   ///< of a token's products with keys, f32
  int64_t together; ///< value heads whose systems are inverted at once

  PrepareSizes(const DeltaShape &shape, int64_t together);
  int64_t bytes(const DeltaShape &shape) const;
  /// As many heads as fit; what is prepared does not depend on it.
  static PrepareSizes of(const DeviceBuilder &k, const DeltaShape &shape);
};

struct DeltaPrepare {
  DeviceBuilder &k;
  const DeltaShape &shape;
  DeltaArgs args;
  V first, count; ///< of the chunk
  V zero;         ///< see DeltaProducts::hidePlaces
  PrepareSizes at;
  DeltaProducts products;
  ConvChunk conv;
  V prepared; ///< rows of the chunk's first token
  V vectors;  ///< shared: [chunk] q and k, f32 and then split, in place
  V raw;      ///< shared: [2 chunk][chunk]: k_i . k_j, then q_i . k_j
  V lower;    ///< shared: [together][i][-beta_i E_ij k_i.k_j], rows as of raw
  V inverse;  ///< shared: [together] T, rows as of raw, in the place of vectors
  /// Shared, [perKey][chunk]: logs of decays, strengths, sums of the logs, what
  /// the sums lack.
  V decay, beta, logs, rests;

  DeltaPrepare(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
               V first, V count);
  void emit();

private:
  mlir::Type four() { return k.vec(4, k.f32()); }
  V thread() { return k.thread() + zero; }
  V lane() { return k.lane() + zero; }
  V scalar(V from, V index) { return k.load(k.f32(), from, index * 4); }
  V inHead(V head, V token) { return head * kDeltaChunk + token; }
  V rowOf(V token) { return prepared + token * args.preparedStride; }

  void gates();
  void sumLogs();
  V exponent(V head, V later, V earlier);
  // DeltaVectors.cpp
  void splitVectors();
  void dots();
  // DeltaSolve.cpp
  void makeTriangles(V head, V place);
  void invert(V firstHead, int64_t heads);
  void storeInverse(V firstHead, int64_t heads);
};

} // namespace quartet::gpu
#endif

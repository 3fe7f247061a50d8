// What the two forms of the gated delta rule share: their arguments, the
// scaling of q and k to unit length, and the gates.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DELTA_H
#define QUARTET_TARGETS_CPU_KERNELS_DELTA_H
#include "targets/cpu/kernels/Lanes.h"

namespace quartet::cpu {

/// Letters of the arguments below, for KernelBuilder::function.
constexpr llvm::StringLiteral kDeltaArguments = "pipipipipippfpiipi";

/// Arguments of both delta kernels, in this order: one key head of one
/// sequence and the \p heads value heads that it serves. All f32; strides in
/// bytes between tokens.
struct DeltaArguments {
  V q, qStride;     ///< [tokens][keyDim]
  V key, keyStride; ///< [tokens][keyDim]
  V v, vStride;     ///< [tokens][heads, valueDim]
  V a, aStride;     ///< [tokens][heads]
  V b, bStride;     ///< [tokens][heads]
  V aLog, dtBias;   ///< [heads]
  V qkEps;          ///< f32
  V state;          ///< [heads, valueDim, keyDim], updated in place
  V heads, tokens;  ///< i64
  V out, outStride; ///< [tokens][heads, valueDim]

  explicit DeltaArguments(llvm::ArrayRef<V> a)
      : q(a[0]), qStride(a[1]), key(a[2]), keyStride(a[3]), v(a[4]),
        vStride(a[5]), a(a[6]), aStride(a[7]), b(a[8]), bStride(a[9]),
        aLog(a[10]), dtBias(a[11]), qkEps(a[12]), state(a[13]), heads(a[14]),
        tokens(a[15]), out(a[16]), outStride(a[17]) {}
};

/// Writes row[0 .. count) * scale / sqrt(sum of squares + eps) to \p to, padded
/// with zeros to full vectors; returns the vectors written.
llvm::SmallVector<V> storeUnit(KernelBuilder &k, V row, V eps, int64_t count,
                               double scale, V to);

/// log of the decay, -exp(aLog) * softplus(a + dtBias), but not below -110,
/// where the decay is zero in f32 anyway: differences of sums stay finite.
V logDecay(KernelBuilder &k, V a, V aLog, V dtBias);

} // namespace quartet::cpu
#endif

// The gated delta rule token by token, for steps of few tokens.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DELTARECURRENT_H
#define QUARTET_TARGETS_CPU_KERNELS_DELTARECURRENT_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void deltaRecurrent(q, qStride, k, kStride, v, vStride, a, aStride, b,
///                     bStride, aLog, dtBias, qkEps, state, heads, tokens, out,
///                     outStride)        (DeltaArguments in Delta.h)
/// quartet.gated_delta for the tokens of one sequence, one key head and its
/// value heads. The state is read and written once per 16 tokens. Running the
/// tokens in several calls gives the same bits.
mlir::func::FuncOp deltaRecurrentKernel(KernelBuilder &k, int64_t keyDim,
                                        int64_t valueDim);

} // namespace quartet::cpu
#endif

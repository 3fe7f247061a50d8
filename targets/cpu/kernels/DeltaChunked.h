// The gated delta rule in chunks of tokens, for steps of many tokens.
#ifndef QUARTET_TARGETS_CPU_KERNELS_DELTACHUNKED_H
#define QUARTET_TARGETS_CPU_KERNELS_DELTACHUNKED_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// Tokens of a chunk unless a caller asks for another number. Half of 64 has
/// less work in the triangles: 530 against 592 ns per token and value head of
/// 128 x 128 on a Zen 5 core.
constexpr int64_t kDeltaChunk = 32;

/// Bytes of the workspace for \p heads value heads.
int64_t deltaChunkedWorkspace(int64_t keyDim, int64_t valueDim, int64_t heads,
                              int64_t chunk = kDeltaChunk);

/// void deltaChunked(..., workspace): the arguments of deltaRecurrent and a
/// 64-byte aligned workspace. The same results up to rounding (1e-5 relative).
/// Chunks count from the call's first token. \p chunk is a multiple of 32.
mlir::func::FuncOp deltaChunkedKernel(KernelBuilder &k, int64_t keyDim,
                                      int64_t valueDim,
                                      int64_t chunk = kDeltaChunk);

} // namespace quartet::cpu
#endif

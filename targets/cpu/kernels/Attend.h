// Attention of a few query tokens over a range of KV pages: a partial result
// that Merge.h joins with those of the other ranges.
#ifndef QUARTET_TARGETS_CPU_KERNELS_ATTEND_H
#define QUARTET_TARGETS_CPU_KERNELS_ATTEND_H
#include "dialects/Quartet/KvPage.h"
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

using quartet::kPageTokens;
using quartet::kScaleBytes;

/// Bytes of a partial record: f32 [width] sums of p * value, not normalised,
/// then the largest score and the sum of p; rounded up to 64 bytes.
int64_t attendRecordBytes(int64_t width);
/// Bytes of attend's workspace for up to \p tokens tokens of a call.
int64_t attendWorkspace(int64_t width, int64_t headsPerKv, int64_t tokens);

/// void attend(q, qTokenStride, qHeadStride, keys, values, pageStride, pages,
///             page0, page1, place, tokens, scale, records,
///             recordTokenStride, recordHeadStride, workspace)
/// For one KV head, the \p headsPerKv query heads that share it, and \p tokens
/// consecutive tokens of one sequence, the first at \p place: the partial
/// records over the places of pages [page0, page1) of the sequence, up to each
/// token's own place. q f32 [token][head][width]; page p of the sequence has
/// its rows [64][width] of \p cacheType at keys + pages[p] * pageStride and
/// values + pages[p] * pageStride, of i8 with the rows' scales behind them
/// (KvPage.h); pages i32; strides in bytes. A token with
/// no place in the range gets largest = -3e38 and zeros. workspace and records
/// are 64-byte aligned. A token's bits do not depend on the others of the call.
mlir::func::FuncOp attendKernel(KernelBuilder &k, int64_t width,
                                int64_t headsPerKv, mlir::Type cacheType);

} // namespace quartet::cpu
#endif

// Attention of a run of tokens over a range of KV pages: partial results that
// Merge.h joins with those of the other ranges.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ATTEND_H
#define QUARTET_TARGETS_GPU_KERNELS_ATTEND_H
#include "dialects/Quartet/KvPage.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

/// The largest score where there is none: below every score, far enough from
/// the end of the range that differences are finite.
constexpr double kNoScore = -3.0e38;

/// Bytes of a partial record: f32 [width] sums of p * value, not normalised,
/// then the largest score and the sum of p; rounded up to 64 bytes.
int64_t attendRecordBytes(int64_t width);

/// Pointers are global; strides in bytes.
struct AttendArgs {
  V q;                         ///< f32 [token][head][width]
  V qTokenStride, qHeadStride; ///< multiples of 4
  /// Page p of the sequence has its rows [64][width] at keys (values) +
  /// pages[p] * pageStride, of i8 with the rows' scales behind them (KvPage.h).
  /// keys, values and pageStride are aligned as rows of the cache are, up to 16
  /// bytes.
  V keys, values, pageStride;
  V pages;        ///< i32
  V page0, page1; ///< the range: pages [page0, page1) of the sequence
  V place;        ///< of the first token in its sequence
  V tokens;       ///< consecutive tokens of one sequence, 1 or more
  V scale;        ///< f32, of scores
  V records, recordTokenStride, recordHeadStride;
};

/// For one KV head and the \p headsPerKv query heads that share it: the partial
/// records of each token over the places of the range up to the token's own. A
/// token with no place in the range gets largest = kNoScore and zeros. The
/// whole block comes with the same values. A token's bits depend on its own
/// query and on the range alone. \p many: calls are parts of prompts, so that
/// rows of several tokens are worth matrix instructions. \p mostTokens: no call
/// has more.
void attend(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
            mlir::Type cacheType, bool many, int64_t mostTokens,
            const AttendArgs &args);

} // namespace quartet::gpu
#endif

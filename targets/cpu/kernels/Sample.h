// Drawing a token from one row of logits.
#ifndef QUARTET_TARGETS_CPU_KERNELS_SAMPLE_H
#define QUARTET_TARGETS_CPU_KERNELS_SAMPLE_H
#include "targets/cpu/KernelBuilder.h"

namespace quartet::cpu {

/// void(ptr logits f32, ptr maxima f32, i64 limit, i64 tile, i64 topK,
///      ptr options f32[4], ptr out i32)
/// quartet.sample for one row: options are temperature, top_p, min_p and
/// uniform. maxima[i] is the largest logit of [i * tile, (i + 1) * tile) below
/// limit, so only tiles that can hold one of the K largest are read.
/// 1 <= topK <= \p candidates.
mlir::func::FuncOp sampleKernel(KernelBuilder &k, int64_t candidates);

} // namespace quartet::cpu
#endif

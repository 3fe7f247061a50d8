// Draws one token from a row of logits, by one block.
#ifndef QUARTET_TARGETS_GPU_KERNELS_SAMPLE_H
#define QUARTET_TARGETS_GPU_KERNELS_SAMPLE_H
#include "targets/codegen/Draw.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

struct SampleArgs {
  V logits; ///< f32 of the row
  V maxima; ///< f32, the largest logit below limit of each tile
  int64_t limit, tile, candidates;
  V topK; ///< i64, 1..candidates
  DrawOptions options;
  V out; ///< where the id (i32) goes
};

/// quartet.sample. Meets.
void sample(DeviceBuilder &k, const SampleArgs &args);

} // namespace quartet::gpu
#endif

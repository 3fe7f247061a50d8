// The pass gpu-widen-tasks: tasks of more tokens, where a chip reads so much
// less that fewer of them pay.
#ifndef QUARTET_TARGETS_GPU_WIDENTASKS_H
#define QUARTET_TARGETS_GPU_WIDENTASKS_H
#include "mlir/Pass/Pass.h"
#include "targets/gpu/GpuFacts.h"
#include <memory>

namespace quartet::gpu {

/// The schedule, in front of tile-to-gpu, is the same for all GPUs: tasks of
/// products of many tokens have 64. This makes it 128 where wideTaskTokens
/// allows that, the results have room, and the phase then reads less.
std::unique_ptr<mlir::Pass> createWidenTasks(GpuFacts facts);

/// As -gpu-widen-tasks="chip=sm_90a".
void registerWidenTasks();

} // namespace quartet::gpu
#endif

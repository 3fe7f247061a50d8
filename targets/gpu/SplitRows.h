// The pass gpu-split-rows: staged rows of floats, written as the bf16 that
// products want.
#ifndef QUARTET_TARGETS_GPU_SPLITROWS_H
#define QUARTET_TARGETS_GPU_SPLITROWS_H
#include "mlir/Pass/Pass.h"
#include "targets/gpu/GpuFacts.h"
#include <memory>

namespace quartet::gpu {

/// In steps of many tokens, gives `parts` to the buffers of staged rows of
/// floats that wide products alone read, where warp groups bring rows to shared
/// memory (NVIDIA): they become bf16 once, where they are written, instead of
/// in each task that multiplies with them.
std::unique_ptr<mlir::Pass> createSplitRows(GpuFacts facts);

/// As -gpu-split-rows="chip=sm_90a".
void registerSplitRows();

} // namespace quartet::gpu
#endif

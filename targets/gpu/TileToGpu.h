// The pass tile-to-gpu: the schedule of each step becomes kernels of a GPU.
#ifndef QUARTET_TARGETS_GPU_TILETOGPU_H
#define QUARTET_TARGETS_GPU_TILETOGPU_H
#include "mlir/Pass/Pass.h"
#include "targets/gpu/GpuFacts.h"
#include <memory>

namespace quartet::gpu {

struct TileToGpuOptions {
  GpuFacts facts;
  std::string target; ///< name in the program table
  LaunchMode launch = LaunchMode::Graph;
};

std::unique_ptr<mlir::Pass> createTileToGpu(TileToGpuOptions options);

/// As -tile-to-gpu="chip=sm_90a launch=graph".
void registerTileToGpu();

} // namespace quartet::gpu
#endif

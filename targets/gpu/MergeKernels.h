// The pass merge-kernels: layers of a block that do the same share their
// kernels, so that compile time and code do not grow with the block.
#ifndef QUARTET_TARGETS_GPU_MERGEKERNELS_H
#define QUARTET_TARGETS_GPU_MERGEKERNELS_H
#include "mlir/Pass/Pass.h"
#include <memory>

namespace quartet::gpu {

/// On a module behind tile-to-gpu. Kernels of one step that differ only in
/// offsets of addresses (which weight, which state) become one: the upper 32
/// bits of its second argument say which of them it is, the lower ones stay the
/// repetition of the layers. The launches of the program follow. So do
/// the phases that a kernel calls, and its calls.
std::unique_ptr<mlir::Pass> createMergeKernels();

/// Makes -merge-kernels known to quartet-opt.
void registerMergeKernels();

} // namespace quartet::gpu
#endif

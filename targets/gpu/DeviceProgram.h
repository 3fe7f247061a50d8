// The program table of a module of kernels, as an attribute of the module, so
// that the stages behind tile-to-gpu know what is launched, also when the IR
// was written out and read again.
#ifndef QUARTET_TARGETS_GPU_DEVICEPROGRAM_H
#define QUARTET_TARGETS_GPU_DEVICEPROGRAM_H
#include "passes/Lower/ProgramTable.h"
#include "targets/gpu/GpuFacts.h"
#include "llvm/Support/Error.h"

namespace quartet::gpu {

/// Leaves \p program (its buckets and their launches, and all of the device but
/// its images) on \p module.
void setProgram(mlir::ModuleOp module, const Program &program);

/// What setProgram left; an error when there is nothing or it is damaged.
llvm::Expected<Program> programOf(mlir::ModuleOp module);

/// Takes it away.
void clearProgram(mlir::ModuleOp module);

} // namespace quartet::gpu
#endif

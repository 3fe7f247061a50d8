// AMD: object code by LLVM, linked to a code object.
#ifndef QUARTET_TARGETS_AMD_AMDTARGET_H
#define QUARTET_TARGETS_AMD_AMDTARGET_H
#include "targets/gpu/DeviceTarget.h"

namespace quartet::gpu {

class AmdTarget : public DeviceTarget {
public:
  AmdTarget(GpuFacts facts, std::unique_ptr<llvm::TargetMachine> machine);
  llvm::Expected<DeviceImages> emitImages(mlir::ModuleOp module) override;
};

} // namespace quartet::gpu
#endif

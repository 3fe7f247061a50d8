// NVIDIA: PTX by LLVM, and machine code by ptxas where there is one.
#ifndef QUARTET_TARGETS_NVIDIA_NVIDIATARGET_H
#define QUARTET_TARGETS_NVIDIA_NVIDIATARGET_H
#include "targets/gpu/DeviceTarget.h"

namespace quartet::gpu {

class NvidiaTarget : public DeviceTarget {
public:
  NvidiaTarget(GpuFacts facts, std::unique_ptr<llvm::TargetMachine> machine,
               DeviceOptions options);
  llvm::Expected<DeviceImages> emitImages(mlir::ModuleOp module) override;

private:
  DeviceOptions options;
};

} // namespace quartet::gpu
#endif

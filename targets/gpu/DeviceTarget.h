// From kernels in the LLVM dialect of a vendor to what its driver loads.
#ifndef QUARTET_TARGETS_GPU_DEVICETARGET_H
#define QUARTET_TARGETS_GPU_DEVICETARGET_H
#include "passes/Lower/ProgramTable.h"
#include "targets/gpu/KernelReport.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class TargetMachine;
}
namespace mlir {
class OpPassManager;
}

namespace quartet::gpu {

struct DeviceOptions {
  /// NVIDIA's assembler; empty: that of $PATH, or of CUDA's usual folder. When
  /// there is none, or this is "none", the image is PTX.
  std::string ptxas;
  bool withPtx = false; ///< PTX behind the cubin, for the driver to compile
};

struct DeviceImages {
  std::vector<ProgramDevice::Image> images; ///< the preferred one first
  /// One for each kernel; none where only the driver will know (PTX alone).
  std::vector<KernelReport> kernels;
};

/// Modules have gone through buildPipeline.
class DeviceTarget {
public:
  virtual ~DeviceTarget();

  const GpuFacts &facts() const { return chip; }
  /// Passes from kernels as tile-to-gpu leaves them to what the rest takes.
  void buildPipeline(mlir::OpPassManager &pm) const;

  /// LLVM IR as text after optimisation.
  llvm::Expected<std::string> emitLlvm(mlir::ModuleOp module);
  /// PTX, or AMD's assembly.
  llvm::Expected<std::string> emitAssembly(mlir::ModuleOp module);
  /// An error shows what the vendor's assembler or the linker said.
  virtual llvm::Expected<DeviceImages> emitImages(mlir::ModuleOp module) = 0;

protected:
  DeviceTarget(GpuFacts facts, std::unique_ptr<llvm::TargetMachine> machine);
  /// An object file.
  llvm::Expected<std::string> emitObject(mlir::ModuleOp module);
  /// The reports in the order of \p module, with what its kernels ask for at
  /// their launch.
  static std::vector<KernelReport> complete(mlir::ModuleOp module,
                                            std::vector<KernelReport> reports);

  GpuFacts chip;

private:
  std::unique_ptr<llvm::TargetMachine> machine;
};

/// The target for \p facts. An error when LLVM has no such chip.
llvm::Expected<std::unique_ptr<DeviceTarget>>
createDeviceTarget(GpuFacts facts, DeviceOptions options = {});

} // namespace quartet::gpu
#endif

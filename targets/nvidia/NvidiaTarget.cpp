// A cubin starts at once and its needs are known here; PTX is for machines
// where the compiler runs without ptxas.
#include "targets/nvidia/NvidiaTarget.h"
#include "quartet/abi.h"
#include "targets/nvidia/Ptxas.h"
#include "llvm/Target/TargetMachine.h"

using namespace quartet;
using namespace quartet::gpu;

NvidiaTarget::NvidiaTarget(GpuFacts facts,
                           std::unique_ptr<llvm::TargetMachine> machine,
                           DeviceOptions options)
    : DeviceTarget(std::move(facts), std::move(machine)),
      options(std::move(options)) {}

llvm::Expected<DeviceImages> NvidiaTarget::emitImages(mlir::ModuleOp module) {
  auto ptxas = findPtxas(options.ptxas);
  if (!ptxas)
    return ptxas.takeError();
  auto ptx = emitAssembly(module);
  if (!ptx)
    return ptx.takeError();
  DeviceImages images;
  if (!ptxas->empty()) {
    auto assembled = runPtxas(*ptxas, *ptx, chip.name);
    if (!assembled)
      return assembled.takeError();
    images.images.push_back({QUARTET_IMAGE_CUBIN, std::move(assembled->cubin)});
    images.kernels = complete(module, std::move(assembled->kernels));
  }
  if (ptxas->empty() || options.withPtx)
    images.images.push_back({QUARTET_IMAGE_PTX, std::move(*ptx)});
  return images;
}

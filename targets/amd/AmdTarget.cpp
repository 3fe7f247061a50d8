// The loader takes shared objects, so the one object is linked as one.
#include "targets/amd/AmdTarget.h"
#include "quartet/abi.h"
#include "targets/amd/CodeObject.h"
#include "targets/llvm/Linker.h"
#include "targets/llvm/TemporaryFiles.h"
#include "llvm/Target/TargetMachine.h"

using namespace quartet;
using namespace quartet::gpu;

AmdTarget::AmdTarget(GpuFacts facts,
                     std::unique_ptr<llvm::TargetMachine> machine)
    : DeviceTarget(std::move(facts), std::move(machine)) {}

static llvm::Expected<std::string> link(llvm::StringRef chip,
                                        llvm::StringRef object) {
  TemporaryFiles files;
  auto input = files.create(chip, "o", object);
  if (!input)
    return input.takeError();
  auto output = files.create(chip, "hsaco");
  if (!output)
    return output.takeError();
  if (llvm::Error error =
          runLinker({"-m", "elf64_amdgpu", "-shared", "--no-undefined",
                     "--build-id=none", "-o", *output, *input}))
    return llvm::createStringError("linking the kernels for " + chip +
                                   " failed:\n" +
                                   llvm::toString(std::move(error)));
  return readWhole(*output);
}

llvm::Expected<DeviceImages> AmdTarget::emitImages(mlir::ModuleOp module) {
  auto object = emitObject(module);
  if (!object)
    return object.takeError();
  auto linked = link(chip.name, *object);
  if (!linked)
    return linked.takeError();
  auto kernels = readCodeObject(*linked);
  if (!kernels)
    return llvm::createStringError(
        "the code object for " + chip.name +
        " cannot be read: " + llvm::toString(kernels.takeError()));
  DeviceImages images;
  images.images.push_back({QUARTET_IMAGE_HSACO, std::move(*linked)});
  images.kernels = complete(module, std::move(*kernels));
  return images;
}

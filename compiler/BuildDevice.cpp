// The stages of a build that only GPUs have: kernels, then the vendor's code in
// the tables of a host object, or functions of the host for the emulator.
#include "compiler/Build.h"
#include "compiler/Pipelines.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Passes.h"
#include "quartet/abi.h"
#include "targets/gpu/DeviceProgram.h"
#include "targets/gpu/DeviceTarget.h"
#include "targets/gpu/GpuToEmulator.h"
#include "targets/gpu/MergeKernels.h"
#include "targets/gpu/SplitRows.h"
#include "targets/gpu/TileToGpu.h"
#include "targets/gpu/WidenTasks.h"

using namespace quartet;
using llvm::StringRef;

/// The module, which is scheduled, becomes a host module with the program.
llvm::Error Build::lowerToDevice(BuildTarget &target) {
  stages.note("lowering to kernels of " + target.gpu->name);
  gpu::TileToGpuOptions options;
  options.facts = *target.gpu;
  if (command.activationParts)
    options.facts.activationParts = *command.activationParts;
  options.target = target.name;
  options.launch = command.launch.value_or(target.gpu->fasterLaunch());
  if (llvm::Error error =
          runPipeline(*module, "kernels", [&](mlir::OpPassManager &pm) {
            pm.addPass(gpu::createWidenTasks(options.facts));
            pm.addPass(gpu::createSplitRows(options.facts));
            pm.addPass(createTilePlanMemory());
            pm.addPass(createTileVerifySchedule());
            pm.addPass(gpu::createTileToGpu(options));
            pm.addPass(gpu::createMergeKernels());
          }))
    return error;
  if (llvm::Error error = dumpModule(stageName("4-kernels", target, ".mlir")))
    return error;
  if (command.emit == Emit::Kernels)
    return llvm::Error::success();
  auto program = gpu::programOf(*module);
  if (!program)
    return program.takeError();
  return target.emulated ? lowerToEmulator(target, std::move(*program))
                         : makeImages(target, std::move(*program));
}

llvm::Error Build::lowerToEmulator(BuildTarget &target, Program program) {
  stages.note("lowering to calls of the emulator");
  if (llvm::Error error =
          runPipeline(*module, "the emulator", gpu::addEmulatorPasses))
    return error;
  gpu::clearProgram(*module);
  // Several programs of one executable may have kernels of the same name.
  for (auto function : module->getOps<mlir::LLVM::LLVMFuncOp>())
    if (!function.isExternal())
      function.setLinkage(mlir::LLVM::Linkage::Internal);
  program.device->kind = QUARTET_DEVICE_EMULATOR;
  program.device->clockHertz = 1000000000; // quartet_emu_clock
  for (auto *buckets : {&program.buckets, &program.mtpBuckets})
    for (ProgramBucket &bucket : *buckets)
      for (ProgramLaunch &launch : bucket.launches)
        launch.host = true;
  if (program.device->fill)
    program.device->fill->host = true;
  for (ProgramLaunch &launch : program.device->peaks)
    launch.host = true;
  emitProgramTable(*module, {program});
  return dumpModule(stageName("5-emulator", target, ".mlir"));
}

/// Says what the kernels take, if asked, and what is wrong with it, always.
static void report(const gpu::GpuFacts &facts,
                   llvm::ArrayRef<gpu::KernelReport> kernels, bool all) {
  if (all) {
    llvm::outs() << facts.name << ":\n";
    gpu::printKernels(facts, kernels, llvm::outs());
    llvm::outs().flush();
  }
  for (const std::string &warning : gpu::kernelWarnings(facts, kernels))
    llvm::errs() << "quartetc: warning: " << facts.name << ": " << warning
                 << "\n";
}

llvm::Error Build::makeImages(BuildTarget &target, Program program) {
  stages.note("compiling for " + target.name);
  gpu::DeviceOptions options;
  options.withPtx = command.withPtx;
  auto device = gpu::createDeviceTarget(*target.gpu, options);
  if (!device)
    return device.takeError();
  if (llvm::Error error = runPipeline(
          *module, "code of " + target.name,
          [&](mlir::OpPassManager &pm) { (*device)->buildPipeline(pm); }))
    return error;
  if (llvm::Error error = dumpModule(stageName("5-device", target, ".mlir")))
    return error;
  if (command.emit == Emit::Isa || !command.dumpStages.empty()) {
    auto assembly = (*device)->emitAssembly(*module);
    if (!assembly)
      return assembly.takeError();
    isa = std::move(*assembly);
    StringRef extension =
        target.gpu->vendor == gpu::Vendor::Nvidia ? ".ptx" : ".s";
    if (llvm::Error error =
            dump(target.tag() + extension.str(),
                 [&](llvm::raw_ostream &stream) { stream << isa; }))
      return error;
  }
  if (command.emit == Emit::Isa)
    return llvm::Error::success();
  auto images = (*device)->emitImages(*module);
  if (!images)
    return images.takeError();
  report(*target.gpu, images->kernels, command.report);
  program.device->images = std::move(images->images);
  module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  emitProgramTable(*module, {program});
  return llvm::Error::success();
}

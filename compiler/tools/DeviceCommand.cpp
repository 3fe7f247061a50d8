// A report needs no model: this is how one looks at a kernel alone.
#include "compiler/tools/DeviceCommand.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "mlir/Parser/Parser.h"
#include "targets/Chips.h"
#include "targets/gpu/VendorPasses.h"

using namespace quartet;

void quartet::addDevice(CLI::App &app, DeviceCommand &command) {
  auto *device = app.add_subcommand(
      "device", "Compile kernels (MLIR) to the code of one GPU");
  device->group("");
  device->add_option("FILE", command.input, "Kernels as tile-to-gpu makes them")
      ->required();
  device
      ->add_option("--target", command.target,
                   "GPU; 'quartetc targets' lists them")
      ->required();
  device
      ->add_option("--emit", command.emit,
                   "llvm: LLVM IR; isa: PTX or assembly; image: cubin, PTX or "
                   "code object; report: what each kernel takes")
      ->check(CLI::IsMember({"llvm", "isa", "image", "report"}))
      ->capture_default_str();
  device->add_option("-o,--output", command.output, "File to write")
      ->capture_default_str();
  device->add_option("--ptxas", command.options.ptxas,
                     "NVIDIA's assembler or none (default: that of $PATH, "
                     "or of /usr/local/cuda/bin)");
}

static llvm::Expected<std::string> make(const DeviceCommand &command,
                                        gpu::DeviceTarget &target,
                                        mlir::ModuleOp module) {
  if (command.emit == "llvm")
    return target.emitLlvm(module);
  if (command.emit == "isa")
    return target.emitAssembly(module);
  auto images = target.emitImages(module);
  if (!images)
    return images.takeError();
  for (const std::string &warning :
       gpu::kernelWarnings(target.facts(), images->kernels))
    llvm::errs() << "quartetc: warning: " << warning << "\n";
  if (command.emit == "image")
    return images->images.front().data;
  std::string text;
  llvm::raw_string_ostream stream(text);
  gpu::printKernels(target.facts(), images->kernels, stream);
  return text;
}

llvm::Error quartet::runDevice(const DeviceCommand &command) {
  auto facts = findGpuFacts(command.target);
  if (!facts)
    return facts.takeError();
  auto target = gpu::createDeviceTarget(*facts, command.options);
  if (!target)
    return target.takeError();
  mlir::DialectRegistry registry;
  registerDialects(registry);
  gpu::registerDeviceDialects(registry);
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(command.input, &context);
  if (!module)
    return llvm::createStringError("'" + command.input +
                                   "' is not MLIR (see above)");
  if (llvm::Error error =
          runPipeline(*module, command.target, [&](mlir::OpPassManager &pm) {
            (*target)->buildPipeline(pm);
          }))
    return error;
  auto made = make(command, **target, *module);
  if (!made)
    return made.takeError();
  return writeOutput(command.output, *made);
}

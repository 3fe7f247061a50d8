// The stages of a build in order, with progress on standard error.
#include "compiler/Driver.h"
#include "compiler/Build.h"
#include "compiler/Link.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "llvm/Support/FileSystem.h"

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

/// Code reaches constants within 2 GiB of itself; this leaves room for the
/// rest.
static constexpr uint64_t kMaxEmbeddedBytes = 1500000000;

/// Before the work: what would fail at its end.
llvm::Error Build::checkOutputs() {
  output = command.output.empty() ? config.name : command.output;
  std::vector<std::string> inputs = input->files();
  for (Executable &executable : executables) {
    executable.path = output;
    if (executables.size() > 1 && command.emit == Emit::Executable)
      executable.path += "." + targets[executable.targets.front()].tag();
    if (llvm::Error error = checkOutput(executable.path, inputs))
      return error;
  }
  if (command.emit != Emit::Executable)
    return llvm::Error::success();
  if (output == "-")
    return llvm::createStringError(
        "an executable cannot go to standard output; "
        "choose a file with -o, or --emit another stage");
  if (command.embedWeights || command.withoutWeights)
    return llvm::Error::success();
  return checkOutput(output + ".safetensors", inputs);
}

llvm::Error Build::run() {
  if (command.embedWeights && command.withoutWeights)
    return llvm::createStringError(
        "--embed-weights and --no-weights contradict each other");
  if (llvm::Error error = chooseTargets())
    return error;
  if (llvm::Error error = chooseLowering())
    return error;
  if (command.emit == Emit::Executable) {
    bool emulator = llvm::any_of(
        targets, [](const BuildTarget &target) { return target.emulated; });
    auto found = findRuntimeKit(machine(), emulator);
    if (!found)
      return found.takeError();
    kit = *found;
  }
  mlir::DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();

  if (llvm::Error error = readModel())
    return error;
  if (llvm::Error error = checkOutputs())
    return error;
  if (llvm::Error error = readTexts())
    return error;
  if (llvm::Error error = buildIr())
    return error;
  if (command.emit == Emit::Quartet)
    return emitModule(".quartet.mlir");
  if (llvm::Error error = formPhases())
    return error;
  if (command.emit == Emit::Phases)
    return emitModule(".phases.mlir");
  if (command.embedWeights && layout.dataBytes > kMaxEmbeddedBytes)
    return llvm::createStringError(
        "--embed-weights: the weights have " + llvm::Twine(layout.dataBytes) +
        " bytes, an executable holds up to " + llvm::Twine(kMaxEmbeddedBytes) +
        "; leave them in their own file");
  if (llvm::Error error = lower())
    return error;
  switch (command.emit) {
  case Emit::Tile:
    return emitModule(".tile.mlir");
  case Emit::Linalg:
    return emitModule(".linalg.mlir");
  case Emit::Llvm:
    return emitText(optimizedIr, ".ll");
  case Emit::Object:
    return emitText(targets.front().object, ".o");
  case Emit::Kernels:
    return emitModule(".kernels.mlir");
  case Emit::Isa:
    return emitText(isa, targets.front().gpu->vendor == gpu::Vendor::Nvidia
                             ? ".ptx"
                             : ".s");
  default:
    break;
  }
  llvm::Error error = pack();
  for (const Executable &executable : executables)
    if (!error)
      error = link(executable);
  if (!error)
    error = finish();
  if (error && !weightsPath.empty())
    fs::remove(weightsPath);
  return error;
}

llvm::Error quartet::build(const BuildCommand &command) {
  return Build(command).run();
}

// The stages of a build in order, with progress on standard error.
#include "compiler/Driver.h"
#include "compiler/Build.h"
#include "compiler/Link.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "targets/cpu/Isa.h"
#include "llvm/Support/FileSystem.h"

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

/// Code reaches constants within 2 GiB of itself; this leaves room for the
/// rest.
static constexpr uint64_t kMaxEmbeddedBytes = 1500000000;

llvm::Error Build::chooseLowering() {
  const Capabilities &facts = target->capabilities();
  auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
  if (!isa)
    return isa.takeError();
  stepProgram = command.lowering == Lowering::Step ||
                (command.lowering == Lowering::Auto && isa->fusedMultiplyAdd);
  if (command.emit == Emit::Linalg)
    stepProgram = false; // the one stage that only the generic lowering has
  if (!stepProgram && (command.emit == Emit::Phases ||
                       command.emit == Emit::Tile || !command.buckets.empty()))
    return llvm::createStringError(
        "--emit phases, --emit tile and --buckets belong to the step program; "
        "add --lowering step");
  return llvm::Error::success();
}

/// Before the work: what would fail at its end.
llvm::Error Build::checkOutputs() {
  output = command.output.empty() ? config.name : command.output;
  std::vector<std::string> inputs = input->files();
  if (llvm::Error error = checkOutput(output, inputs))
    return error;
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
  auto created = createTarget(command.target, command.cpu);
  if (!created)
    return created.takeError();
  target = std::move(*created);
  if (llvm::Error error = chooseLowering())
    return error;
  if (command.emit == Emit::Executable) {
    auto found = findRuntimeKit(target->capabilities());
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
    return emitText(object, ".o");
  default:
    break;
  }
  llvm::Error error = pack();
  if (!error)
    error = link();
  if (error && !weightsPath.empty())
    fs::remove(weightsPath);
  return error;
}

llvm::Error quartet::build(const BuildCommand &command) {
  return Build(command).run();
}

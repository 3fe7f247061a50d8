// The stages of a build that make code, and the text of each stage for those
// who ask for it.
#include "compiler/Build.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "compiler/plan/StepPlan.h"
#include "passes/Lower/ProgramTable.h"
#include "targets/cpu/Features.h"
#include "llvm/Support/FileSystem.h"

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

llvm::Error Build::dump(StringRef fileName,
                        llvm::function_ref<void(llvm::raw_ostream &)> print) {
  if (command.dumpStages.empty())
    return llvm::Error::success();
  if (std::error_code ec = fs::create_directories(command.dumpStages))
    return llvm::createStringError(ec, "cannot create '" + command.dumpStages +
                                           "': " + ec.message());
  std::string text;
  llvm::raw_string_ostream stream(text);
  print(stream);
  return writeOutput(command.dumpStages + "/" + fileName.str(), text);
}

llvm::Error Build::dumpModule(StringRef fileName) {
  return dump(fileName, [&](llvm::raw_ostream &stream) {
    module->print(stream);
    stream << "\n";
  });
}

llvm::Error Build::emitText(StringRef text, StringRef suffix) {
  std::string name = output;
  if (command.output.empty())
    name += suffix;
  if (llvm::Error error = writeOutput(name, text))
    return error;
  if (name != "-")
    stages.note("wrote " + name);
  return llvm::Error::success();
}

llvm::Error Build::emitModule(StringRef suffix) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  stream << "\n";
  return emitText(text, suffix);
}

/// To loops over buffers, which are the same for every target.
llvm::Error Build::scheduleGeneric() {
  stages.note("lowering to linalg");
  if (llvm::Error error = runPipeline(*module, "linalg", buildLinalgPipeline))
    return error;
  if (llvm::Error error = dumpModule("2-linalg.mlir"))
    return error;
  if (command.emit == Emit::Linalg)
    return llvm::Error::success();
  stages.note("lowering to loops over buffers");
  if (llvm::Error error = runPipeline(*module, "buffers", buildBufferPipeline))
    return error;
  return dumpModule("3-buffers.mlir");
}

/// To the schedules of the buckets, which are the same for every target.
llvm::Error Build::scheduleSteps() {
  stages.note("scheduling the steps");
  if (llvm::Error error = runTilePipeline(*module, command.buckets))
    return error;
  stepPlan = manifestPlan(planProgram(*module));
  return dumpModule("3-tile.mlir");
}

/// The module, which is scheduled, becomes LLVM's dialect for \p target.
llvm::Error Build::lowerTo(Target &target) {
  const Capabilities &facts = target.capabilities();
  auto cpuPipeline = [&](mlir::OpPassManager &pm) {
    CpuPipelineOptions options;
    options.target = target.name().str();
    options.triple = facts.triple;
    options.cpu = facts.cpu;
    options.features = facts.features;
    buildCpuPipeline(pm, options);
  };
  auto needs = cpu::plainFeatures(facts.triple, facts.cpu, facts.features);
  if (!needs)
    return needs.takeError();
  auto genericPipeline = [&](mlir::OpPassManager &pm) {
    ReferenceOptions options;
    options.target = target.name().str();
    options.needs = *needs;
    buildLlvmPipeline(pm, options);
  };
  if (stepProgram)
    stages.note("lowering to vectors and threads");
  if (llvm::Error error =
          stepProgram
              ? runPipeline(*module, "the LLVM dialect", cpuPipeline)
              : runPipeline(*module, "the LLVM dialect", genericPipeline))
    return error;
  return dumpModule(several() ? "4-llvm." + target.name().str() + ".mlir"
                              : "4-llvm.mlir");
}

llvm::Error Build::compile(Target &target) {
  stages.note("compiling for " + target.capabilities().cpu);
  bool wantIr = command.emit == Emit::Llvm || !command.dumpStages.empty();
  optimizedIr.clear();
  auto emitted = target.emit(*module, wantIr ? &optimizedIr : nullptr);
  if (!emitted)
    return emitted.takeError();
  objects.push_back(std::move(*emitted));
  return dump(several() ? "5-optimized." + target.name().str() + ".ll"
                        : "5-optimized.ll",
              [&](llvm::raw_ostream &stream) { stream << optimizedIr; });
}

/// The table of all programs, in an object of its own.
llvm::Error Build::joinPrograms() {
  module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  emitJoinedTable(*module, parts);
  auto emitted = targets.front()->emit(*module, nullptr);
  if (!emitted)
    return emitted.takeError();
  objects.push_back(std::move(*emitted));
  return llvm::Error::success();
}

llvm::Error Build::lower() {
  if (llvm::Error error = stepProgram ? scheduleSteps() : scheduleGeneric())
    return error;
  if (command.emit == Emit::Linalg || command.emit == Emit::Tile)
    return llvm::Error::success();
  mlir::OwningOpRef<mlir::ModuleOp> scheduled = std::move(module);
  for (auto [number, target] : llvm::enumerate(targets)) {
    module = number + 1 < targets.size()
                 ? mlir::OwningOpRef<mlir::ModuleOp>(scheduled->clone())
                 : std::move(scheduled);
    if (llvm::Error error = lowerTo(*target))
      return error;
    if (several())
      parts.push_back(exportProgram(*module, unsigned(number)));
    if (llvm::Error error = compile(*target))
      return error;
  }
  return several() ? joinPrograms() : llvm::Error::success();
}

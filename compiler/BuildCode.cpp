// The stages of a build that make code, and the text of each stage for those
// who ask for it.
#include "compiler/Build.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "compiler/plan/StepPlan.h"
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

/// To the schedules of the buckets, which are the same for all CPUs and for all
/// GPUs.
llvm::Error Build::scheduleSteps(BuildTarget &target) {
  bool gpu = target.gpu.has_value();
  auto &[scheduled, plan] = schedules[gpu];
  if (!scheduled) {
    stages.note(gpu ? "scheduling the steps for GPUs" : "scheduling the steps");
    scheduled = shared->clone();
    if (llvm::Error error = runTilePipeline(*scheduled, command.buckets, gpu))
      return error;
    plan = manifestPlan(planProgram(*scheduled));
    bool both = anyGpu(targets) && !llvm::all_of(targets, [](auto &each) {
                  return each.gpu.has_value();
                });
    module = scheduled->clone();
    if (llvm::Error error = dumpModule(!both ? "3-tile.mlir"
                                       : gpu ? "3-tile.gpu.mlir"
                                             : "3-tile.cpu.mlir"))
      return error;
  } else {
    module = scheduled->clone();
  }
  target.plan = plan;
  return llvm::Error::success();
}

std::string Build::stageName(StringRef stage, const BuildTarget &target,
                             StringRef extension) const {
  bool named = targets.size() > 1 || target.gpu;
  return (stage + (named ? "." + target.tag() : std::string()) + extension)
      .str();
}

/// The module, which is scheduled, becomes LLVM's dialect for a CPU.
llvm::Error Build::lowerToCpu(BuildTarget &target) {
  const Capabilities &facts = target.hostFacts();
  auto cpuPipeline = [&](mlir::OpPassManager &pm) {
    CpuPipelineOptions options;
    options.target = target.name;
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
    options.target = target.name;
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
  return dumpModule(stageName("4-llvm", target, ".mlir"));
}

/// Makes the object of \p target's program from the module in LLVM's dialect.
llvm::Error Build::compile(BuildTarget &target) {
  if (!target.gpu || target.emulated)
    stages.note("compiling for " + target.hostFacts().cpu);
  bool wantIr = command.emit == Emit::Llvm || !command.dumpStages.empty();
  optimizedIr.clear();
  auto emitted = target.host->emit(*module, wantIr ? &optimizedIr : nullptr,
                                   target.emulated || command.quick);
  if (!emitted)
    return emitted.takeError();
  target.object = std::move(*emitted);
  if (target.gpu && !target.emulated)
    return llvm::Error::success(); // a table alone
  return dump(
      stageName(target.gpu ? "6-optimized" : "5-optimized", target, ".ll"),
      [&](llvm::raw_ostream &stream) { stream << optimizedIr; });
}

/// An object with the table of all programs of \p executable.
llvm::Expected<std::string> Build::joinPrograms(const Executable &executable) {
  std::vector<ProgramPart> parts;
  for (size_t index : executable.targets)
    parts.push_back(targets[index].part);
  module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  emitJoinedTable(*module, parts);
  return targets[executable.targets.front()].host->emit(*module, nullptr);
}

llvm::Error Build::lowerTo(BuildTarget &target) {
  if (stepProgram) {
    if (llvm::Error error = scheduleSteps(target))
      return error;
  } else {
    module = shared->clone();
  }
  if (command.emit == Emit::Tile)
    return llvm::Error::success();
  return target.gpu ? lowerToDevice(target) : lowerToCpu(target);
}

llvm::Error Build::lower() {
  if (!stepProgram)
    if (llvm::Error error = scheduleGeneric())
      return error;
  if (command.emit == Emit::Linalg)
    return llvm::Error::success();
  shared = std::move(module);
  for (auto [number, target] : llvm::enumerate(targets)) {
    if (llvm::Error error = lowerTo(target))
      return error;
    if (command.emit == Emit::Tile || command.emit == Emit::Kernels ||
        command.emit == Emit::Isa)
      return llvm::Error::success();
    if (joined())
      target.part = exportProgram(*module, unsigned(number));
    if (llvm::Error error = compile(target))
      return error;
  }
  return llvm::Error::success();
}

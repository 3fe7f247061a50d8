// The stages of a build that make code, and the text of each stage for those
// who ask for it.
#include "compiler/Build.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "compiler/plan/StepPlan.h"
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

llvm::Error
Build::runPipeline(StringRef what,
                   llvm::function_ref<void(mlir::OpPassManager &)> build) {
  mlir::PassManager passes(&context);
  passes.enableVerifier(true);
  build(passes);
  if (failed(passes.run(*module)))
    return llvm::createStringError("lowering to " + what +
                                   " failed (see above)");
  return llvm::Error::success();
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

llvm::Error Build::lowerGeneric() {
  stages.note("lowering to linalg");
  if (llvm::Error error = runPipeline("linalg", buildLinalgPipeline))
    return error;
  if (llvm::Error error = dumpModule("2-linalg.mlir"))
    return error;
  if (command.emit == Emit::Linalg)
    return llvm::Error::success();
  stages.note("lowering to loops over buffers");
  if (llvm::Error error = runPipeline("buffers", buildBufferPipeline))
    return error;
  if (llvm::Error error = dumpModule("3-buffers.mlir"))
    return error;
  if (llvm::Error error =
          runPipeline("the LLVM dialect",
                      [](mlir::OpPassManager &pm) { buildLlvmPipeline(pm); }))
    return error;
  return dumpModule("4-llvm.mlir");
}

llvm::Error Build::lowerSteps() {
  stages.note("scheduling the steps");
  TileOptions tileOptions;
  std::vector<int64_t> buckets = command.buckets;
  if (buckets.empty())
    buckets.assign(std::begin(kCpuBuckets), std::end(kCpuBuckets));
  for (int64_t tokens : buckets)
    tileOptions.buckets.push_back(tokens);
  if (llvm::Error error = runPipeline("tile", [&](mlir::OpPassManager &pm) {
        buildTilePipeline(pm, tileOptions);
      }))
    return error;
  stepPlan = manifestPlan(planProgram(*module));
  if (llvm::Error error = dumpModule("3-tile.mlir"))
    return error;
  if (command.emit == Emit::Tile)
    return llvm::Error::success();
  stages.note("lowering to vectors and threads");
  const Capabilities &facts = target->capabilities();
  CpuPipelineOptions cpuOptions;
  cpuOptions.target = target->name().str();
  cpuOptions.triple = facts.triple;
  cpuOptions.cpu = facts.cpu;
  cpuOptions.features = facts.features;
  if (llvm::Error error =
          runPipeline("the LLVM dialect", [&](mlir::OpPassManager &pm) {
            buildCpuPipeline(pm, cpuOptions);
          }))
    return error;
  return dumpModule("4-llvm.mlir");
}

llvm::Error Build::lower() {
  if (llvm::Error error = stepProgram ? lowerSteps() : lowerGeneric())
    return error;
  if (command.emit == Emit::Linalg || command.emit == Emit::Tile)
    return llvm::Error::success();
  return compile();
}

llvm::Error Build::compile() {
  stages.note("compiling for " + target->capabilities().cpu);
  bool wantIr = command.emit == Emit::Llvm || !command.dumpStages.empty();
  auto emitted = target->emit(*module, wantIr ? &optimizedIr : nullptr);
  if (!emitted)
    return emitted.takeError();
  object = std::move(*emitted);
  return dump("5-optimized.ll",
              [&](llvm::raw_ostream &stream) { stream << optimizedIr; });
}

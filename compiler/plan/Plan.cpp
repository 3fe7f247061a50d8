// From a configuration to the schedule, as a build goes, and from there to the
// report. Weights are looked at only for their formats, where there are any.
#include "compiler/plan/Plan.h"
#include "compiler/Driver.h"
#include "compiler/PackPlanOf.h"
#include "compiler/Pipelines.h"
#include "compiler/Progress.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quant/Recipe.h"
#include "compiler/plan/PlanMachine.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "models/BuildModel.h"
#include "quartet/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace quartet;

namespace {
class Planner {
public:
  explicit Planner(const PlanCommand &command)
      : command(command), diagnostics(&context, printDiagnostic) {
    context.printOpOnDiagnostic(false);
  }

  llvm::Error run();
  PlanReport report;

private:
  llvm::Error readModel();
  llvm::Error readWeights(const WeightOptions &options);
  llvm::Error schedule();
  llvm::Error predict();

  const PlanCommand &command;
  std::unique_ptr<ModelInput> input;
  std::unique_ptr<WeightSource> source; ///< null without weights
  Recipe recipe;
  WeightPlan weights;
  PhasesOptions phases;
  std::set<std::string> formats; ///< of matrices
  Dtype matrixDtype = Dtype::BF16;
  bool isGpu = false;
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};
} // namespace

/// Takes types and formats from the checkpoint.
llvm::Error Planner::readWeights(const WeightOptions &options) {
  if (llvm::Error error = input->openWeights())
    return error;
  auto planned = input->plan(options);
  if (!planned)
    return planned.takeError();
  weights = std::move(*planned);
  source = input->source();
  return llvm::Error::success();
}

llvm::Error Planner::readModel() {
  auto opened = ModelInput::open(command.model, command.config);
  if (!opened)
    return opened.takeError();
  input = std::move(*opened);
  const ModelConfig &config = input->config();
  report.model = config.name;
  report.layers = int64_t(config.layers.size());
  report.checkpointLayers = std::max(config.checkpointLayers, report.layers);
  auto chosen = Recipe::fromOption(command.quant, command.quantGroup);
  if (!chosen)
    return chosen.takeError();
  recipe = std::move(*chosen);
  WeightOptions options{command.dtype};
  if (llvm::Error error = readWeights(options)) {
    std::string why = llvm::toString(std::move(error));
    llvm::replace(why, '\n', ' ');
    weights = planWeights(config, options);
    report.assumptions.push_back(
        (input->hasWeights()
             ? "the checkpoint's tensors cannot be read (" + why +
                   "), so matrices"
             : std::string("there are no weights, so matrices")) +
        " are stored in the type that config.json says, where --quant does not "
        "say otherwise");
  }
  for (const Weight &weight : weights.weights)
    if (weight.role == WeightRole::Embedding)
      matrixDtype = weight.dtype;
  for (const std::string &format : recipe.formatsOf(weights, source.get()))
    phases.formats.push_back(format);
  return llvm::Error::success();
}

llvm::Error Planner::schedule() {
  BuildOptions options;
  options.stateDtype = matrixDtype;
  options.kvType = command.kvType.value_or(kvTypeOf(matrixDtype));
  module = buildModel(context, input->config(), weights, options);
  if (failed(mlir::verify(*module)))
    return llvm::createStringError(
        "the model's IR does not verify (see above): "
        "this is a defect of the compiler");
  if (llvm::Error error =
          runPipeline(*module, "phases", [&](mlir::OpPassManager &pm) {
            buildPhasesPipeline(pm, phases);
          }))
    return error;
  report.weightFileBytes =
      layoutWeights(packPlanOf(*module), weights).dataBytes;
  if (llvm::Error error = runTilePipeline(*module, command.buckets, isGpu))
    return error;
  module->walk(
      [&](tile::MatrixOp matrix) { formats.insert(matrix.getFormat().str()); });
  report.program = planProgram(*module);
  return llvm::Error::success();
}

llvm::Error Planner::predict() {
  const ProgramPlan &program = report.program;
  report.formats = llvm::join(formats, ", ");
  report.context = command.contexts.front();
  for (int64_t tokens : command.prompts)
    if (auto time = prefillTime(program, tokens, report.machine))
      report.prefill.push_back({tokens, *time});
  for (int64_t context : command.contexts)
    for (int64_t batch : command.batches) {
      auto time = decodeTime(program, batch, double(context), report.machine);
      if (!time)
        return llvm::createStringError(
            "--batch " + llvm::Twine(batch) + ": the largest bucket holds " +
            llvm::Twine(program.steps.back().tokens) +
            " tokens; add a larger one with --buckets");
      const StepPlan *step = program.stepFor(double(batch));
      int64_t pages =
          (context + QUARTET_PAGE_TOKENS) / QUARTET_PAGE_TOKENS; // and a token
      int64_t memory = int64_t(report.weightFileBytes) +
                       batch * (program.slotBytes + pages * program.pageBytes) +
                       step->scratchBytes + pages * step->scratchPageBytes +
                       report.machine.workers * step->localBytes;
      report.decode.push_back({batch, context, *time, memory});
    }
  return llvm::Error::success();
}

llvm::Error Planner::run() {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  auto gpu = findMachine(command, report);
  if (!gpu)
    return gpu.takeError();
  isGpu = *gpu;
  if (llvm::Error error = readModel())
    return error;
  if (llvm::Error error = schedule())
    return error;
  return predict();
}

llvm::Expected<PlanReport> quartet::makePlan(const PlanCommand &command) {
  Planner planner(command);
  if (llvm::Error error = planner.run())
    return error;
  return std::move(planner.report);
}

llvm::Error quartet::plan(const PlanCommand &command, llvm::raw_ostream &os) {
  auto report = makePlan(command);
  if (!report)
    return report.takeError();
  (command.json ? printPlanJson : printPlan)(*report, os);
  return llvm::Error::success();
}

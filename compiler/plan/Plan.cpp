// From a configuration to the schedule, as a build goes, and from there to the
// report. Weights are looked at only for their formats, where there are any.
#include "compiler/plan/Plan.h"
#include "compiler/Driver.h"
#include "compiler/PackPlanOf.h"
#include "compiler/Pipelines.h"
#include "compiler/Progress.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quant/Recipe.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "models/BuildModel.h"
#include "quartet/abi.h"
#include "targets/Target.h"
#include "targets/cpu/Isa.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <set>
#include <thread>

using namespace quartet;

/// What is taken where nobody knows better: two channels of DDR5-5600, and
/// cores that start two fused multiply-adds per cycle at 3 GHz.
static constexpr double kAssumedReadGBs = 60;
static constexpr double kAssumedFmasPerSecond = 2 * 3e9;

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
  llvm::Error findMachine();
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
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};
} // namespace

/// Chooses the user's figure, else the target's, else one that is assumed and
/// \p said so.
static double choose(double asked, double known, double assumed,
                     const std::string &said, std::vector<std::string> &list) {
  if (asked > 0)
    return asked;
  if (known > 0)
    return known;
  list.push_back(said);
  return assumed;
}

static std::string printed(const char *text, double value) {
  std::string result;
  llvm::raw_string_ostream(result) << llvm::format(text, value);
  return result;
}

llvm::Error Planner::findMachine() {
  auto target = createTarget(command.target, command.cpu);
  if (!target)
    return target.takeError();
  const Capabilities &facts = (*target)->capabilities();
  report.target = (*target)->name().str();
  report.cpu = facts.cpu;
  auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
  if (!isa)
    return isa.takeError();
  if (!isa->fusedMultiplyAdd)
    return llvm::createStringError(
        "target '" + report.target + "' (" + facts.cpu +
        ") has no fused multiply-add, which the step program needs: its "
        "builds use the generic lowering, which has no plan; choose another "
        "--target or --mcpu");
  PlanMachine &machine = report.machine;
  std::vector<std::string> &assumed = report.assumptions;
  machine.workers = command.workers ? command.workers : facts.workers;
  if (!machine.workers && command.target == "host")
    machine.workers = std::max(1u, std::thread::hardware_concurrency());
  if (!machine.workers) {
    machine.workers = 1;
    assumed.push_back("1 worker: the target names none; --workers says how "
                      "many the machine has");
  }
  double together = facts.readGBs * double(machine.workers);
  machine.readGBs = choose(
      command.readGBs, together, kAssumedReadGBs,
      printed("memory reads %.0f GB/s (two channels of DDR5): unknown for this "
              "target; --bandwidth says it, 'bench' of an executable measures "
              "it",
              kAssumedReadGBs),
      assumed);
  if (together > 0 && command.readGBs <= 0)
    assumed.push_back(
        printed("every worker reads %.1f GB/s of its own, as the target's "
                "description says; --bandwidth says what the machine's memory "
                "can do",
                facts.readGBs));
  double f32 = kAssumedFmasPerSecond * 2 * isa->lanes / 1e9;
  machine.f32Gflops =
      choose(command.f32Gflops, facts.f32Gflops, f32,
             printed("a worker multiplies f32 at %.0f GFLOP/s: 2 fused "
                     "multiply-adds of its widest register per cycle at 3 GHz",
                     f32),
             assumed);
  // A dot product of bytes makes 4 products where f32 makes one; without one,
  // bytes are widened to 16 bits.
  double int8 = f32 * (isa->byteDot == cpu::ByteDot::Vnni ||
                               isa->byteDot == cpu::ByteDot::Neon
                           ? 4
                           : 2);
  machine.int8Gops = choose(
      command.int8Gops, facts.int8Gops, int8,
      printed("a worker multiplies int8 at %.0f GOP/s, by its instructions at "
              "the same rate",
              int8),
      assumed);
  return llvm::Error::success();
}

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
  if (llvm::Error error = runTilePipeline(*module, command.buckets))
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
  if (llvm::Error error = findMachine())
    return error;
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

// The stages of a build that read: the model and its texts, its IR, the formats
// of its weights, the phases.
#include "compiler/Build.h"
#include "compiler/PackPlanOf.h"
#include "compiler/Pipelines.h"
#include "compiler/import/quant/FakeQuantize.h"
#include "mlir/IR/Verifier.h"
#include "passes/Passes.h"
#include "quartet/tokenizer_format.h"
#include <cstring>

using namespace quartet;
using llvm::StringRef;

llvm::Error Build::readModel() {
  stages.note("reading " + command.model);
  auto opened = ModelInput::open(command.model, command.config);
  if (!opened)
    return opened.takeError();
  input = std::move(*opened);
  config = input->config();
  WeightOptions options{command.dtype, command.mtp};
  if (command.mtp)
    if (std::string why = whyNotMtp(config); !why.empty())
      return llvm::createStringError("--mtp: " + why);
  auto chosen = Recipe::fromOption(command.quant, command.quantGroup);
  if (!chosen)
    return chosen.takeError();
  recipe = std::move(*chosen);
  bool quantizes = !command.quant.empty() || command.quantGroup;
  if (quantizes && !stepProgram && !options.dtype)
    options.dtype = Dtype::F32; // holds the rounded values exactly
  if (command.syntheticSeed || command.withoutWeights) {
    plan = planWeights(config, options);
  } else {
    if (llvm::Error error = input->openWeights()) {
      if (input->hasWeights())
        return error;
      return llvm::createStringError(llvm::toString(std::move(error)) +
                                     "; to build without a checkpoint, add "
                                     "--synthetic SEED (random weights) "
                                     "or --no-weights");
    }
    auto planned = input->plan(options);
    if (!planned)
      return planned.takeError();
    plan = std::move(*planned);
    if (std::string note = input->note(plan); !note.empty())
      stages.note(note);
  }
  if (!command.withoutWeights)
    source = command.syntheticSeed ? syntheticSource(*command.syntheticSeed)
                                   : input->source();
  // Activations that outlive a step have the precision of the matrices.
  for (const Weight &weight : plan.weights)
    if (weight.role == WeightRole::Embedding)
      matrixDtype = weight.dtype;
  irOptions.stateDtype = matrixDtype;
  irOptions.kvType = command.kvType.value_or(kvTypeOf(matrixDtype));
  return llvm::Error::success();
}

llvm::Error Build::readTexts() {
  auto blob = input->tokenizer();
  if (blob) {
    tokenizer = std::move(*blob);
    quartet_tokenizer_header header;
    std::memcpy(&header, tokenizer.data(), sizeof(header));
    tokenLimit = header.idCount;
    if (tokenLimit > config.vocabSize)
      return llvm::createStringError(
          input->tokenizerName() + ": has ids up to " +
          llvm::Twine(tokenLimit - 1) + ", but the model's vocabulary is " +
          llvm::Twine(config.vocabSize));
  } else {
    llvm::Error rest = llvm::handleErrors(
        blob.takeError(),
        [&](std::unique_ptr<llvm::ErrorInfoBase> info) -> llvm::Error {
          if (info->convertToErrorCode() ==
              std::errc::no_such_file_or_directory) {
            stages.note("no tokenizer: the executable takes and prints "
                        "token ids only");
            return llvm::Error::success();
          }
          return llvm::Error(std::move(info));
        });
    if (rest)
      return rest;
  }
  auto chat = input->chatTemplate();
  if (!chat)
    return chat.takeError();
  chatTemplate = std::move(*chat);
  irOptions.tokenLimit = tokenLimit;
  return llvm::Error::success();
}

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> Build::makeModel() {
  auto model = buildModel(context, config, plan, irOptions);
  mlir::PassManager passes(&context);
  if (command.recordActivations)
    passes.addPass(createRecordActivations());
  if (failed(mlir::verify(*model)) || failed(passes.run(*model)))
    return llvm::createStringError(
        "the model's IR does not verify (see above): "
        "this is a defect of the compiler");
  return std::move(model);
}

llvm::Error Build::buildIr() {
  stages.note("building the model's IR");
  auto made = makeModel();
  if (!made)
    return made.takeError();
  module = std::move(*made);
  return dumpModule("1-quartet.mlir");
}

/// The packed format of each matrix: the recipe's, else the checkpoint's own.
llvm::Error Build::planFormats() {
  formats = recipe.formatsOf(plan, stepProgram ? source.get() : nullptr);
  if (!command.activationStats.empty()) {
    auto opened = ActivationStats::open(command.activationStats);
    if (!opened)
      return opened.takeError();
    stats = std::make_unique<ActivationStats>(std::move(*opened));
    if (llvm::Error error = stats->check(plan))
      return error;
  }
  return llvm::Error::success();
}

/// Packs, fuses and groups the model's ops, and plans the weight file.
llvm::Error Build::formPhases() {
  if (llvm::Error error = planFormats())
    return error;
  if (!stepProgram && formats.empty()) {
    packPlan = plainPackPlan(plan);
    layout = layoutWeights(packPlan, plan);
    return llvm::Error::success();
  }
  PhasesOptions options;
  for (const std::string &format : formats)
    options.formats.push_back(format);
  mlir::OwningOpRef<mlir::ModuleOp> original;
  if (!stepProgram)
    original = module->clone();
  if (llvm::Error error =
          runPipeline(*module, "phases", [&](mlir::OpPassManager &pm) {
            buildPhasesPipeline(pm, options);
          }))
    return error;
  packPlan = packPlanOf(*module);
  if (llvm::Error error = checkPackPlan(packPlan, plan))
    return error;
  if (!stepProgram) {
    // The oracle computes with the values of the packed weights, as floats.
    if (source) {
      plannedQuantization = packPlan; // the source keeps a reference
      quantized = fakeQuantize(*source, plannedQuantization, plan, stats.get());
    }
    module = std::move(original);
    packPlan = plainPackPlan(plan);
  }
  layout = layoutWeights(packPlan, plan);
  return stepProgram ? dumpModule("2-phases.mlir") : llvm::Error::success();
}

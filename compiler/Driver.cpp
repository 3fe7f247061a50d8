// The stages of a build in order, with progress on standard error.
#include "compiler/Driver.h"
#include "compiler/Link.h"
#include "compiler/Manifest.h"
#include "compiler/OutputFile.h"
#include "compiler/PackPlanOf.h"
#include "compiler/Pipelines.h"
#include "compiler/Progress.h"
#include "compiler/import/ModelInput.h"
#include "compiler/import/quant/ActivationStats.h"
#include "compiler/import/quant/FakeQuantize.h"
#include "compiler/import/quant/Recipe.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "models/BuildModel.h"
#include "quartet/abi.h"
#include "quartet/tokenizer_format.h"
#include "targets/cpu/Isa.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include <cstring>

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// Code reaches constants within 2 GiB of itself; this leaves room for the
/// rest.
static constexpr uint64_t kMaxEmbeddedBytes = 1500000000;

/// Most tokens of the steps that are compiled for CPUs unless the user says
/// otherwise: one sequence, a batch, a prompt.
static constexpr int64_t kCpuBuckets[] = {1, 16, 512};

namespace {
/// One run of the driver; the members are filled stage by stage.
class Build {
public:
  explicit Build(const BuildCommand &command)
      : command(command), stages(command.quiet),
        diagnostics(&context, printDiagnostic) {
    // A diagnostic names its part of the model; the op may fill a screen.
    context.printOpOnDiagnostic(false);
  }

  llvm::Error run();

private:
  llvm::Error chooseLowering();
  llvm::Error readModel();
  llvm::Error checkOutputs();
  llvm::Error readTexts();
  llvm::Error buildIr();
  llvm::Error planFormats();
  llvm::Error formPhases();
  llvm::Error lower();
  llvm::Error lowerGeneric();
  llvm::Error lowerSteps();
  llvm::Error compile();
  llvm::Error emitText(StringRef text, StringRef suffix);
  llvm::Error emitModule(StringRef suffix);
  llvm::Error
  runPipeline(StringRef what,
              llvm::function_ref<void(mlir::OpPassManager &)> build);
  llvm::Error dump(StringRef fileName,
                   llvm::function_ref<void(llvm::raw_ostream &)> print);
  llvm::Error dumpModule(StringRef fileName);
  llvm::Error pack();
  llvm::Error link();

  const BuildCommand &command;
  StageProgress stages;
  std::unique_ptr<ModelInput> input;
  std::unique_ptr<WeightSource> source;    ///< null without weights
  std::unique_ptr<WeightSource> quantized; ///< of the generic lowering
  std::unique_ptr<ActivationStats> stats;
  Recipe recipe;
  bool stepProgram = true;
  std::vector<std::string> formats; ///< "l0.qkv=int4:64"
  ModelConfig config;
  WeightPlan plan;
  PackPlan packPlan, plannedQuantization;
  WeightLayout layout;
  std::unique_ptr<Target> target;
  std::string kit, output, weightsPath, weightsId, manifest, chatTemplate;
  std::vector<uint8_t> tokenizer;
  BuildOptions irOptions;
  Dtype matrixDtype = Dtype::BF16;
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string object, optimizedIr;
  int64_t tokenLimit = 0;
};
} // namespace

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

llvm::Error Build::readModel() {
  stages.note("reading " + command.model);
  auto opened = ModelInput::open(command.model, command.config);
  if (!opened)
    return opened.takeError();
  input = std::move(*opened);
  config = input->config();
  WeightOptions options{command.dtype};
  if (!command.quant.empty() || command.quantGroup) {
    auto chosen = Recipe::fromOption(
        command.quant.empty() ? "int4" : command.quant, command.quantGroup);
    if (!chosen)
      return chosen.takeError();
    recipe = std::move(*chosen);
    if (!stepProgram && !options.dtype)
      options.dtype = Dtype::F32; // holds the rounded values exactly
  }
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

llvm::Error Build::buildIr() {
  stages.note("building the model's IR");
  module = buildModel(context, config, plan, irOptions);
  if (failed(mlir::verify(*module)))
    return llvm::createStringError(
        "the model's IR does not verify (see above): "
        "this is a defect of the compiler");
  return dumpModule("1-quartet.mlir");
}

/// The packed format of each matrix: the recipe's, else the checkpoint's own.
llvm::Error Build::planFormats() {
  for (const Weight &weight : plan.weights) {
    std::optional<WeightClass> known = classOf(weight.name);
    if (!known || *known == WeightClass::Embedding)
      continue;
    std::optional<PackedFormat> format = recipe.formatOf(*known);
    if (!format && stepProgram && source)
      format = source->ownFormat(weight);
    if (format)
      formats.push_back(weight.name + "=" + format->str());
  }
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
  if (llvm::Error error = runPipeline("phases", [&](mlir::OpPassManager &pm) {
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

llvm::Error Build::pack() {
  if (command.withoutWeights)
    return llvm::Error::success();
  stages.note("packing weights");
  PackOptions options;
  options.modelName = config.name;
  options.progress = !command.quiet;
  options.stats = stats.get();
  weightsPath = output + ".safetensors.new";
  llvm::sys::RemoveFileOnSignal(weightsPath);
  auto id =
      writeWeights(packPlan, plan, layout, quantized ? *quantized : *source,
                   weightsPath, options);
  if (!id)
    return id.takeError();
  weightsId = *id;
  return llvm::Error::success();
}

llvm::Error Build::link() {
  stages.note("linking");
  ManifestFacts facts{config, layout, target->capabilities(), {}, {}, {}};
  facts.name = path::filename(output).str();
  facts.weightsId = weightsId;
  facts.weightsFile = facts.name + ".safetensors";
  facts.tokenLimit = tokenLimit ? tokenLimit : config.vocabSize;
  facts.matrixDtype = matrixDtype;
  facts.quantization = recipe.str();
  facts.stateDtype = irOptions.stateDtype;
  // The states are declared in the quartet IR, which lowering has consumed.
  auto model = buildModel(context, config, plan, irOptions);
  manifest = writeManifest(facts, *model);

  std::unique_ptr<llvm::MemoryBuffer> embedded;
  if (command.embedWeights) {
    auto read = llvm::MemoryBuffer::getFile(weightsPath, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
    if (!read)
      return llvm::createStringError(read.getError(),
                                     "cannot read '" + weightsPath + "'");
    embedded = std::move(*read);
  }
  auto text = [](const auto &bytes) {
    return StringRef(reinterpret_cast<const char *>(bytes.data()),
                     bytes.size());
  };
  auto blobs = target->emitBlobs(
      {{"quartet_manifest", manifest},
       {"quartet_tokenizer", text(tokenizer)},
       {"quartet_chat_template", chatTemplate},
       {"quartet_weights", embedded ? embedded->getBuffer() : StringRef()}});
  if (!blobs)
    return blobs.takeError();
  if (llvm::Error error =
          linkExecutable(target->capabilities(), kit, {object, *blobs}, output))
    return error;
  std::string finalWeights = output + ".safetensors";
  if (command.embedWeights) {
    fs::remove(weightsPath);
  } else if (!command.withoutWeights) {
    if (std::error_code ec = fs::rename(weightsPath, finalWeights))
      return llvm::createStringError(ec, "cannot rename '" + weightsPath +
                                             "' to '" + finalWeights + "'");
  }
  llvm::sys::DontRemoveFileOnSignal(weightsPath);
  uint64_t size = 0;
  fs::file_size(output, size);
  stages.wrote(output, size);
  if (!command.embedWeights && !command.withoutWeights) {
    fs::file_size(finalWeights, size);
    stages.wrote(finalWeights, size);
  }
  return llvm::Error::success();
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

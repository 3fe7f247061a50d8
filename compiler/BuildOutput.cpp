// The last stages of a build: the weight file and the executable.
#include "compiler/Build.h"
#include "compiler/Link.h"
#include "compiler/Manifest.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

using namespace quartet;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

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
  Capabilities shown = machine();
  for (const auto &target : llvm::drop_begin(targets))
    shown.cpu += "," + target->capabilities().cpu;
  ManifestFacts facts{config, layout, shown, {}, {}, {}};
  facts.name = path::filename(output).str();
  facts.weightsId = weightsId;
  facts.weightsFile = facts.name + ".safetensors";
  facts.tokenLimit = tokenLimit ? tokenLimit : config.vocabSize;
  facts.matrixDtype = matrixDtype;
  facts.quantization = recipe.str();
  facts.kvType = irOptions.kvType;
  facts.plan = stepPlan;
  facts.mtp = command.mtp;
  // The states are declared in the quartet IR, which lowering has consumed.
  auto model = makeModel();
  if (!model)
    return model.takeError();
  manifest = writeManifest(facts, **model);

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
  auto blobs = targets.front()->emitBlobs(
      {{"quartet_manifest", manifest},
       {"quartet_tokenizer", text(tokenizer)},
       {"quartet_chat_template", chatTemplate},
       {"quartet_weights", embedded ? embedded->getBuffer() : StringRef()}});
  if (!blobs)
    return blobs.takeError();
  objects.push_back(std::move(*blobs));
  if (llvm::Error error = linkExecutable(machine(), kit, objects, output))
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

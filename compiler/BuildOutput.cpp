// The last stages of a build: the weight file and the executable.
#include "compiler/Build.h"
#include "compiler/Link.h"
#include "compiler/Manifest.h"
#include "llvm/ADT/StringExtras.h"
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

llvm::Expected<std::string> Build::manifestOf(const Executable &executable) {
  const BuildTarget &first = targets[executable.targets.front()];
  Capabilities shown = first.hostFacts();
  ManifestFacts facts{config, layout, shown, {}, {}, {}};
  std::vector<std::string> cpus;
  for (size_t index : executable.targets) {
    const BuildTarget &target = targets[index];
    if (target.gpu)
      facts.devices.push_back(target.name);
    if (!llvm::is_contained(cpus, target.hostFacts().cpu))
      cpus.push_back(target.hostFacts().cpu);
  }
  shown.cpu = llvm::join(cpus, ",");
  facts.name = path::filename(executable.path).str();
  facts.weightsId = weightsId;
  facts.weightsFile = path::filename(output).str() + ".safetensors";
  facts.tokenLimit = tokenLimit ? tokenLimit : config.vocabSize;
  facts.matrixDtype = matrixDtype;
  facts.quantization = recipe.str();
  facts.kvType = irOptions.kvType;
  if (command.activationParts == 1)
    facts.activations = "bf16";
  facts.plan = first.plan;
  facts.mtp = command.mtp;
  // The states are declared in the quartet IR, which lowering has consumed.
  auto model = makeModel();
  if (!model)
    return model.takeError();
  return writeManifest(facts, **model);
}

llvm::Error Build::link(const Executable &executable) {
  stages.note(executables.size() > 1 ? "linking " + executable.path
                                     : std::string("linking"));
  auto manifest = manifestOf(executable);
  if (!manifest)
    return manifest.takeError();
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
  BuildTarget &first = targets[executable.targets.front()];
  auto blobs = first.host->emitBlobs(
      {{"quartet_manifest", *manifest},
       {"quartet_tokenizer", text(tokenizer)},
       {"quartet_chat_template", chatTemplate},
       {"quartet_weights", embedded ? embedded->getBuffer() : StringRef()}});
  if (!blobs)
    return blobs.takeError();
  LinkInput input{first.hostFacts(), kit, {}, /*emulator=*/false};
  for (size_t index : executable.targets) {
    input.objects.push_back(std::move(targets[index].object));
    input.emulator |= targets[index].emulated;
  }
  if (joined()) {
    auto table = joinPrograms(executable);
    if (!table)
      return table.takeError();
    input.objects.push_back(std::move(*table));
  }
  input.objects.push_back(std::move(*blobs));
  return linkExecutable(input, executable.path);
}

/// Gives the weight file its name and says what was written.
llvm::Error Build::finish() {
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
  for (const Executable &executable : executables) {
    fs::file_size(executable.path, size);
    stages.wrote(executable.path, size);
  }
  if (!command.embedWeights && !command.withoutWeights) {
    fs::file_size(finalWeights, size);
    stages.wrote(finalWeights, size);
  }
  return llvm::Error::success();
}

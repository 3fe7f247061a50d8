// What a build is for: its targets, the executables that hold them, and the
// lowering that fits all of them.
#include "compiler/Build.h"
#include "targets/cpu/Isa.h"

using namespace quartet;
using llvm::StringRef;

llvm::Error Build::chooseTargets() {
  auto parsed = parseTargets(command.target, command.cpu);
  if (!parsed)
    return parsed.takeError();
  targets = std::move(*parsed);
  bool gpus = anyGpu(targets);
  if (command.launch && !gpus)
    return llvm::createStringError("--launch says how a GPU is driven, but "
                                   "--target '" +
                                   command.target + "' has none");
  if (command.activationParts && !gpus)
    return llvm::createStringError(
        "--activations is for GPUs, but --target '" + command.target +
        "' has none; CPUs multiply with two bf16 or with f32");
  if (llvm::Error error = checkEmit())
    return error;
  bool together = targets.size() == 1 || !gpus || command.fat;
  if (!together)
    for (const BuildTarget &target : targets)
      if (!target.gpu)
        return llvm::createStringError(
            "a program for '" + target.name +
            "' beside those of GPUs belongs into the same executable; add "
            "--fat, or build it on its own");
  if (together && targets.size() > 1) {
    for (const BuildTarget &target : targets)
      if (target.hostFacts().triple != machine().triple)
        return llvm::createStringError(
            "one executable cannot hold '" + targets.front().name + "' (" +
            machine().triple + ") and '" + target.name + "' (" +
            target.hostFacts().triple + "); build one for each");
    if (llvm::Error error = orderTargets(targets))
      return error;
  }
  executables.resize(together ? 1 : targets.size());
  for (size_t i = 0; i < targets.size(); ++i)
    executables[together ? 0 : i].targets.push_back(i);
  return llvm::Error::success();
}

/// Stages that only some targets have, and that only one can be shown of.
llvm::Error Build::checkEmit() const {
  bool gpus = anyGpu(targets);
  const BuildTarget &first = targets.front();
  auto refuse = [&](StringRef stages, StringRef why) {
    return llvm::createStringError("--emit " + stages + " " + why);
  };
  std::string count = "of one target; --target has " +
                      std::to_string(targets.size()) +
                      "; build them one by one, or see all with --dump-stages";
  switch (command.emit) {
  case Emit::Kernels:
  case Emit::Isa:
    if (targets.size() > 1)
      return refuse("kernels and --emit isa are", count);
    if (!first.gpu)
      return refuse("kernels and --emit isa are",
                    "of GPUs; target '" + first.name + "' is a CPU");
    if (first.emulated && command.emit == Emit::Isa)
      return refuse("isa is", "of GPUs themselves; see --target " +
                                  first.gpu->name + ", or --emit llvm");
    break;
  case Emit::Llvm:
    if (targets.size() == 1 && first.gpu && !first.emulated)
      return refuse("llvm is", "of CPUs and of the emulator; of a GPU there "
                               "are --emit kernels and --emit isa");
    [[fallthrough]];
  case Emit::Object:
    if (targets.size() > 1)
      return refuse("llvm and --emit obj are", count);
    break;
  case Emit::Linalg:
    if (gpus)
      return refuse("linalg is",
                    "of the generic lowering, which GPUs have not");
    break;
  default:
    break;
  }
  return llvm::Error::success();
}

/// Weights are packed for one of the two lowerings, so all targets take the
/// same.
llvm::Error Build::chooseLowering() {
  const BuildTarget *withStep = nullptr, *without = nullptr;
  for (const BuildTarget &target : targets) {
    if (target.gpu) {
      if (command.lowering == Lowering::Generic)
        return llvm::createStringError("--lowering generic is of CPUs; '" +
                                       target.name +
                                       "' has the step program only");
      withStep = &target;
      continue;
    }
    const Capabilities &facts = target.hostFacts();
    auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
    if (!isa)
      return isa.takeError();
    (isa->fusedMultiplyAdd ? withStep : without) = &target;
  }
  if (command.lowering == Lowering::Auto && withStep && without)
    return llvm::createStringError(
        "'" + without->name +
        "' has no fused multiply-add and takes the generic lowering, '" +
        withStep->name +
        "' the step program, and their weight files differ; leave one out, or "
        "choose for both with --lowering step" +
        (anyGpu(targets) ? "" : " or --lowering generic"));
  stepProgram = command.lowering == Lowering::Step ||
                (command.lowering == Lowering::Auto && withStep);
  if (command.emit == Emit::Linalg)
    stepProgram = false; // the one stage that only the generic lowering has
  if (!stepProgram && (command.emit == Emit::Phases ||
                       command.emit == Emit::Tile || !command.buckets.empty()))
    return llvm::createStringError(
        "--emit phases, --emit tile and --buckets belong to the step program; "
        "add --lowering step");
  return llvm::Error::success();
}

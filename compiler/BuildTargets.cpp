// What a build is for: its targets, the most capable first, and the lowering
// that fits all of them.
#include "compiler/Build.h"
#include "targets/cpu/Features.h"
#include "targets/cpu/Isa.h"

using namespace quartet;
using llvm::StringRef;

llvm::Error Build::chooseTargets() {
  llvm::SmallVector<StringRef> names;
  StringRef(command.target).split(names, ',');
  for (StringRef name : names) {
    auto created = createTarget(name, command.cpu);
    if (!created)
      return created.takeError();
    for (const auto &other : targets)
      if (other->name() == name)
        return llvm::createStringError("--target has '" + name + "' twice");
    targets.push_back(std::move(*created));
    const std::string &triple = targets.back()->capabilities().triple;
    if (triple != machine().triple)
      return llvm::createStringError("one executable cannot hold '" +
                                     targets.front()->name() + "' (" +
                                     machine().triple + ") and '" + name +
                                     "' (" + triple + "); build one for each");
  }
  if (!several())
    return llvm::Error::success();
  if (!command.cpu.empty())
    return llvm::createStringError(
        "--mcpu names the CPU of one target; --target has " +
        llvm::Twine(targets.size()));
  if (command.emit == Emit::Llvm || command.emit == Emit::Object)
    return llvm::createStringError(
        "--emit llvm and --emit obj are of one target; --target has " +
        llvm::Twine(targets.size()) +
        "; build them one by one, or see all with --dump-stages");
  return orderTargets();
}

/// The runtime takes the first program that fits. Where one target has all that
/// another has and more, it comes first, whatever the user's order.
llvm::Error Build::orderTargets() {
  std::vector<std::pair<cpu::Rank, size_t>> ranked;
  for (const auto &target : targets) {
    const Capabilities &facts = target->capabilities();
    auto rank = cpu::rankOf(facts.triple, facts.cpu, facts.features);
    if (!rank)
      return rank.takeError();
    ranked.emplace_back(*rank, ranked.size());
  }
  llvm::sort(ranked, [](const auto &a, const auto &b) {
    if (a.first > b.first || b.first > a.first)
      return a.first > b.first;
    return a.second < b.second; // equal CPUs: as given
  });
  std::vector<std::unique_ptr<Target>> ordered;
  for (const auto &entry : ranked)
    ordered.push_back(std::move(targets[entry.second]));
  targets = std::move(ordered);
  return llvm::Error::success();
}

/// Weights are packed for one of the two lowerings, so all targets take the
/// same.
llvm::Error Build::chooseLowering() {
  const Target *withStep = nullptr, *without = nullptr;
  for (const auto &target : targets) {
    const Capabilities &facts = target->capabilities();
    auto isa = cpu::Isa::of(facts.triple, facts.cpu, facts.features);
    if (!isa)
      return isa.takeError();
    (isa->fusedMultiplyAdd ? withStep : without) = target.get();
  }
  if (command.lowering == Lowering::Auto && withStep && without)
    return llvm::createStringError(
        "'" + without->name() +
        "' has no fused multiply-add and takes the generic lowering, '" +
        withStep->name() +
        "' the step program, and their weight files differ; leave one out, or "
        "choose for both with --lowering step or --lowering generic");
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

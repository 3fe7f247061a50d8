// Names to targets. All mistakes that --target allows are said here.
#include "compiler/BuildTarget.h"
#include "targets/Chips.h"
#include "targets/cpu/Features.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace quartet;
using llvm::StringRef;

/// The GPU whose code the emulator runs unless another one is named.
static constexpr llvm::StringLiteral kEmulatedChip = "sm_90a";

std::string BuildTarget::tag() const {
  std::string text = name;
  llvm::replace(text, ':', '-');
  return text;
}

/// The target whose code every machine of this one's kind can run.
static StringRef anyHost() {
  llvm::Triple triple(llvm::sys::getProcessTriple());
  return triple.isAArch64() ? "armv8-a" : "x86-64";
}

static llvm::Error refuseCpu(StringRef name, StringRef cpu) {
  if (cpu.empty())
    return llvm::Error::success();
  return llvm::createStringError("--mcpu names a CPU, but target '" + name +
                                 "' is a GPU; leave out --mcpu " + cpu);
}

static llvm::Expected<BuildTarget> deviceTarget(StringRef name,
                                                gpu::GpuFacts facts) {
  auto host = createTarget(anyHost(), "");
  if (!host)
    return host.takeError();
  BuildTarget target;
  target.name = name.str();
  target.host = std::move(*host);
  target.gpu = std::move(facts);
  return target;
}

static llvm::Expected<BuildTarget> parseTarget(StringRef name, StringRef cpu) {
  StringRef chipName = name;
  if (name == "emulator" || chipName.consume_front("emulator:")) {
    auto facts =
        findGpuFacts(name == "emulator" ? StringRef(kEmulatedChip) : chipName);
    if (!facts)
      return facts.takeError();
    if (llvm::Error error = refuseCpu(name, cpu))
      return error;
    std::string full = "emulator:" + facts->name;
    auto target = deviceTarget(full, std::move(*facts));
    if (target)
      target->emulated = true;
    return target;
  }
  auto chip = findChip(name);
  if (!chip)
    return llvm::createStringError(llvm::toString(chip.takeError()) +
                                   " emulator emulator:CHIP");
  if (chip->gpu) {
    if (llvm::Error error = refuseCpu(name, cpu))
      return error;
    return deviceTarget(name, std::move(*chip->gpu));
  }
  auto created = createTarget(name, cpu);
  if (!created)
    return created.takeError();
  BuildTarget target;
  target.name = (*created)->name().str();
  target.host = std::move(*created);
  return target;
}

llvm::Expected<std::vector<BuildTarget>> quartet::parseTargets(StringRef text,
                                                               StringRef cpu) {
  llvm::SmallVector<StringRef> names;
  text.split(names, ',');
  std::vector<BuildTarget> targets;
  for (StringRef name : names) {
    auto target = parseTarget(name.trim(), cpu);
    if (!target)
      return target.takeError();
    for (const BuildTarget &other : targets)
      if (other.name == target->name)
        return llvm::createStringError("--target has '" + name + "' twice");
    targets.push_back(std::move(*target));
  }
  if (targets.size() > 1 && !cpu.empty())
    return llvm::createStringError(
        "--mcpu names the CPU of one target; --target has " +
        llvm::Twine(targets.size()));
  return std::move(targets);
}

llvm::Error quartet::orderTargets(std::vector<BuildTarget> &targets) {
  struct Place {
    int kind;
    cpu::Rank rank;
    size_t index;
  };
  std::vector<Place> places;
  for (const BuildTarget &target : targets) {
    const Capabilities &facts = target.hostFacts();
    auto rank = cpu::rankOf(facts.triple, facts.cpu, facts.features);
    if (!rank)
      return rank.takeError();
    places.push_back({target.emulated ? 2
                      : target.gpu    ? 0
                                      : 1,
                      *rank, places.size()});
  }
  llvm::sort(places, [](const Place &a, const Place &b) {
    if (a.kind != b.kind)
      return a.kind < b.kind;
    if (a.rank > b.rank || b.rank > a.rank)
      return a.rank > b.rank;
    return a.index < b.index; // equal CPUs, and GPUs: as given
  });
  std::vector<BuildTarget> ordered;
  for (const Place &place : places)
    ordered.push_back(std::move(targets[place.index]));
  targets = std::move(ordered);
  return llvm::Error::success();
}

bool quartet::anyGpu(const std::vector<BuildTarget> &targets) {
  return llvm::any_of(targets, [](const BuildTarget &target) {
    return target.gpu.has_value();
  });
}

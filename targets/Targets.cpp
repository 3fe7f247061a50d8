// The list of targets, by hand.
#include "targets/Target.h"
#include "targets/llvm/LlvmTarget.h"

using namespace quartet;

namespace {
struct Known {
  const char *name, *triple, *cpu, *about;
};
} // namespace

static constexpr Known kCpus[] = {
    {"x86-64", "x86_64-unknown-linux-gnu", "x86-64", "any 64-bit x86 CPU"},
    {"x86-64-v3", "x86_64-unknown-linux-gnu", "x86-64-v3", "x86 with AVX2"},
    {"x86-64-v4", "x86_64-unknown-linux-gnu", "x86-64-v4", "x86 with AVX-512"},
    {"aarch64", "aarch64-unknown-linux-gnu", "generic", "any 64-bit Arm CPU"},
};

std::vector<std::pair<std::string, std::string>> quartet::targetNames() {
  std::vector<std::pair<std::string, std::string>> names{
      {"host", "the CPU that runs the compiler"}};
  for (const Known &known : kCpus)
    names.emplace_back(known.name, known.about);
  return names;
}

static llvm::Expected<Capabilities> findTarget(llvm::StringRef name) {
  if (name == "host")
    return LlvmTarget::hostCapabilities();
  for (const Known &known : kCpus)
    if (name == known.name)
      return Capabilities{known.triple, known.cpu, ""};
  std::string names;
  for (const auto &entry : targetNames())
    names += " " + entry.first;
  return llvm::createStringError("unknown target '" + name +
                                 "'; known targets:" + names);
}

llvm::Expected<std::unique_ptr<Target>>
quartet::createTarget(llvm::StringRef name, llvm::StringRef cpu) {
  auto facts = findTarget(name);
  if (!facts)
    return facts.takeError();
  if (!cpu.empty()) {
    facts->cpu = cpu.str();
    facts->features.clear();
  }
  return LlvmTarget::create(name, std::move(*facts));
}

llvm::Expected<std::vector<std::string>>
quartet::cpuNames(llvm::StringRef name) {
  auto facts = findTarget(name);
  if (!facts)
    return facts.takeError();
  return LlvmTarget::cpuNames(facts->triple);
}

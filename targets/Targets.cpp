// Targets by name: the facts of the chip, and LLVM for its code.
#include "targets/Chips.h"
#include "targets/llvm/LlvmTarget.h"

using namespace quartet;

std::vector<std::pair<std::string, std::string>> quartet::targetNames() {
  std::vector<std::pair<std::string, std::string>> names{
      {"host", "the CPU that runs the compiler"}};
  for (const ChipFile &file : chipFiles()) {
    llvm::Expected<Chip> chip = parseChip(file);
    if (chip)
      names.emplace_back(chip->name, chip->about);
    else // createTarget says what is wrong
      llvm::consumeError(chip.takeError());
  }
  return names;
}

llvm::Expected<std::unique_ptr<Target>>
quartet::createTarget(llvm::StringRef name, llvm::StringRef cpu) {
  llvm::Expected<Chip> chip = findChip(name);
  if (!chip)
    return chip.takeError();
  if (chip->gpu)
    return llvm::createStringError(
        "target '" + name +
        "' is a GPU, whose code the CPUs' generator cannot "
        "make; expected a CPU");
  Capabilities facts = chip->capabilities;
  if (!cpu.empty()) { // of the chip's facts, the triple alone is left
    facts = Capabilities();
    facts.triple = chip->capabilities.triple;
    facts.cpu = cpu.str();
  }
  return LlvmTarget::create(name, std::move(facts));
}

llvm::Expected<std::vector<std::string>>
quartet::cpuNames(llvm::StringRef name) {
  llvm::Expected<Chip> chip = findChip(name);
  if (!chip)
    return chip.takeError();
  if (chip->gpu)
    return std::vector<std::string>();
  return LlvmTarget::cpuNames(chip->capabilities.triple);
}

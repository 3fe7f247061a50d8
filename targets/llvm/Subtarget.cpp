// Looks the CPU up in LLVM's registry.
#include "targets/llvm/Subtarget.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"

llvm::Expected<std::unique_ptr<llvm::MCSubtargetInfo>>
quartet::subtargetOf(llvm::StringRef tripleText, llvm::StringRef cpu,
                     llvm::StringRef features) {
  static const bool once = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargetMCs();
    return true;
  }();
  (void)once;
  std::string problem;
  llvm::Triple triple(tripleText);
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!target)
    return llvm::createStringError("no code generator for '" + tripleText +
                                   "': " + problem);
  // LLVM takes an unknown name for the least of CPUs, and says so to nobody.
  std::unique_ptr<llvm::MCSubtargetInfo> least(
      target->createMCSubtargetInfo(triple, "", ""));
  std::unique_ptr<llvm::MCSubtargetInfo> info;
  if (least && (cpu.empty() || least->isCPUStringValid(cpu)))
    info.reset(target->createMCSubtargetInfo(triple, cpu, features));
  if (!info)
    return llvm::createStringError("'" + cpu + "' is not a CPU of '" +
                                   tripleText + "'");
  return info;
}

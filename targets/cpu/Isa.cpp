// Asks LLVM's description of the CPU.
#include "targets/cpu/Isa.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Triple.h"

using namespace quartet::cpu;

llvm::Expected<Isa> Isa::of(llvm::StringRef triple, llvm::StringRef cpu,
                            llvm::StringRef features) {
  std::string problem;
  llvm::Triple parsed(triple);
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(parsed, problem);
  if (!target)
    return llvm::createStringError("no code generator for '" + triple +
                                   "': " + problem);
  // LLVM takes an unknown name for the least of CPUs, and says so to nobody.
  std::unique_ptr<llvm::MCSubtargetInfo> least(
      target->createMCSubtargetInfo(parsed, "", ""));
  std::unique_ptr<llvm::MCSubtargetInfo> facts;
  if (least && (cpu.empty() || least->isCPUStringValid(cpu)))
    facts.reset(target->createMCSubtargetInfo(parsed, cpu, features));
  if (!facts)
    return llvm::createStringError("'" + cpu + "' is not a CPU of '" + triple +
                                   "'");
  auto has = [&](llvm::StringRef feature) {
    return facts->checkFeatures(("+" + feature).str());
  };
  Isa isa;
  if (parsed.isX86()) {
    bool avx512 = has("avx512f") && has("avx512bw") && has("avx512vl");
    bool avx2 = has("avx2") && has("fma");
    isa.lanes = avx512 ? 16 : avx2 ? 8 : 4;
    isa.byteDot = avx512 && has("avx512vnni") ? ByteDot::Vnni
                  : avx2                      ? ByteDot::Avx2
                                              : ByteDot::Widen;
    isa.fusedMultiplyAdd = has("fma");
    isa.bf16Dot = avx512 && has("avx512bf16");
    isa.f16Convert = has("f16c");
    isa.amxInt8 = has("amx-int8");
    isa.amxBf16 = has("amx-bf16");
  } else if (parsed.isAArch64()) {
    isa.byteDot = has("dotprod") ? ByteDot::Neon : ByteDot::Widen;
    isa.f16Convert = true;
    isa.fusedMultiplyAdd = true;
  }
  return isa;
}

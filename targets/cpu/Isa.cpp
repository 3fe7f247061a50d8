// Asks LLVM's description of the CPU.
#include "targets/cpu/Isa.h"
#include "targets/llvm/Subtarget.h"
#include "llvm/TargetParser/Triple.h"

using namespace quartet::cpu;

llvm::Expected<Isa> Isa::of(llvm::StringRef triple, llvm::StringRef cpu,
                            llvm::StringRef features) {
  auto facts = subtargetOf(triple, cpu, features);
  if (!facts)
    return facts.takeError();
  auto has = [&](llvm::StringRef feature) {
    return (*facts)->checkFeatures(("+" + feature).str());
  };
  Isa isa;
  llvm::Triple parsed(triple);
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

// A table from LLVM's names to the system's. A feature that is not here is one
// that LLVM reaches by intrinsics only, or that comes with one that is here.
#include "targets/cpu/Features.h"
#include "targets/cpu/Isa.h"
#include "targets/llvm/Subtarget.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Triple.h"
#include <tuple>

using namespace quartet;
using llvm::StringRef;

namespace {
struct Feature {
  StringRef llvm, system;
  StringRef impliedBy; ///< LLVM's name of a feature that no CPU has without it
};
} // namespace

static constexpr Feature kX86[] = {
    {"sse3", "pni", "ssse3"},
    {"ssse3", "ssse3", "sse4.1"},
    {"sse4.1", "sse4_1", "sse4.2"},
    {"sse4.2", "sse4_2", "avx"},
    {"sse4a", "sse4a", ""},
    {"popcnt", "popcnt", "avx2"},
    {"lzcnt", "abm", ""},
    {"bmi", "bmi1", ""},
    {"bmi2", "bmi2", ""},
    {"movbe", "movbe", ""},
    {"tbm", "tbm", ""},
    {"avx", "avx", "avx2"},
    {"fma4", "fma4", ""},
    {"xop", "xop", ""},
    {"avx2", "avx2", ""},
    {"fma", "fma", ""},
    {"f16c", "f16c", ""},
    {"avx512f", "avx512f", ""},
    {"avx512bw", "avx512bw", ""},
    {"avx512vl", "avx512vl", ""},
    {"avx512dq", "avx512dq", ""},
    {"avx512cd", "avx512cd", ""},
    {"avx512ifma", "avx512ifma", ""},
    {"avx512vbmi", "avx512vbmi", ""},
    {"avx512vbmi2", "avx512_vbmi2", ""},
    {"avx512vnni", "avx512_vnni", ""},
    {"avx512bitalg", "avx512_bitalg", ""},
    {"avx512vpopcntdq", "avx512_vpopcntdq", ""},
    {"avx512bf16", "avx512_bf16", ""},
    {"avx512fp16", "avx512_fp16", ""},
    {"avxvnni", "avx_vnni", ""},
    {"avxifma", "avx_ifma", ""},
    {"avxvnniint8", "avx_vnni_int8", ""},
    {"avxneconvert", "avx_ne_convert", ""},
    {"gfni", "gfni", ""},
    {"cmpccxadd", "cmpccxadd", ""},
    // CPUs with the new registers have AVX10.2, too, which has no bit.
    {"egpr", "apx_f", ""},
};

static constexpr Feature kArm[] = {
    {"lse", "atomics", ""},         {"rdm", "asimdrdm", ""},
    {"dotprod", "asimddp", ""},     {"fullfp16", "asimdhp", ""},
    {"fp16fml", "asimdfhm", ""},    {"complxnum", "fcma", ""},
    {"rcpc", "lrcpc", "rcpc-immo"}, {"rcpc-immo", "ilrcpc", ""},
    {"bf16", "bf16", ""},           {"i8mm", "i8mm", ""},
    {"sve", "sve", "sve2"},         {"sve2", "sve2", ""},
    {"cssc", "cssc", ""},           {"mops", "mops", ""},
};

static llvm::Expected<llvm::SmallVector<const Feature *>>
featuresOf(StringRef triple, StringRef cpu, StringRef features) {
  auto facts = subtargetOf(triple, cpu, features);
  if (!facts)
    return facts.takeError();
  auto has = [&](StringRef name) {
    return (*facts)->checkFeatures(("+" + name).str());
  };
  llvm::SmallVector<const Feature *> found;
  auto collect = [&](llvm::ArrayRef<Feature> table) {
    for (const Feature &feature : table)
      if (has(feature.llvm))
        found.push_back(&feature);
  };
  if (llvm::Triple(triple).isX86())
    collect(kX86);
  else if (llvm::Triple(triple).isAArch64())
    collect(kArm);
  return found;
}

llvm::Expected<std::string> cpu::plainFeatures(StringRef triple, StringRef cpu,
                                               StringRef features) {
  auto found = featuresOf(triple, cpu, features);
  if (!found)
    return found.takeError();
  llvm::SmallVector<StringRef> names;
  for (const Feature *feature : *found)
    if (llvm::none_of(*found, [&](const Feature *other) {
          return other->llvm == feature->impliedBy;
        }))
      names.push_back(feature->system);
  return llvm::join(names, ",");
}

llvm::Expected<std::string> cpu::kernelFeatures(StringRef triple, StringRef cpu,
                                                StringRef features) {
  auto names = plainFeatures(triple, cpu, features);
  auto isa = Isa::of(triple, cpu, features);
  if (!names || !isa)
    return llvm::joinErrors(names.takeError(), isa.takeError());
  if (isa->amxInt8 || isa->amxBf16)
    *names += ",amx_tile";
  if (isa->amxInt8)
    *names += ",amx_int8";
  if (isa->amxBf16)
    *names += ",amx_bf16";
  return names;
}

bool cpu::Rank::operator>(const Rank &other) const {
  return std::tie(matrix, lanes, byteDot, features) >
         std::tie(other.matrix, other.lanes, other.byteDot, other.features);
}

llvm::Expected<cpu::Rank> cpu::rankOf(StringRef triple, StringRef cpu,
                                      StringRef features) {
  auto found = featuresOf(triple, cpu, features);
  auto isa = Isa::of(triple, cpu, features);
  if (!found || !isa)
    return llvm::joinErrors(found.takeError(), isa.takeError());
  Rank rank;
  rank.matrix = isa->amxInt8 + isa->amxBf16;
  rank.lanes = isa->lanes;
  rank.byteDot = unsigned(isa->byteDot);
  rank.features = unsigned(found->size());
  return rank;
}

// Endings of names: GPTQ and AWQ replace "weight", the others append to it.
#include "compiler/import/quantized/QuantNames.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace quartet::quantnames {
namespace {

struct PartName {
  const char *ending;
  bool replacesWeight; ///< stands for ".weight", else comes after the name
};
const PartName partNames[partCount] = {
    {"", false},         {".qweight", true},
    {".qzeros", true},   {".scales", true},
    {".g_idx", true},    {"_packed", false},
    {"_scale", false},   {"_scale_inv", false},
    {"_scale_2", false}, {"_global_scale", false},
    {"_shape", false},   {"_zero_point", false},
    {"_g_idx", false}};

/// A name that a quantized matrix may have.
bool isMatrixName(StringRef name) {
  return name.ends_with(".weight") || name.ends_with(".experts.gate_up_proj") ||
         name.ends_with(".experts.down_proj");
}

} // namespace

std::pair<std::string, Part> matrixOf(StringRef name) {
  for (unsigned part = QWeight; part < partCount; ++part) {
    StringRef base = name;
    if (!base.consume_back(partNames[part].ending))
      continue;
    if (partNames[part].replacesWeight)
      return {base.str() + ".weight", Part(part)};
    if (isMatrixName(base))
      return {base.str(), Part(part)};
  }
  return {name.str(), Itself};
}

std::string partName(StringRef matrix, Part part) {
  if (partNames[part].replacesWeight)
    matrix.consume_back(".weight");
  return matrix.str() + partNames[part].ending;
}

bool isActivationScale(StringRef name) {
  return StringSwitch<bool>(name.rsplit('.').second)
      .Cases({"input_scale", "input_global_scale", "activation_scale"}, true)
      .Cases({"input_zero_point", "output_scale"}, true)
      .Cases({"q_scale", "k_scale", "v_scale"}, true)
      .Default(false);
}

} // namespace quartet::quantnames

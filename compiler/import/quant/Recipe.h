// Which packed format each class of weights gets: what --quant says.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_RECIPE_H
#define QUARTET_COMPILER_IMPORT_QUANT_RECIPE_H
#include "compiler/import/WeightSource.h"
#include "dialects/Quartet/PackedFormat.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <array>

namespace quartet {

/// Matrices that share a format. Names in recipes: experts (the shared expert
/// too), delta_in (qkv, z), delta_out, attention_in (q, k, v), attention_out,
/// mlp, head, embedding, router (and the shared expert's gate), delta_controls
/// (a, b).
enum class WeightClass {
  Experts,
  DeltaIn,
  DeltaOut,
  AttentionIn,
  AttentionOut,
  Mlp,
  Head,
  Embedding,
  Router,
  DeltaControls
};
constexpr size_t kWeightClasses = 10;

/// The class of a weight of models/Weights.h; nothing for norms, taps, decays.
std::optional<WeightClass> classOf(llvm::StringRef weightName);
llvm::StringRef stringify(WeightClass weightClass);

class Recipe {
public:
  /// Keeps everything as the plan has it.
  Recipe() = default;

  /// What `--quant \p option --quant-group \p group` means: a format (bf16,
  /// f16, fp8, int8, int6, int4; group 64 without one) for all matrices but
  /// embedding, router and delta_controls; "w4" (int4:64, the head int8:64);
  /// "w8" (int8:64); or the path of a recipe file. Empty: int4 with a group,
  /// without one everything is kept. An error says what is allowed.
  static llvm::Expected<Recipe> fromOption(llvm::StringRef option,
                                           std::optional<int64_t> group);
  /// Reads {"experts": {"format": "int4", "group": 64, "zero": "none", "scale":
  /// "f16"}, ...}. format: f32, bf16, f16, fp8, int8, int6, int4 or keep;
  /// group: 16, 32, 64 (default), 128; zero: none (default), point, min; scale:
  /// f16 (default), bf16, f32. fp8 with group 0 has no scales. Classes that are
  /// not there are kept.
  static llvm::Expected<Recipe> parse(llvm::StringRef text,
                                      llvm::StringRef fileName);

  /// The format to pack a weight in; nothing: as it is. The embedding's is
  /// always plain (f32, bf16, f16).
  std::optional<PackedFormat> formatOf(WeightClass weightClass) const {
    return formats[size_t(weightClass)];
  }
  std::optional<PackedFormat> formatOf(llvm::StringRef weightName) const;
  /// "l0.qkv=int4:64" for each matrix of \p weights that is packed: in this
  /// recipe's format, else in \p source's own (null: none). A head tied to the
  /// embedding has the recipe's format as "lm_head"; the embedding stays plain.
  std::vector<std::string> formatsOf(const WeightPlan &weights,
                                     const WeightSource *source) const;

  /// "experts int4:64, head int8:64": what is not kept, for the user.
  std::string str() const;

private:
  std::array<std::optional<PackedFormat>, kWeightClasses> formats;

  void setMatrices(const PackedFormat &format);
};

} // namespace quartet
#endif

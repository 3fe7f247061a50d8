// Which columns of a matrix matter: the mean squared activations that a
// calibration run saw in front of each weight.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_ACTIVATIONSTATS_H
#define QUARTET_COMPILER_IMPORT_QUANT_ACTIVATIONSTATS_H
#include "models/Weights.h"
#include "llvm/ADT/StringMap.h"

namespace quartet {

/// Read from a safetensors file with f32 tensors named as weights ("l0.qkv",
/// "lm_head"), each [columns], [experts, columns], [repeat, columns] or
/// [repeat, experts, columns]: every leading dimension of the weight is there
/// in full, or is missing from the left. Values: mean squared input of the
/// column, finite and not negative.
class ActivationStats {
public:
  static llvm::Expected<ActivationStats> open(llvm::StringRef path);

  /// Fails when a tensor has no weight, or does not have its shape.
  llvm::Error check(const WeightPlan &weights) const;
  /// [columns] weights of the squared errors, none zero; empty when the file
  /// does not speak of the weight, or never saw an input of this expert.
  llvm::ArrayRef<float> columnWeights(const Weight &weight, int64_t repeat,
                                      int64_t expert) const;

private:
  struct Table {
    std::vector<int64_t> shape;
    std::vector<float> values; ///< rows that saw no input are all zero
  };
  std::string path;
  llvm::StringMap<Table> tables;
};

} // namespace quartet
#endif

// The matrices of a quantized safetensors checkpoint under the names and shapes
// that they have in an unquantized one.
#ifndef QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTTENSORS_H
#define QUARTET_COMPILER_IMPORT_QUANTIZED_QUANTTENSORS_H
#include "compiler/import/quantized/QuantConfig.h"
#include "compiler/import/quantized/QuantMatrix.h"

namespace quartet {

struct QuantTensors {
  /// For planWeights; a quantized matrix counts as BF16.
  TensorTable table;
  /// By the names of the table; not yet analyzed.
  std::map<std::string, QuantMatrix, std::less<>> matrices;
  /// What a program of float activations has no use for.
  std::vector<SetAside> setAside;
  /// The tensors that a matrix is made of, by the names of the table; also
  /// those that analyze() drops.
  std::map<std::string, std::vector<llvm::StringRef>, std::less<>> parts;
};

/// Gathers the tensors of \p checkpoint, which must outlive the result, into
/// matrices: plain ones as they are, quantized ones from all of their parts.
/// All problems found (a part missing, unknown, mis-shaped or mistyped, or at
/// odds with \p config) come in one error, each with its tensor, what was found
/// and what was expected; at most 20 are listed, then a count. Tensors that
/// setAsideByName names (with \p mtp) are not looked at.
llvm::Expected<QuantTensors> mapQuantTensors(const Checkpoint &checkpoint,
                                             const QuantConfig &config,
                                             bool mtp = false);

/// Calls analyze() for the matrices in the runs of \p plan.
llvm::Error analyzePlanned(const Checkpoint &checkpoint, const WeightPlan &plan,
                           QuantTensors &tensors);

} // namespace quartet
#endif

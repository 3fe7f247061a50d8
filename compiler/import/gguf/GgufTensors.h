// The tensors of a GGUF model under the names and shapes that they have in a
// Hugging Face checkpoint, and how to get each one's elements out of the file.
#ifndef QUARTET_COMPILER_IMPORT_GGUF_GGUFTENSORS_H
#define QUARTET_COMPILER_IMPORT_GGUF_GGUFTENSORS_H
#include "compiler/import/RunSource.h"
#include "compiler/import/gguf/GgufModel.h"

namespace quartet {

/// What the converter did to the values.
enum class GgufChange {
  None,
  PlusOne, ///< norms that are zero-centred in the checkpoint
  NegExp,  ///< A_log: -exp(a)
};

/// How one tensor of the checkpoint, as a matrix of rows (the last dimension),
/// lies in a tensor of the GGUF. Both have rows of the same length.
struct GgufView {
  const GgufTensor *tensor = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t firstRow = 0; ///< in the GGUF, where there is no order of rows
  /// Row or column in the GGUF of each row or column in the checkpoint; null
  /// where the order is the same.
  using Order = std::shared_ptr<const std::vector<int64_t>>;
  Order rowOrder, columnOrder;
  GgufChange change = GgufChange::None;

  int64_t rowInFile(int64_t row) const {
    return rowOrder ? (*rowOrder)[size_t(row)] : firstRow + row;
  }
};

struct GgufTensors {
  /// For planWeights; quantized tensors count as BF16.
  TensorTable table;
  /// By the names of the table.
  std::map<std::string, GgufView, std::less<>> views;
  std::vector<SetAside> setAside; ///< by the file's names

  /// The file's name of a tensor of the table.
  llvm::StringRef nameInFile(llvm::StringRef tensor) const;
};

/// Proves that the file has the tensors that \p config asks for, each in its
/// shape, and no others but those set aside. All problems found come in one
/// error, by the file's names; at most 20 are listed, then a count.
llvm::Expected<GgufTensors> mapGgufTensors(const GgufModel &model,
                                           const ModelConfig &config,
                                           bool mtp = false);

/// Decodes the runs of a plan made from \p tensors. Both arguments must outlive
/// the source. A value that overflows the target type (F16), and decay that is
/// not negative, are errors that name the tensor.
std::unique_ptr<RunSource> ggufSource(const GgufModel &model,
                                      const GgufTensors &tensors);

/// The value w that a file has as 1 + w, such that 1 + w in f32 gives the
/// file's value again: exactly for values from 0.5 on, to 2^-24 below.
inline float undoPlusOne(float stored) { return stored - 1.0f; }

/// The a with -exp(a) == stored (to one unit in the last place of f32): the
/// nearest bf16 if that is one, as checkpoints mostly have bf16. \p stored must
/// be negative and finite.
float undoNegExp(float stored);

} // namespace quartet
#endif

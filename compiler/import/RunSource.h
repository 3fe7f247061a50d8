// A source of weights that walks a weight's runs (models/Weights.h), and that
// gives the quantized values of tensors that have some.
#ifndef QUARTET_COMPILER_IMPORT_RUNSOURCE_H
#define QUARTET_COMPILER_IMPORT_RUNSOURCE_H
#include "compiler/import/WeightSource.h"
#include "llvm/ADT/StringMap.h"
#include <mutex>

namespace quartet {

/// How the quantized values of one tensor can be kept.
struct OwnTensor {
  std::string kind; ///< "Q4_K", "GPTQ int4", for messages
  /// Holds them, if perhaps with the scales rounded to its type.
  PackedFormat format;
  /// Why they are not kept exactly: "block scales rounded to 16 bits"; empty
  /// when they are.
  std::string loss;
};

class RunSource : public WeightSource {
public:
  llvm::Error read(const Weight &weight, int64_t begin,
                   llvm::MutableArrayRef<uint8_t> out) final;
  /// The join of the formats of the weight's tensors (quantized/WidenRows.h);
  /// nothing when one of them is not quantized. Only for roles that may be
  /// quantized: matrices and embeddings.
  std::optional<PackedFormat> ownFormat(const Weight &weight) const final;
  /// Any format that holds the own one.
  bool owns(const Weight &weight, const PackedFormat &format) const final;
  llvm::Error readOwn(const Weight &weight, int64_t firstRow, int64_t rows,
                      QuantizedRows &out) final;
  bool isConcurrent() const final { return true; }

  /// A line for the user on what becomes of the quantized tensors of \p plan
  /// where their own formats are kept; empty when there are none.
  std::string ownNote(const WeightPlan &plan) const;

protected:
  /// Writes elements [skip, skip + count) of \p run to \p out, converted to
  /// weight.dtype. Several threads may call at once; so for the others.
  virtual llvm::Error readRun(const Weight &weight, const Run &run,
                              int64_t skip, int64_t count, uint8_t *out) = 0;
  /// How the values of the tensor that a run names are quantized; nothing when
  /// they are not.
  virtual std::optional<OwnTensor> ownTensor(llvm::StringRef) const {
    return std::nullopt;
  }
  /// Rows [firstRow, firstRow + rows) of a tensor with an own format; sets the
  /// sizes of \p out. Its format may be another that holds the values, with
  /// scales that are not rounded.
  virtual llvm::Error readOwnRows(llvm::StringRef tensor, int64_t firstRow,
                                  int64_t rows, QuantizedRows &out);

  /// What to do about a value that \p dtype cannot hold, for messages.
  static llvm::StringRef largest(Dtype dtype);

private:
  std::optional<PackedFormat> findOwnFormat(const Weight &weight) const;

  mutable std::mutex mutex;
  mutable llvm::StringMap<std::optional<PackedFormat>> formats; // by weight
};

} // namespace quartet
#endif

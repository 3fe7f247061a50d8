// How far the predictions of two builds of one model are apart: row by row, and
// over a text.
#ifndef QUARTET_COMPILER_EVAL_DIVERGENCE_H
#define QUARTET_COMPILER_EVAL_DIVERGENCE_H
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <optional>
#include <vector>

namespace quartet {

/// Two predictions of one token.
struct RowDifference {
  double referenceLoss = 0; ///< -log p(next token), nats
  double quantizedLoss = 0;
  double divergence = 0; ///< KL(reference -> quantized), nats, >= 0
  bool sameTop = false;  ///< both find the same token likeliest
};

/// Compares two rows of logits, [vocabulary] each, before the token \p next.
/// Nothing when either of them has no distribution: a NaN, or +inf.
std::optional<RowDifference> compareRows(llvm::ArrayRef<float> reference,
                                         llvm::ArrayRef<float> quantized,
                                         int64_t next);

/// What the rows of a text say together.
struct DivergenceSummary {
  int64_t rows = 0;
  double referencePerplexity = 0, quantizedPerplexity = 0;
  double perplexityRatio = 0; ///< quantized / reference
  /// KL divergence, nats per token; the error is the standard error of the
  /// mean, with tokens taken as independent.
  double mean = 0, meanError = 0, median = 0, percentile99 = 0, max = 0;
  double sameTop = 0; ///< share of the rows, 0 to 1
};

/// Collects rows; keeps eight bytes of each.
class DivergenceStatistics {
public:
  void add(const RowDifference &row);
  int64_t rows() const { return int64_t(divergences.size()); }
  /// \p rows() must not be 0.
  DivergenceSummary summary() const;

private:
  double referenceLoss = 0, quantizedLoss = 0;
  int64_t same = 0;
  std::vector<double> divergences;
};

} // namespace quartet
#endif

// KL divergence, loss and agreement of rows of logits, in double precision.
#include "compiler/eval/Divergence.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace quartet;

/// The first of the largest logits.
static size_t likeliest(llvm::ArrayRef<float> logits) {
  return size_t(std::max_element(logits.begin(), logits.end()) -
                logits.begin());
}

std::optional<RowDifference>
quartet::compareRows(llvm::ArrayRef<float> reference,
                     llvm::ArrayRef<float> quantized, int64_t next) {
  assert(reference.size() == quantized.size() && next >= 0 &&
         size_t(next) < reference.size() && "rows of one vocabulary");
  size_t referenceTop = likeliest(reference),
         quantizedTop = likeliest(quantized);
  double referenceMax = reference[referenceTop];
  double quantizedMax = quantized[quantizedTop];
  // With p = exp(a - max a) / sum and q likewise:
  //   KL = sum p (log p - log q) = sum p (a - b) - log sum_a + log sum_b
  // where a and b are relative to their maxima.
  double referenceSum = 0, quantizedSum = 0, weighted = 0;
  for (auto [x, y] : llvm::zip_equal(reference, quantized)) {
    double a = double(x) - referenceMax, b = double(y) - quantizedMax;
    double p = std::exp(a);
    referenceSum += p;
    quantizedSum += std::exp(b);
    // A token that the reference rules out has no part, whatever b is.
    if (p != 0)
      weighted += p * (a - b);
  }
  double referenceLog = std::log(referenceSum);
  double quantizedLog = std::log(quantizedSum);
  // A NaN or +inf anywhere makes a sum one, too.
  if (!std::isfinite(referenceLog) || !std::isfinite(quantizedLog))
    return std::nullopt;
  RowDifference row;
  row.referenceLoss =
      referenceLog - (double(reference[size_t(next)]) - referenceMax);
  row.quantizedLoss =
      quantizedLog - (double(quantized[size_t(next)]) - quantizedMax);
  double divergence = weighted / referenceSum - referenceLog + quantizedLog;
  row.divergence = std::max(divergence, 0.0); // rounding may end below
  row.sameTop = referenceTop == quantizedTop;
  return row;
}

void DivergenceStatistics::add(const RowDifference &row) {
  referenceLoss += row.referenceLoss;
  quantizedLoss += row.quantizedLoss;
  same += row.sameTop;
  divergences.push_back(row.divergence);
}

DivergenceSummary DivergenceStatistics::summary() const {
  assert(!divergences.empty() && "no rows, no means");
  DivergenceSummary result;
  result.rows = rows();
  double count = double(result.rows);
  result.referencePerplexity = std::exp(referenceLoss / count);
  result.quantizedPerplexity = std::exp(quantizedLoss / count);
  result.perplexityRatio = std::exp((quantizedLoss - referenceLoss) / count);
  result.sameTop = double(same) / count;
  std::vector<double> sorted = divergences;
  std::sort(sorted.begin(), sorted.end());
  for (double value : sorted)
    result.mean += value;
  result.mean /= count;
  double squares = 0;
  for (double value : sorted)
    squares += (value - result.mean) * (value - result.mean);
  if (result.rows > 1)
    result.meanError = std::sqrt(squares / (count - 1) / count);
  // The nearest rank: the least value that this share of the rows does not
  // exceed.
  auto quantile = [&](double share) {
    auto rank = size_t(std::ceil(share * count));
    return sorted[std::max<size_t>(rank, 1) - 1];
  };
  result.median = quantile(0.5);
  result.percentile99 = quantile(0.99);
  result.max = sorted.back();
  return result;
}

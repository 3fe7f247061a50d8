// The values of packed matrices as floats: what the reference lowering computes
// with, so that it is the same model as the packed one.
#ifndef QUARTET_COMPILER_IMPORT_QUANT_FAKEQUANTIZE_H
#define QUARTET_COMPILER_IMPORT_QUANT_FAKEQUANTIZE_H
#include "compiler/import/PackPlan.h"
#include "compiler/import/WeightSource.h"
#include "compiler/import/quant/ActivationStats.h"

namespace quartet {

/// A source whose weights have the values that \p packed makes of those of
/// \p source: each row is packed as writeWeights does and unpacked again. Rows
/// that are in no matrix with a format stay as they are; a row in several
/// matrices has the value of the first with a format. Exact where the plan's
/// dtype of the weight is F32 (else rounded to it). All arguments but
/// \p weights must outlive the result; \p stats may be null. The plan must pass
/// checkPackPlan.
std::unique_ptr<WeightSource> fakeQuantize(WeightSource &source,
                                           const PackPlan &packed,
                                           const WeightPlan &weights,
                                           const ActivationStats *stats);

} // namespace quartet
#endif

// How large the weights of a build will be, before it is made.
#ifndef QUARTET_COMPILER_EVAL_PACKEDSIZE_H
#define QUARTET_COMPILER_EVAL_PACKEDSIZE_H
#include "compiler/import/WeightSource.h"
#include "compiler/import/quant/Recipe.h"

namespace quartet {

/// Bytes of the weight file for \p plan with the formats of \p recipe, else the
/// source's own, else plain; within a few per mille.
uint64_t packedSize(const WeightPlan &plan, const Recipe &recipe,
                    const WeightSource &source);

/// The same of a build of the reference lowering, which packs nothing.
uint64_t plainSize(const WeightPlan &plan);

} // namespace quartet
#endif

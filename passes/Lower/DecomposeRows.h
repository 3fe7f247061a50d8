// What the decompositions of matrix ops share: dot products of rows, SwiGLU,
// and the first places of a ranked row.
#ifndef QUARTET_PASSES_LOWER_DECOMPOSEROWS_H
#define QUARTET_PASSES_LOWER_DECOMPOSEROWS_H
#include "passes/Lower/DecomposeUtils.h"

namespace quartet {

/// An uninitialised tensor of \p type, whose dynamic extents are those of the
/// same dimension of \p like (of any rank that has these dimensions).
mlir::Value emptyAs(Emitter &e, mlir::Type type, mlir::Value like);

/// sum_c a[aRow..., c] * b[bRow..., c] over the last, contiguous dimension of
/// both. The order of summation is left to the vectorizer.
mlir::Value dot(Emitter &e, mlir::Value a, mlir::ValueRange aRow, mlir::Value b,
                mlir::ValueRange bRow);

/// silu(gateUp[expert..., i, :] . x[t, :]) * (gateUp[expert..., P + i, :] .
/// x[t, :]) in one loop; gateUp is [..., 2P, H] and \p expert its leading
/// indices.
mlir::Value swiglu(Emitter &e, mlir::Value x, mlir::Value t, mlir::Value gateUp,
                   mlir::ValueRange expert, mlir::Value i);

/// The first places of each row in the order (value descending, column
/// ascending), where NaN ranks with -inf: always distinct columns, whatever the
/// values.
struct Ranking {
  mlir::Value values;  ///< [N, places] f32
  mlir::Value columns; ///< [N, places] i32
};

/// Ranks scores[n, 0..columns) of the f32 tensor \p scores [N, M], in one pass
/// over each row. Row n gets its first keep(n) places (index, in [1, places]);
/// the places after that hold -inf and INT32_MAX. places <= columns.
Ranking
rankRows(Emitter &e, mlir::Value scores, int64_t columns, int64_t places,
         llvm::function_ref<mlir::Value(Emitter &, mlir::Value n)> keep);

} // namespace quartet
#endif

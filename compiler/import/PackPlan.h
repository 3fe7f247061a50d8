// What goes into the weight file: which matrices, in which packed format, made
// of which rows of the model's weights. The lowering decides it, the packer
// carries it out.
#ifndef QUARTET_COMPILER_IMPORT_PACKPLAN_H
#define QUARTET_COMPILER_IMPORT_PACKPLAN_H
#include "dialects/Quartet/PackedFormat.h"
#include "models/Weights.h"

namespace quartet {

/// Part of a packed matrix: rows of one weight of the plan (models/Weights.h).
/// The source weight has the shape [rows, columns], [repeat, rows, columns] or
/// [repeat, experts, rows, columns].
struct PackedPart {
  std::string source;       ///< Weight::name in the WeightPlan
  int64_t sourceRow = 0;    ///< first row taken
  int64_t rows = 0;         ///< how many
  int64_t sourceColumn = 0; ///< first column taken
  int64_t columns = 0;      ///< how many; the matrix's further columns are zero
  int64_t row = 0;          ///< first row in the packed matrix
  int64_t expert = 0;       ///< first expert in the packed matrix
  int64_t experts = 1;      ///< source expert i becomes expert + i
};

/// One entry of the weight file made of parts. Rows and experts that no part
/// covers are zero. Without a format the weight is stored plain, row-major in
/// the WeightPlan's type (norms, taps, embedding): one part, the whole weight,
/// of which only the source's name counts.
struct PackedMatrix {
  std::string name;
  std::optional<PackedFormat> format;
  int64_t repeat = 1, experts = 1, rows = 0, columns = 0;
  std::vector<PackedPart> parts;
};

using PackPlan = std::vector<PackedMatrix>; ///< in the order of the manifest

/// A weight's shape as [repeat][experts][rows][columns].
struct MatrixShape {
  int64_t repeat = 1, experts = 1, rows = 1, columns = 1;
};
MatrixShape matrixShape(const Weight &weight);

/// One plain entry per weight, under its own name.
PackPlan plainPackPlan(const WeightPlan &weights);

/// Fails when \p plan cannot be carried out: an unknown source, parts outside
/// of their source or their matrix, two parts on one row, an impossible format.
llvm::Error checkPackPlan(const PackPlan &plan, const WeightPlan &weights);

} // namespace quartet
#endif

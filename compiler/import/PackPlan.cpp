// Checks of plans: whatever decided them, the packer touches no row and no
// column that does not exist.
#include "compiler/import/PackPlan.h"
#include "llvm/ADT/StringMap.h"

using namespace llvm;
using namespace quartet;

MatrixShape quartet::matrixShape(const Weight &weight) {
  ArrayRef<int64_t> dims = weight.shape;
  MatrixShape shape;
  auto take = [&](int64_t &extent) {
    if (dims.empty())
      return;
    extent = dims.back();
    dims = dims.drop_back();
  };
  take(shape.columns);
  take(shape.rows);
  if (dims.size() >= 2)
    take(shape.experts);
  take(shape.repeat);
  return shape;
}

PackPlan quartet::plainPackPlan(const WeightPlan &weights) {
  PackPlan plan;
  for (const Weight &weight : weights.weights) {
    MatrixShape shape = matrixShape(weight);
    PackedPart part;
    part.source = weight.name;
    part.rows = shape.rows;
    part.columns = shape.columns;
    part.experts = shape.experts;
    plan.push_back({weight.name,
                    std::nullopt,
                    shape.repeat,
                    shape.experts,
                    shape.rows,
                    shape.columns,
                    {part}});
  }
  return plan;
}

namespace {

/// Are [begin, begin + count) within [0, size)? No sum can overflow.
bool within(int64_t begin, int64_t count, int64_t size) {
  return begin >= 0 && count > 0 && begin <= size && count <= size - begin;
}

bool overlap(int64_t a, int64_t aCount, int64_t b, int64_t bCount) {
  return a < b + bCount && b < a + aCount;
}

Error checkMatrix(const PackedMatrix &matrix,
                  const StringMap<const Weight *> &weights) {
  auto fail = [&](const Twine &message) {
    return createStringError("packed matrix '" + matrix.name + "': " + message);
  };
  if (!matrix.format && matrix.parts.size() != 1)
    return fail(Twine(matrix.parts.size()) +
                " parts without a format, expected one");
  for (const PackedPart &part : matrix.parts)
    if (!weights.contains(part.source))
      return fail("no weight '" + part.source + "' in the model");
  if (!matrix.format)
    return Error::success();
  if (std::string why = matrix.format->whyInvalid(); !why.empty())
    return fail("format " + matrix.format->str() + ": " + why);
  if (matrix.repeat < 1 || matrix.experts < 1 || matrix.rows < 1 ||
      matrix.columns < 1)
    return fail("an extent is not positive");
  for (size_t i = 0; i < matrix.parts.size(); ++i) {
    const PackedPart &part = matrix.parts[i];
    const Weight &weight = *weights.lookup(part.source);
    MatrixShape shape = matrixShape(weight);
    if (weight.shape.size() < 2 || weight.shape.size() > 4)
      return fail("weight '" + part.source + "' is no matrix");
    if (shape.repeat != matrix.repeat)
      return fail("weight '" + part.source + "' repeats " +
                  Twine(shape.repeat) + " times, expected " +
                  Twine(matrix.repeat));
    if (!within(part.sourceRow, part.rows, shape.rows) ||
        !within(part.sourceColumn, part.columns, shape.columns) ||
        !within(0, part.experts, shape.experts))
      return fail("a part reaches outside of weight '" + part.source + "'");
    if (!within(part.row, part.rows, matrix.rows) ||
        !within(part.expert, part.experts, matrix.experts) ||
        !within(0, part.columns, matrix.columns))
      return fail("the part from weight '" + part.source +
                  "' reaches outside of the matrix");
    for (size_t j = 0; j < i; ++j) {
      const PackedPart &other = matrix.parts[j];
      if (overlap(part.row, part.rows, other.row, other.rows) &&
          overlap(part.expert, part.experts, other.expert, other.experts))
        return fail("parts from weights '" + other.source + "' and '" +
                    part.source + "' share a row");
    }
  }
  return Error::success();
}

} // namespace

Error quartet::checkPackPlan(const PackPlan &plan, const WeightPlan &weights) {
  StringMap<const Weight *> byName;
  for (const Weight &weight : weights.weights)
    byName[weight.name] = &weight;
  for (const PackedMatrix &matrix : plan)
    if (Error error = checkMatrix(matrix, byName))
      return error;
  return Error::success();
}

// Reads the types and parts of quartet.weight ops.
#include "compiler/PackPlanOf.h"
#include "dialects/Quartet/QuartetOps.h"

using namespace quartet;

static PackedPart partOf(PartAttr part) {
  PackedPart result;
  result.source = part.getSource().getValue().str();
  result.sourceRow = part.getSourceRow();
  result.rows = part.getRows();
  result.sourceColumn = part.getSourceColumn();
  result.columns = part.getColumns();
  result.row = part.getRow();
  result.expert = part.getExpert();
  result.experts = part.getExperts();
  return result;
}

static PackedMatrix matrixOf(WeightOp weight) {
  PackedMatrix matrix;
  matrix.name = weight.getSymName().str();
  auto packed = mlir::dyn_cast<PackedType>(weight.getType());
  PackedPart whole;
  whole.source = matrix.name;
  if (!packed) {
    matrix.parts.push_back(whole);
    return matrix;
  }
  llvm::ArrayRef<int64_t> shape = packed.getShape();
  matrix.format = packed.getPackedFormat();
  matrix.repeat = weight.getRepeat().value_or(1);
  matrix.experts = shape.size() == 3 ? shape[0] : 1;
  matrix.rows = shape[shape.size() - 2];
  matrix.columns = shape.back();
  if (!weight.getParts()) {
    whole.rows = matrix.rows;
    whole.columns = matrix.columns;
    whole.experts = matrix.experts;
    matrix.parts.push_back(whole);
    return matrix;
  }
  for (auto part : weight.getParts()->getAsRange<PartAttr>())
    matrix.parts.push_back(partOf(part));
  return matrix;
}

PackPlan quartet::packPlanOf(mlir::ModuleOp module) {
  PackPlan plan;
  module.walk([&](WeightOp weight) { plan.push_back(matrixOf(weight)); });
  return plan;
}

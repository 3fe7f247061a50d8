// Registers the quartet dialect's ops, types and attributes.
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Quartet/QuartetDialect.cpp.inc"
#include "dialects/Quartet/QuartetEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Quartet/QuartetTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Quartet/QuartetAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Quartet/QuartetOps.cpp.inc"

using namespace mlir;
using namespace quartet;

void QuartetDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Quartet/QuartetTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Quartet/QuartetAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Quartet/QuartetOps.cpp.inc"
      >();
}

llvm::StringRef quartet::stepInputName(StepInput input) {
  static constexpr llvm::StringLiteral kNames[] = {
      "tokens",   "positions",  "token_seq", "seq_start",   "seq_past",
      "seq_slot", "page_table", "rows",      "temperature", "top_k",
      "top_p",    "min_p",      "uniform"};
  return kNames[input];
}

RankedTensorType quartet::stepInputType(MLIRContext *context, StepInput input) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type i32 = IntegerType::get(context, 32);
  Type f32 = Float32Type::get(context);
  switch (input) {
  case kPositions:
    return RankedTensorType::get({3, kDynamic}, i32);
  case kPageTable:
    return RankedTensorType::get({kDynamic, kDynamic}, i32);
  case kTemperature:
  case kTopP:
  case kMinP:
  case kUniform:
    return RankedTensorType::get({kDynamic}, f32);
  default:
    return RankedTensorType::get({kDynamic}, i32);
  }
}

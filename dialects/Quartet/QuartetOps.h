// The quartet dialect's classes, and the order of a step's inputs.
#ifndef QUARTET_DIALECTS_QUARTET_QUARTETOPS_H
#define QUARTET_DIALECTS_QUARTET_QUARTETOPS_H
#include "dialects/Quartet/KvPage.h"
#include "dialects/Quartet/PackedFormat.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Quartet/QuartetDialect.h.inc"
#include "dialects/Quartet/QuartetEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Quartet/QuartetTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Quartet/QuartetAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/Quartet/QuartetOps.h.inc"

namespace quartet {

/// The block arguments of quartet.step, in order.
enum StepInput : unsigned {
  kTokens,
  kPositions,
  kTokenSeq,
  kSeqStart,
  kSeqPast,
  kSeqSlot,
  kPageTable,
  kRows,
  kTemperature,
  kTopK,
  kTopP,
  kMinP,
  kUniform,
  kNumStepInputs,
  kHiddenIn = kNumStepInputs ///< of a step with `mtp` only
};

/// The shape of \p type, a ranked tensor or a packed matrix.
llvm::ArrayRef<int64_t> weightShape(mlir::Type type);

/// Name and type of each input of a step: i32 or f32 tensors, dynamic extents.
/// Not for kHiddenIn, whose width is the model's.
llvm::StringRef stepInputName(StepInput input);
mlir::RankedTensorType stepInputType(mlir::MLIRContext *context,
                                     StepInput input);

} // namespace quartet
#endif

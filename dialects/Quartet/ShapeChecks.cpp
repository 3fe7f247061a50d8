// The checks that several verifiers share; see the header.
#include "dialects/Quartet/ShapeChecks.h"
#include "dialects/Quartet/QuartetOps.h"
#include "llvm/ADT/SmallString.h"

using namespace mlir;
using namespace quartet;

LogicalResult quartet::checkShape(Operation *op, StringRef name, Value value,
                                  ArrayRef<Extent *> shape) {
  Type type = value.getType();
  ArrayRef<int64_t> dims = weightShape(type);
  auto fail = [&]() -> InFlightDiagnostic {
    InFlightDiagnostic diagnostic = op->emitOpError()
                                    << "expected '" << name << "' to be [";
    llvm::interleaveComma(shape, diagnostic, [&](Extent *extent) {
      diagnostic << extent->letter;
    });
    diagnostic << "]";
    return diagnostic;
  };
  if (dims.size() != shape.size())
    return fail() << ", found " << type;
  for (auto [extent, found] : llvm::zip_equal(shape, dims)) {
    bool isDynamic = ShapedType::isDynamic(found);
    if (extent->kind == Extent::kStatic &&
        (isDynamic || (!extent->isKnown() && found < 1)))
      return fail() << " with static " << extent->letter << " >= 1, found "
                    << type;
    if (isDynamic)
      continue;
    if (!extent->isKnown()) {
      extent->value = found;
      extent->setBy = name;
      continue;
    }
    if (extent->value == found)
      continue;
    InFlightDiagnostic diagnostic = fail();
    if (!extent->setBy.empty())
      diagnostic << " with " << extent->letter << " = " << extent->value
                 << " as in '" << extent->setBy << "'";
    return diagnostic << ", found " << type;
  }
  return success();
}

LogicalResult quartet::checkEpsilon(Operation *op, StringRef name,
                                    const APFloat &eps) {
  if (eps.isFiniteNonZero() && !eps.isNegative())
    return success();
  llvm::SmallString<16> text;
  eps.toString(text);
  return op->emitOpError() << "expected " << name << " > 0, found " << text;
}

LogicalResult quartet::checkHeadGroups(Operation *op, StringRef manyName,
                                       const Extent &many, StringRef fewName,
                                       const Extent &few) {
  if (!many.isKnown() || !few.isKnown() ||
      (few.getValue() > 0 && many.getValue() % few.getValue() == 0))
    return success();
  return op->emitOpError() << "expected " << manyName << " to be a multiple of "
                           << fewName << ", found " << many.getValue()
                           << " and " << few.getValue();
}

// Text and verifiers of the packed matrix type and of the parts of a matrix.
#include "dialects/Quartet/QuartetOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace quartet;

Type PackedType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  std::string format;
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false,
                                /*withTrailingX=*/false) ||
      parser.parseComma() || parser.parseString(&format) ||
      parser.parseGreater())
    return {};
  return PackedType::getChecked([&] { return parser.emitError(loc); },
                                parser.getContext(), ArrayRef<int64_t>(shape),
                                StringRef(format));
}

void PackedType::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleave(getShape(), printer.getStream(), "x");
  printer << ", \"" << getFormat() << "\">";
}

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> shape, StringRef format) {
  // C1
  if (shape.size() != 2 && shape.size() != 3)
    return emitError() << "expected a packed matrix to have rank 2 or 3, found "
                       << shape.size();
  // C1
  for (int64_t extent : shape)
    if (extent < 1)
      return emitError()
             << "expected extents of at least 1 in a packed matrix, found "
             << extent;
  // C2
  std::string_view text(format.data(), format.size());
  if (!PackedFormat::parse(text))
    return emitError() << "expected the format of a packed matrix, such as "
                          "\"int4:64\" or \"bf16\", found \""
                       << format << "\"";
  return success();
}

PackedFormat PackedType::getPackedFormat() const {
  StringRef text = getFormat();
  return *PackedFormat::parse(std::string_view(text.data(), text.size()));
}

LogicalResult PartAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               FlatSymbolRefAttr source, int64_t rows,
                               int64_t sourceRow, int64_t row, int64_t columns,
                               int64_t sourceColumn, int64_t experts,
                               int64_t expert) {
  // C1
  if (rows < 1 || columns < 1 || experts < 1)
    return emitError() << "expected a part with at least 1 row, column and "
                          "expert, found "
                       << rows << ", " << columns << " and " << experts;
  // C1
  if (sourceRow < 0 || row < 0 || sourceColumn < 0 || expert < 0)
    return emitError() << "expected a part to begin at 0 or later";
  // C2
  if (source.getValue().empty())
    return emitError() << "expected a part to name its source";
  return success();
}

ArrayRef<int64_t> quartet::weightShape(Type type) {
  if (auto packed = dyn_cast<PackedType>(type))
    return packed.getShape();
  return cast<RankedTensorType>(type).getShape();
}

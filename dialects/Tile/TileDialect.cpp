// Registers the tile dialect, and checks its types and attributes.
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/TileOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Tile/TileDialect.cpp.inc"
#include "dialects/Tile/TileEnums.cpp.inc"
#include "dialects/Tile/TileInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.cpp.inc"

using namespace mlir;
using namespace quartet::tile;

/// `[%token, %index]`, the token left out where it does not exist.
static ParseResult
parsePiece(OpAsmParser &parser,
           std::optional<OpAsmParser::UnresolvedOperand> &token,
           OpAsmParser::UnresolvedOperand &index) {
  OpAsmParser::UnresolvedOperand first;
  if (parser.parseLSquare() || parser.parseOperand(first))
    return failure();
  index = first;
  if (succeeded(parser.parseOptionalComma())) {
    token = first;
    if (parser.parseOperand(index))
      return failure();
  }
  return parser.parseRSquare();
}

static void printPiece(OpAsmPrinter &printer, Operation *, Value token,
                       Value index) {
  printer << '[';
  if (token)
    printer << token << ", ";
  printer << index << ']';
}

/// `[<tokens 64>, <count 193>]`.
static ParseResult parseExtents(OpAsmParser &parser, ArrayAttr &extents) {
  SmallVector<Attribute> list;
  auto one = [&]() -> ParseResult {
    list.push_back(ExtentAttr::parse(parser, {}));
    return success(bool(list.back()));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, one))
    return failure();
  extents = parser.getBuilder().getArrayAttr(list);
  return success();
}

static void printExtents(OpAsmPrinter &printer, Operation *,
                         ArrayAttr extents) {
  printer << '[';
  llvm::interleaveComma(extents.getAsRange<ExtentAttr>(), printer.getStream(),
                        [&](ExtentAttr extent) { extent.print(printer); });
  printer << ']';
}

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Tile/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}

LogicalResult
ExtentAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                   ExtentKind, int64_t size) {
  if (size < 1)
    return emitError() << "an extent counts at least 1, not " << size;
  return success();
}

LogicalResult
RowsType::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                 int64_t tokens, int64_t columns, int64_t group) {
  if (tokens < 1 || columns < 1)
    return emitError() << "staged rows need at least one token and one column";
  if (group != 0 && group != 16 && group != 32 && group != 64 && group != 128)
    return emitError() << "the group of staged rows is 0, 16, 32, 64 or 128, "
                          "not "
                       << group;
  return success();
}

quartet::PackedFormat WeightsType::getPackedFormat() const {
  llvm::StringRef text = getFormat();
  return *PackedFormat::parse(std::string_view(text.data(), text.size()));
}

LogicalResult
WeightsType::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                    int64_t rows, int64_t columns, llvm::StringRef format) {
  if (rows < 1 || columns < 1)
    return emitError() << "a tile of weights needs at least one row and column";
  if (!PackedFormat::parse(std::string_view(format.data(), format.size())))
    return emitError() << "'" << format << "' is not a packed format";
  return success();
}

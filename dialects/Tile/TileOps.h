// The tile dialect's classes.
#ifndef QUARTET_DIALECTS_TILE_TILEOPS_H
#define QUARTET_DIALECTS_TILE_TILEOPS_H
#include "dialects/Quartet/PackedFormat.h"
#include "dialects/Tile/Access.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Tile/TileDialect.h.inc"
#include "dialects/Tile/TileEnums.h.inc"
#include "dialects/Tile/TileInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/TileTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"

namespace quartet::tile {
/// The declaration that \p name means inside a step: the step's buffer or event
/// of that name, else the program's weight or state; null when there is none.
mlir::Operation *lookUp(mlir::Operation *from, llvm::StringRef name);
} // namespace quartet::tile
#endif

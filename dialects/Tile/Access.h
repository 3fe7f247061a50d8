// What an op of the tile dialect touches, in terms of a task's coordinates.
#ifndef QUARTET_DIALECTS_TILE_ACCESS_H
#define QUARTET_DIALECTS_TILE_ACCESS_H
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace quartet::tile {

/// A piece of a buffer, state or weight. Pieces with different coordinates are
/// disjoint; pieces with the same ones are the same.
struct Access {
  llvm::StringRef symbol;
  bool reads = false, writes = false;
  /// The coordinates that select the piece; none: the whole.
  llvm::SmallVector<mlir::Value, 3> coordinates;
  /// Columns [column, column + columns) of the piece; columns < 0: all. Of a
  /// matrix: rows.
  int64_t column = 0, columns = -1;
};

} // namespace quartet::tile
#endif

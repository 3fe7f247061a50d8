// What an op of the tile dialect touches, in terms of a task's coordinates.
#ifndef QUARTET_DIALECTS_TILE_ACCESS_H
#define QUARTET_DIALECTS_TILE_ACCESS_H
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace quartet::tile {

/// What a coordinate of a task counts.
enum class Axis { Tokens, Columns, Sequences, Heads, Ranges, Experts };

/// A coordinate of a task, and what it cuts: tile number `value` of `tile`
/// tokens, columns (of a matrix: rows), pages, or of one of the others.
struct Coordinate {
  mlir::Value value;
  Axis axis;
  int64_t tile = 1;
};

/// A piece of a buffer, state or weight. Pieces of one axis and tile are
/// disjoint when their coordinates differ, and the same when they agree.
struct Access {
  llvm::StringRef symbol;
  bool reads = false, writes = false;
  /// The coordinates that select the piece; none: the whole.
  llvm::SmallVector<Coordinate, 3> coordinates;
  /// The piece lies in columns [column, column + columns); columns < 0: any. Of
  /// a matrix: rows.
  int64_t column = 0, columns = -1;
};

} // namespace quartet::tile
#endif

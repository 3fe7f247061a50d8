// What kind of work an op is, as far as phases are concerned.
#ifndef QUARTET_PASSES_SCHEDULE_OPROLES_H
#define QUARTET_PASSES_SCHEDULE_OPROLES_H
#include "dialects/Quartet/QuartetOps.h"

namespace quartet {

enum class Role {
  // Anchors: work that is cut into tasks.
  Matrix,  ///< needs whole rows, makes columns of its result in pieces
  Heads,   ///< needs whole heads over all tokens of a sequence
  Rows,    ///< needs and makes whole rows; a phase by itself
  Barrier, ///< the repeated block, and the end: no phase
  // Glue: done by the tasks of an anchor.
  WayIn,  ///< prepares the rows that a matrix reads
  WayOut, ///< works on pieces as their tasks make them
  View,   ///< says how a value is divided; no work
  Input,  ///< reads a state before the step changes it
  Free,   ///< costs nothing and can stand in every phase that needs it
  Global, ///< a constant: stands before all phases
  None    ///< has no place in the step program
};

inline bool isAnchor(Role role) { return role <= Role::Barrier; }

/// The role of \p op by its kind and by who uses its results; what is left of
/// the ops around it in its block decides the rest.
Role roleOf(mlir::Operation *op);

/// The rows that an op of role Matrix reads.
mlir::Value stagedRows(mlir::Operation *op);

} // namespace quartet
#endif

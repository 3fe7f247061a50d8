// The table of compiled programs (quartet_programs in the runtime's ABI) as
// LLVM globals. Every lowering ends with it.
#ifndef QUARTET_PASSES_LOWER_PROGRAMTABLE_H
#define QUARTET_PASSES_LOWER_PROGRAMTABLE_H
#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <string>
#include <vector>

namespace quartet {

/// quartet_bucket; the defaults are a bucket for any step that needs nothing.
struct ProgramBucket {
  int64_t tokens = INT64_MAX, sequences = INT64_MAX;
  int64_t scratchBytes = 0, scratchPageBytes = 0, localBytes = 0;
  int64_t syncCounters = 0;
  bool team = false;
  std::string run; ///< symbol of an llvm.func (ptr, i64, i64)
};

/// quartet_program.
struct Program {
  std::string target, features;
  std::vector<ProgramBucket> buckets;         ///< ascending tokens
  std::vector<ProgramBucket> mtpBuckets = {}; ///< the same; none: no such step
};

/// Defines quartet_programs and quartet_num_programs at the end of \p module,
/// which must have the functions that the buckets name.
void emitProgramTable(mlir::ModuleOp module,
                      const std::vector<Program> &programs);

/// How many buckets a program in another object has.
struct ProgramPart {
  int64_t buckets = 0, mtpBuckets = 0;
};

/// Makes the table of \p module, of one program, part \p number of a larger
/// one: what belongs to the program becomes visible to other objects under
/// names with that number, the table itself goes.
ProgramPart exportProgram(mlir::ModuleOp module, unsigned number);

/// Defines quartet_programs and quartet_num_programs in \p module for parts
/// 0, 1, ... of other objects, which exportProgram made.
void emitJoinedTable(mlir::ModuleOp module,
                     const std::vector<ProgramPart> &parts);

} // namespace quartet
#endif

// The table of compiled programs (quartet_programs in the runtime's ABI) as
// LLVM globals. Every lowering ends with it.
#ifndef QUARTET_PASSES_LOWER_PROGRAMTABLE_H
#define QUARTET_PASSES_LOWER_PROGRAMTABLE_H
#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quartet {

/// quartet_span.
struct ProgramSpan {
  std::string phase;
  int64_t layer = 0;
};

/// quartet_launch.
struct ProgramLaunch {
  std::string kernel;
  int64_t layer = 0, sharedBytes = 0;
  bool overlap = false, cooperative = false;
  /// The symbol is an llvm.func (ptr, i64, ptr) of this module.
  bool host = false;
  std::vector<ProgramSpan> spans = {};
};

/// quartet_bucket; the defaults are a bucket for any step that needs nothing.
struct ProgramBucket {
  int64_t tokens = INT64_MAX, sequences = INT64_MAX;
  int64_t scratchBytes = 0, scratchPageBytes = 0, localBytes = 0;
  int64_t syncCounters = 0;
  bool team = false;
  std::string run; ///< symbol of an llvm.func (ptr, i64, i64); empty: a device
  std::vector<ProgramLaunch> launches = {}; ///< of a device
};

/// quartet_device.
struct ProgramDevice {
  struct Image {
    int64_t kind = 0; ///< QUARTET_IMAGE_*
    std::string data;
  };
  int64_t kind = 0; ///< QUARTET_DEVICE_*
  std::string arch;
  int64_t threads = 0, lanes = 0, blocksPerUnit = 0, clockHertz = 0;
  std::vector<Image> images;
  std::optional<ProgramLaunch> fill;     ///< none: kernels alone, in tests
  std::vector<ProgramLaunch> peaks = {}; ///< none, or quartet_device.peaks
};

/// quartet_program.
struct Program {
  std::string target, features;
  std::vector<ProgramBucket> buckets;         ///< ascending tokens
  std::vector<ProgramBucket> mtpBuckets = {}; ///< the same; none: no such step
  std::optional<ProgramDevice> device = {};   ///< none: the CPU
};

/// Defines quartet_programs and quartet_num_programs at the end of \p module,
/// which must have the functions that the buckets name.
void emitProgramTable(mlir::ModuleOp module,
                      const std::vector<Program> &programs);

/// How many buckets a program in another object has.
struct ProgramPart {
  int64_t buckets = 0, mtpBuckets = 0;
  bool device = false;
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

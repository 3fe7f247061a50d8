// Descriptions of machines: facts from targets/<vendor>/<chip>.json, which the
// build puts into the compiler. They say what a machine is; how its code is
// made is the lowering's business.
#ifndef QUARTET_TARGETS_CHIPS_H
#define QUARTET_TARGETS_CHIPS_H
#include "targets/Target.h"
#include "targets/gpu/GpuFacts.h"
#include <optional>

namespace quartet {

/// A matrix instruction: sum[m, n] += a[m, k] * b[k, n].
struct MatrixUnit {
  int64_t m = 0, n = 0, k = 0;
  std::string a, b, sum; ///< element types: "int8", "bf16", "f32", ...
};

/// One machine, or one level of machines that programs can count on.
struct Chip {
  std::string name;  ///< what --target takes
  std::string about; ///< one line for people
  Capabilities capabilities;
  int64_t localBytes = 0; ///< memory of one worker alone (level 2 cache)
  int64_t vectorBits = 0; ///< of the widest registers
  std::vector<MatrixUnit> matrixUnits;
  /// A GPU's: then it has no memory and no vectors of its own above, and of the
  /// capabilities only triple, cpu and features.
  std::optional<gpu::GpuFacts> gpu;
};

/// A file that the build put into the compiler.
struct ChipFile {
  llvm::StringRef name; ///< "targets/cpu/x86-64-v3.json"
  llvm::StringRef text;
};

/// All of them, the most general of each vendor first.
llvm::ArrayRef<ChipFile> chipFiles();

/// Reads one description, of a GPU in the folders nvidia and amd, else of a
/// CPU. Every field must be there, and no other; an error names the file, the
/// field, and what was found and expected.
llvm::Expected<Chip> parseChip(const ChipFile &file);

/// The description called \p name, or that of "host". An unknown name is an
/// error that lists the known ones.
llvm::Expected<Chip> findChip(llvm::StringRef name);

/// The facts of the GPU called \p name. Any other name is an error that lists
/// the known ones.
llvm::Expected<gpu::GpuFacts> findGpuFacts(llvm::StringRef name);

} // namespace quartet
#endif

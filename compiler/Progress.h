// What the driver says on standard error: the stage it is in and what it wrote.
// Every line is whole and starts with the time since the start, so that a log,
// a terminal, a progress bar and a diagnostic in between all read well.
#ifndef QUARTET_COMPILER_PROGRESS_H
#define QUARTET_COMPILER_PROGRESS_H
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/Twine.h"
#include <chrono>
#include <cstdint>

namespace quartet {

class StageProgress {
public:
  explicit StageProgress(bool quiet)
      : quiet(quiet), start(std::chrono::steady_clock::now()) {}

  /// A stage that starts, or a remark.
  void note(const llvm::Twine &text);
  void wrote(const llvm::Twine &file, uint64_t bytes);

private:
  bool quiet;
  std::chrono::steady_clock::time_point start;
};

/// Prints an MLIR diagnostic the way the driver prints its own errors, with the
/// part of the model that its location names: "quartetc: error: l2: ...".
void printDiagnostic(mlir::Diagnostic &diagnostic);

} // namespace quartet
#endif

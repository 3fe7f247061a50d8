// What the driver says on standard error: the stage it is in, how long the last one
// took, and what it wrote.
#ifndef QUARTET_COMPILER_PROGRESS_H
#define QUARTET_COMPILER_PROGRESS_H
#include "llvm/ADT/Twine.h"
#include <chrono>
#include <cstdint>

namespace quartet {

class StageProgress {
public:
  explicit StageProgress(bool quiet) : quiet(quiet) {}
  ~StageProgress();

  /// Starts a stage; the one before it is over.
  void begin(const llvm::Twine &what);
  /// A line of its own.
  void note(const llvm::Twine &text);
  void wrote(const llvm::Twine &file, uint64_t bytes);

private:
  void end();

  bool quiet, running = false;
  std::chrono::steady_clock::time_point start;
};

} // namespace quartet
#endif

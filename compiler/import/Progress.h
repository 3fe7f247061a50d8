// Shows on standard error how far a long work is: a bar on a terminal, a line
// every few seconds in a log.
#ifndef QUARTET_COMPILER_IMPORT_PROGRESS_H
#define QUARTET_COMPILER_IMPORT_PROGRESS_H
#include "llvm/ADT/StringRef.h"
#include <chrono>
#include <cstdint>
#include <string>

namespace quartet {

/// "512 bytes", "69.3 GB": decimal units, three digits.
std::string formatBytes(uint64_t bytes);
/// "12 s", "3 min 07 s", "2 h 5 min".
std::string formatSeconds(double seconds);

class Progress {
public:
  /// Shows nothing unless \p enabled. \p what is a verb, as in "packing";
  /// \p unit, as in "tokens", is what is counted: without it, bytes.
  Progress(llvm::StringRef what, uint64_t total, bool enabled,
           llvm::StringRef unit = "");
  /// Ends the bar's line.
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void update(uint64_t done);

private:
  using Clock = std::chrono::steady_clock;
  std::string what, unit;
  uint64_t total;
  bool enabled, terminal;
  bool shown = false;
  Clock::time_point start, last;
};

} // namespace quartet
#endif

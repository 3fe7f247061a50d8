// Stage lines on standard error.
#include "compiler/Progress.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace quartet;

StageProgress::~StageProgress() { end(); }

void StageProgress::end() {
  if (!running)
    return;
  running = false;
  std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  llvm::errs() << llvm::format("  %.1f s\n", taken.count());
}

void StageProgress::begin(const llvm::Twine &what) {
  if (quiet)
    return;
  end();
  running = true;
  start = std::chrono::steady_clock::now();
  llvm::errs() << "quartetc: " << what;
  llvm::errs().flush();
}

void StageProgress::note(const llvm::Twine &text) {
  if (quiet)
    return;
  end();
  llvm::errs() << "quartetc: " << text << "\n";
}

void StageProgress::wrote(const llvm::Twine &file, uint64_t bytes) {
  if (quiet)
    return;
  end();
  llvm::errs() << "quartetc: wrote " << file
               << llvm::format(" (%.1f MB)\n", bytes / 1e6);
}

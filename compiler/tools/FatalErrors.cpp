// LLVM's own handler prints a stack of the program and aborts, which says
// nothing to somebody who compiles a model.
#include "compiler/tools/FatalErrors.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <string>

/// What this thread is doing, the innermost first: LLVM's passes name the
/// function, generateCode() the machine, and the command line comes last.
static void printDoing(llvm::raw_ostream &stream) {
  auto *entry = static_cast<const llvm::PrettyStackTraceEntry *>(
      llvm::SavePrettyStackState());
  for (; entry; entry = entry->getNextEntry()) {
    std::string text;
    llvm::raw_string_ostream line(text);
    entry->print(line);
    stream << "quartetc:   in: " << llvm::StringRef(text).trim() << "\n";
  }
}

static void fail(void *, const char *reason, bool) {
  llvm::outs().flush();
  llvm::errs() << "quartetc: error: LLVM cannot compile what quartetc made: "
               << llvm::StringRef(reason).trim() << "\n";
  printDoing(llvm::errs());
  // What a new chip's file says is taken as it is.
  if (llvm::StringRef(reason).contains("does not support target"))
    llvm::errs() << "quartetc: the field 'features' of the chip's file "
                    "(targets/VENDOR/CHIP.json) may name too old a version\n";
  llvm::errs() << "quartetc: this is a defect of quartetc; please report it "
                  "with the lines above and the input\n";
  llvm::sys::RunInterruptHandlers();
  // Other threads may be at work: nothing is torn down below them.
  std::_Exit(1);
}

void quartet::handleFatalErrors() { llvm::install_fatal_error_handler(fail); }

// Stage lines and diagnostics on standard error.
#include "compiler/Progress.h"
#include "compiler/import/Progress.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace quartet;

void StageProgress::note(const llvm::Twine &text) {
  if (quiet)
    return;
  std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  llvm::errs() << "quartetc: " << llvm::format("%5.1f s  ", taken.count())
               << text << "\n";
}

void StageProgress::wrote(const llvm::Twine &file, uint64_t bytes) {
  note("wrote " + file + " (" + formatBytes(bytes) + ")");
}

static llvm::StringRef severity(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Note:
    return "note";
  case mlir::DiagnosticSeverity::Warning:
    return "warning";
  case mlir::DiagnosticSeverity::Error:
    return "error";
  case mlir::DiagnosticSeverity::Remark:
    return "remark";
  }
  return "diagnostic";
}

void quartet::printDiagnostic(mlir::Diagnostic &diagnostic) {
  llvm::errs() << "quartetc: " << severity(diagnostic.getSeverity()) << ": ";
  if (auto named = diagnostic.getLocation()->findInstanceOf<mlir::NameLoc>())
    llvm::errs() << named.getName().getValue() << ": ";
  llvm::errs() << diagnostic << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    printDiagnostic(note);
}

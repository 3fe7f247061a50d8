// Prints errors the same way for all commands.
#include "compiler/tools/Report.h"
#include "llvm/Support/raw_ostream.h"

int quartet::report(llvm::Error error) {
  llvm::outs().flush();
  if (!error && llvm::outs().has_error())
    error = llvm::createStringError("cannot write to standard output: " +
                                    llvm::outs().error().message());
  llvm::outs().clear_error();
  if (!error)
    return 0;
  llvm::handleAllErrors(std::move(error), [](const llvm::ErrorInfoBase &info) {
    llvm::errs() << "quartetc: error: " << info.message() << "\n";
  });
  return 1;
}

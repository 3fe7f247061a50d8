// What a compiled executable says about itself, as far as measuring it needs.
#ifndef QUARTET_COMPILER_EVAL_COMPILEDMODEL_H
#define QUARTET_COMPILER_EVAL_COMPILEDMODEL_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace quartet {

struct CompiledModel {
  std::string executable;
  std::string formats; ///< of its matrices, the largest part first
  uint64_t weightsBytes = 0;
  int64_t vocab = 0, maxPositions = 0;

  /// Asks `EXECUTABLE info --json`; messages go to the file \p log.
  static llvm::Expected<CompiledModel> ask(llvm::StringRef executable,
                                           llvm::StringRef log);
  /// Reads what it prints; \p executable is for messages.
  static llvm::Expected<CompiledModel> parse(llvm::StringRef json,
                                             llvm::StringRef executable);
};

} // namespace quartet
#endif

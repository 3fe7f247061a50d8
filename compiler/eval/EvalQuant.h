// Measures what quantization costs: one text through two builds of a model.
#ifndef QUARTET_COMPILER_EVAL_EVALQUANT_H
#define QUARTET_COMPILER_EVAL_EVALQUANT_H
#include "compiler/Driver.h"
#include "compiler/eval/CompiledModel.h"
#include "compiler/eval/Divergence.h"
#include "llvm/Support/raw_ostream.h"

namespace quartet {

struct EvalQuantCommand {
  /// Model, format and statistics of the quantized build. The reference is the
  /// same without them.
  BuildCommand build;
  std::string text;       ///< file
  std::string reference;  ///< executable; empty: build it
  int64_t tokens = 2048;  ///< most predictions
  int64_t context = 1024; ///< most tokens that a prediction looks back on
};

/// What a report says.
struct EvalQuantResult {
  std::string model, text, quantization;
  CompiledModel reference, quantized;
  int64_t context = 0;
  DivergenceSummary summary;
};

/// Before anything is built: fails for what would make evalQuant fail later.
llvm::Error checkEvalQuant(const EvalQuantCommand &command,
                           llvm::StringRef folder);
/// Builds both executables in \p folder, runs the text through them and
/// compares the predictions row by row; a row of each is in memory, and nothing
/// of them on the disk.
llvm::Expected<EvalQuantResult> evalQuant(const EvalQuantCommand &command,
                                          llvm::StringRef folder);

/// For people: a table and a last line that says it all.
void printReport(const EvalQuantResult &result, llvm::raw_ostream &out);
/// The same as one JSON object.
void printJson(const EvalQuantResult &result, llvm::raw_ostream &out);

} // namespace quartet
#endif

// `quartetc plan`: what a model's steps read and compute on a target, and how
// long they must take at least. Needs a configuration only, no weights.
#ifndef QUARTET_COMPILER_PLAN_PLAN_H
#define QUARTET_COMPILER_PLAN_PLAN_H
#include "compiler/plan/PlanReport.h"
#include "models/Config.h"

namespace quartet {

struct PlanCommand {
  std::string model;            ///< directory with config.json, or *.gguf
  std::string target = "host";  ///< see targetNames()
  std::string cpu;              ///< LLVM CPU; empty: the target's own
  std::optional<Dtype> dtype;   ///< absent: as in the checkpoint
  std::optional<KvType> kvType; ///< absent: as the matrices
  std::string quant;            ///< format, recipe or file; empty: as it comes
  std::optional<int64_t> quantGroup;
  std::vector<int64_t> buckets; ///< tokens; empty: the target's choice
  ConfigOptions config;
  std::vector<int64_t> contexts{64, 4096}; ///< positions before a token
  std::vector<int64_t> batches{1};         ///< sequences that decode together
  std::vector<int64_t> prompts{512};       ///< tokens
  int64_t workers = 0;                     ///< 0: the target's
  /// Of the machine; 0: the target's. The peaks are of one worker.
  double readGBs = 0, f32Gflops = 0, int8Gops = 0;
  bool json = false; ///< one JSON object in place of the text; same content
};

/// Errors are those of a build up to its schedule, a CPU that the step program
/// does not run on, and a batch that no bucket holds.
llvm::Expected<PlanReport> makePlan(const PlanCommand &command);

/// Prints the plan to \p os.
llvm::Error plan(const PlanCommand &command, llvm::raw_ostream &os);

} // namespace quartet
#endif

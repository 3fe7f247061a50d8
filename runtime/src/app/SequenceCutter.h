// Gives out sequences of tokens step by step, as the logits command runs them.
#ifndef QUARTET_RUNTIME_APP_SEQUENCECUTTER_H
#define QUARTET_RUNTIME_APP_SEQUENCECUTTER_H
#include "runtime/src/app/TokenList.h"
#include "runtime/src/engine/Engine.h"

namespace quartet::rt {

/// A piece of a sequence in a step.
struct CutPiece {
  size_t sequence = 0; ///< place in the list
  int64_t first = 0;   ///< place of its first token in the sequence
  StepPiece step;      ///< without rows
};

class SequenceCutter {
public:
  /// \p pieces has the sizes of each sequence's pieces; those larger than a
  /// step are cut into several. What lies behind them is left out. All
  /// arguments must outlive this.
  SequenceCutter(const Engine &engine, const NumberLists &sequences,
                 NumberLists pieces);

  /// Opens every sequence in \p engine.
  bool open(Engine &engine, std::string *error);
  int32_t id(size_t sequence) const { return progress[sequence].id; }

  /// The next step: a piece of every sequence that has some left, as far as
  /// they fit. Empty at the end.
  std::vector<CutPiece> next();

private:
  struct Progress {
    int32_t id = -1;  ///< in the engine
    size_t piece = 0; ///< next one to run
    int64_t done = 0; ///< tokens
  };
  const NumberLists &sequences;
  NumberLists pieces;
  StepLimits limits;
  std::vector<Progress> progress;
};

} // namespace quartet::rt
#endif

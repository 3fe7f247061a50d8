// Cuts sequences into the pieces of steps.
#include "runtime/src/app/SequenceCutter.h"
#include <algorithm>

namespace quartet::rt {

SequenceCutter::SequenceCutter(const Engine &engine,
                               const NumberLists &sequences, NumberLists given)
    : sequences(sequences), pieces(std::move(given)), limits(engine.limits()),
      progress(sequences.size()) {
  for (std::vector<int32_t> &list : pieces) {
    std::vector<int32_t> cut;
    for (int32_t size : list)
      for (int64_t left = size; left > 0; left -= limits.tokens)
        cut.push_back(int32_t(std::min<int64_t>(left, limits.tokens)));
    list = std::move(cut);
  }
}

bool SequenceCutter::open(Engine &engine, std::string *error) {
  for (Progress &at : progress) {
    at.id = engine.open(error);
    if (at.id < 0)
      return false;
  }
  return true;
}

std::vector<CutPiece> SequenceCutter::next() {
  std::vector<CutPiece> step;
  int64_t tokens = 0;
  for (size_t s = 0; s != sequences.size(); ++s) {
    Progress &at = progress[s];
    if (at.piece == pieces[s].size())
      continue;
    int32_t size = pieces[s][at.piece];
    if (int64_t(step.size()) == limits.sequences ||
        size > limits.tokens - tokens)
      break;
    ++at.piece;
    tokens += size;
    CutPiece piece{s, at.done, {}};
    piece.step.sequence = at.id;
    auto begin = sequences[s].begin() + at.done;
    piece.step.tokens.assign(begin, begin + size);
    at.done += size;
    step.push_back(std::move(piece));
  }
  return step;
}

} // namespace quartet::rt

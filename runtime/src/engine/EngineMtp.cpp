// Steps of multi-token prediction. They use the sequences' pages, in states of
// their own, so that pair i of a sequence lies where token i does.
#include "runtime/src/engine/Engine.h"
#include "runtime/src/engine/Programs.h"

namespace quartet::rt {

int64_t Engine::mtpLength(int32_t sequence) const {
  return isOpen(sequence) ? sequences[size_t(sequence)].mtpLength : 0;
}

/// Says what is wrong with \p pieces, or returns an empty string.
std::string Engine::whyNotMtp(const std::vector<MtpPiece> &pieces) const {
  if (!hasMtp())
    return "this executable has no multi-token prediction; compile the model "
           "with quartetc build --mtp";
  if (pieces.empty())
    return "a step without sequences";
  std::vector<bool> taken(sequences.size(), false);
  int64_t newPages = 0, total = 0;
  for (const MtpPiece &piece : pieces) {
    std::string name = "sequence " + std::to_string(piece.sequence);
    if (!isOpen(piece.sequence))
      return name + " is not open";
    int64_t seen = sequences[size_t(piece.sequence)].mtpLength;
    if (piece.past < 0 || piece.past > seen)
      return name + " continues behind pair " + std::to_string(piece.past) +
             ", expected 0 to " + std::to_string(seen) +
             ", the pairs that it has seen";
    if (!piece.hidden)
      return name + " has no hidden states";
    if (std::string why = whyNotPiece(piece, piece.past, taken); !why.empty())
      return why;
    int64_t count = int64_t(piece.tokens.size());
    newPages += missingPages(piece.sequence, piece.past + count);
    total += count;
  }
  return whyNotFits(chooseBucket(program->mtp_buckets, program->num_mtp_buckets,
                                 total, int64_t(pieces.size())),
                    total, int64_t(pieces.size()), newPages);
}

bool Engine::mtpStep(const std::vector<MtpPiece> &pieces, StepResult &result,
                     std::string *error, const StepWish &wish) {
  std::string problem = whyNotMtp(pieces);
  if (!problem.empty()) {
    if (error)
      *error = problem;
    return false;
  }
  beginLayout();
  // Copied, because they may be what the last step left in hiddenOut.
  for (const MtpPiece &piece : pieces) {
    addPiece(piece, piece.past);
    hiddenIn.insert(hiddenIn.end(), piece.hidden,
                    piece.hidden + piece.tokens.size() * size_t(model->hidden));
  }
  finishLayout(wish);
  if (!runStep(*chooseBucket(program->mtp_buckets, program->num_mtp_buckets,
                             int64_t(tokens.size()), int64_t(pieces.size())),
               wish, result, error))
    return false;
  for (const MtpPiece &piece : pieces)
    sequences[size_t(piece.sequence)].mtpLength =
        piece.past + int64_t(piece.tokens.size());
  return true;
}

} // namespace quartet::rt

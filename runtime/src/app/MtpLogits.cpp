// Runs multi-token prediction as a server would: behind each step of the model,
// on the same tokens shifted by one, then on its own drafts.
#include "runtime/src/app/MtpLogits.h"
#include "runtime/src/app/SequenceCutter.h"

namespace quartet::rt {

namespace {
/// What the next draft of a sequence begins with.
struct Last {
  int32_t token = 0;         ///< likeliest of the last row
  std::vector<float> hidden; ///< of the last pair, [hidden]
};

class MtpRun {
public:
  MtpRun(Engine &engine, const NumberLists &sequences, int64_t drafts,
         NpyFile &file, std::string *error)
      : engine(engine), sequences(sequences), drafts(drafts), file(file),
        error(error), last(sequences.size()) {
    int64_t row = 0;
    for (const std::vector<int32_t> &sequence : sequences) {
      firstRow.push_back(row);
      row += mtpRows(int64_t(sequence.size()), drafts);
    }
  }

  bool run(SequenceCutter &cutter);

private:
  bool runPairs(const std::vector<CutPiece> &step, const StepResult &model);
  bool runDrafts(size_t sequence, int32_t id);
  /// Writes the rows of \p result, one per token of \p piece from row \p from
  /// on, and keeps what the next draft needs.
  bool keep(const StepResult &result, int64_t from, int64_t count,
            size_t sequence, int64_t firstPair);

  Engine &engine;
  const NumberLists &sequences;
  int64_t drafts;
  NpyFile &file;
  std::string *error;
  std::vector<int64_t> firstRow;
  std::vector<Last> last;
};
} // namespace

/// Every token's logits, the likeliest token drawn.
static void wantAll(StepPiece &piece) {
  for (size_t i = 0; i != piece.tokens.size(); ++i)
    piece.rows.push_back({int32_t(i), RowSampling()});
}

bool MtpRun::keep(const StepResult &result, int64_t from, int64_t count,
                  size_t sequence, int64_t firstPair) {
  const Manifest &model = engine.manifest();
  for (int64_t i = 0; i != count; ++i)
    if (!file.writeRow(firstRow[sequence] + firstPair + i,
                       result.logits + (from + i) * model.vocab, error))
      return false;
  int64_t end = from + count - 1;
  const float *hidden = result.hidden + end * model.hidden;
  last[sequence].token = result.sampled[end];
  last[sequence].hidden.assign(hidden, hidden + model.hidden);
  return true;
}

bool MtpRun::runPairs(const std::vector<CutPiece> &step,
                      const StepResult &model) {
  std::vector<MtpPiece> pairs;
  const float *hidden = model.hidden;
  for (const CutPiece &piece : step) {
    MtpPiece next;
    next.sequence = piece.step.sequence;
    next.past = piece.first;
    next.hidden = hidden;
    auto begin = sequences[piece.sequence].begin() + piece.first + 1;
    next.tokens.assign(begin, begin + int64_t(piece.step.tokens.size()));
    wantAll(next);
    hidden += next.tokens.size() * size_t(engine.manifest().hidden);
    pairs.push_back(std::move(next));
  }
  StepResult result;
  if (!engine.mtpStep(pairs, result, error))
    return false;
  int64_t row = 0;
  for (const CutPiece &piece : step) {
    int64_t count = int64_t(piece.step.tokens.size());
    if (!keep(result, row, count, piece.sequence, piece.first))
      return false;
    row += count;
  }
  return true;
}

bool MtpRun::runDrafts(size_t sequence, int32_t id) {
  for (int64_t i = 0; i != drafts; ++i) {
    MtpPiece pair;
    pair.sequence = id;
    pair.past = engine.mtpLength(id);
    pair.tokens = {last[sequence].token};
    pair.hidden = last[sequence].hidden.data();
    wantAll(pair);
    StepResult result;
    if (!engine.mtpStep({pair}, result, error) ||
        !keep(result, 0, 1, sequence, pair.past))
      return false;
  }
  return true;
}

bool MtpRun::run(SequenceCutter &cutter) {
  for (std::vector<CutPiece> step = cutter.next(); !step.empty();
       step = cutter.next()) {
    std::vector<StepPiece> pieces;
    for (const CutPiece &piece : step)
      pieces.push_back(piece.step);
    StepResult result;
    if (!engine.step(pieces, result, error) || !runPairs(step, result))
      return false;
  }
  for (size_t s = 0; s != sequences.size(); ++s)
    if (!runDrafts(s, cutter.id(s)))
      return false;
  return true;
}

bool writeMtpLogits(Engine &engine, const NumberLists &sequences,
                    const NumberLists &pieces, int64_t drafts, NpyFile &file,
                    std::string *error) {
  SequenceCutter cutter(engine, sequences, pieces);
  return cutter.open(engine, error) &&
         MtpRun(engine, sequences, drafts, file, error).run(cutter);
}

} // namespace quartet::rt

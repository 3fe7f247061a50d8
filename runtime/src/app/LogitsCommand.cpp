// logits: all logits of given sequences in a NumPy file, for comparisons with
// other implementations and between ways to cut the work into steps.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/NpyFile.h"
#include "runtime/src/app/TokenList.h"
#include "runtime/src/engine/Generate.h"
#include <algorithm>

namespace quartet::rt {

namespace {
/// A sequence on its way through the model.
struct Progress {
  int32_t id = -1;      ///< in the engine
  size_t piece = 0;     ///< next one to run
  int64_t done = 0;     ///< tokens
  int64_t firstRow = 0; ///< in the file
};
} // namespace

/// Cuts pieces that are larger than a step into several.
static void cutToSteps(NumberLists &pieces, int64_t limit) {
  for (std::vector<int32_t> &list : pieces) {
    std::vector<int32_t> cut;
    for (int32_t size : list)
      for (int64_t left = size; left > 0; left -= limit)
        cut.push_back(int32_t(std::min(left, limit)));
    list = std::move(cut);
  }
}

/// Runs the sequences step by step; in each step all take part that have pieces
/// left, as far as they fit.
static bool writeLogits(Engine &engine, const NumberLists &sequences,
                        const NumberLists &pieces, NpyFile &file,
                        std::string *error) {
  std::vector<Progress> progress(sequences.size());
  int64_t rows = 0;
  for (size_t s = 0; s != sequences.size(); ++s) {
    progress[s].id = engine.open(error);
    if (progress[s].id < 0)
      return false;
    progress[s].firstRow = rows;
    rows += int64_t(sequences[s].size());
  }
  while (true) {
    std::vector<StepPiece> step;
    std::vector<int64_t> rowOf; // in the file, of each row of the step
    int64_t tokens = 0;
    for (size_t s = 0; s != sequences.size(); ++s) {
      Progress &at = progress[s];
      if (at.piece == pieces[s].size())
        continue;
      int32_t size = pieces[s][at.piece];
      if (int64_t(step.size()) == engine.limits().sequences ||
          size > engine.limits().tokens - tokens)
        break;
      ++at.piece;
      tokens += size;
      StepPiece piece;
      piece.sequence = at.id;
      auto begin = sequences[s].begin() + at.done;
      piece.tokens.assign(begin, begin + size);
      for (int32_t i = 0; i != size; ++i) {
        piece.rows.push_back({i, RowSampling()});
        rowOf.push_back(at.firstRow + at.done + i);
      }
      at.done += size;
      step.push_back(std::move(piece));
    }
    if (step.empty())
      return true;
    StepResult result;
    if (!engine.step(step, result, error))
      return false;
    for (size_t r = 0; r != rowOf.size(); ++r)
      if (!file.writeRow(rowOf[r],
                         result.logits + int64_t(r) * engine.manifest().vocab,
                         error))
        return false;
  }
}

int logitsCommand(const Session &session) {
  const LogitsOptions &options = session.line.logits;
  std::string error;
  std::optional<NumberLists> sequences =
      parseLists(options.tokens, "--tokens", &error);
  if (!sequences)
    return session.fail(error, ExitUsage);
  std::vector<int64_t> lengths;
  EngineOptions engineOptions;
  engineOptions.sequences = int64_t(sequences->size());
  int64_t total = 0;
  for (const std::vector<int32_t> &sequence : *sequences) {
    if (std::string why = session.whyNotTokens(sequence); !why.empty())
      return session.fail("--tokens: " + why, ExitUsage);
    int64_t length = int64_t(sequence.size());
    lengths.push_back(length);
    total += length;
    engineOptions.pages +=
        (length + QUARTET_PAGE_TOKENS - 1) / QUARTET_PAGE_TOKENS;
  }
  std::optional<NumberLists> pieces;
  if (options.split) {
    pieces = parseLists(*options.split, "--split", &error);
    if (pieces)
      pieces = splitSequences(lengths, *pieces, &error);
    if (!pieces)
      return session.fail(error, ExitUsage);
  }

  LoadedModel model;
  if (!loadModel(session, engineOptions, model, &error))
    return session.fail(error);
  if (!pieces)
    pieces = chunkSequences(lengths,
                            prefillTokens(*model.engine, options.prefillChunk));
  cutToSteps(*pieces, model.engine->limits().tokens);
  std::unique_ptr<NpyFile> file =
      NpyFile::create(options.output, total, session.manifest.vocab, &error);
  if (!file ||
      !writeLogits(*model.engine, *sequences, *pieces, *file, &error) ||
      !file->finish(&error))
    return session.fail(error);
  return 0;
}

} // namespace quartet::rt

// logits: all logits of given sequences in a NumPy file, for comparisons with
// other implementations and between ways to cut the work into steps.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/MtpLogits.h"
#include "runtime/src/app/SequenceCutter.h"
#include "runtime/src/engine/Generate.h"

namespace quartet::rt {

/// Runs the sequences step by step; in each step all take part that have pieces
/// left, as far as they fit.
static bool writeLogits(Engine &engine, const NumberLists &sequences,
                        const NumberLists &pieces, NpyFile &file,
                        std::string *error) {
  SequenceCutter cutter(engine, sequences, pieces);
  if (!cutter.open(engine, error))
    return false;
  std::vector<int64_t> firstRow; // in the file
  int64_t rows = 0;
  for (const std::vector<int32_t> &sequence : sequences) {
    firstRow.push_back(rows);
    rows += int64_t(sequence.size());
  }
  for (std::vector<CutPiece> cut = cutter.next(); !cut.empty();
       cut = cutter.next()) {
    std::vector<StepPiece> step;
    std::vector<int64_t> rowOf; // in the file, of each row of the step
    for (CutPiece &piece : cut) {
      for (size_t i = 0; i != piece.step.tokens.size(); ++i) {
        piece.step.rows.push_back({int32_t(i), RowSampling()});
        rowOf.push_back(firstRow[piece.sequence] + piece.first + int64_t(i));
      }
      step.push_back(std::move(piece.step));
    }
    StepResult result;
    if (!engine.step(step, result, error))
      return false;
    for (size_t r = 0; r != rowOf.size(); ++r)
      if (!file.writeRow(rowOf[r],
                         result.logits + int64_t(r) * engine.manifest().vocab,
                         error))
        return false;
  }
  return true;
}

int logitsCommand(const Session &session) {
  const LogitsOptions &options = session.line.logits;
  std::string error;
  std::optional<NumberLists> sequences =
      parseLists(options.tokens, "--tokens", &error);
  if (!sequences)
    return session.fail(error, ExitUsage);
  if (options.mtp && !session.manifest.mtp)
    return session.fail("this executable has no multi-token prediction; "
                        "compile the model with quartetc build --mtp");
  std::vector<int64_t> lengths; // of what the model runs
  EngineOptions engineOptions;
  engineOptions.sequences = int64_t(sequences->size());
  int64_t total = 0;
  for (const std::vector<int32_t> &sequence : *sequences) {
    if (std::string why = session.whyNotTokens(sequence); !why.empty())
      return session.fail("--tokens: " + why, ExitUsage);
    int64_t length = int64_t(sequence.size());
    if (options.mtp && length < 2)
      return session.fail("--mtp: a sequence of 1 token has no pairs, expected "
                          "at least 2 tokens in each",
                          ExitUsage);
    lengths.push_back(options.mtp ? length - 1 : length);
    if (options.mtp)
      length = mtpRows(length, options.drafts);
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
  std::unique_ptr<NpyFile> file =
      NpyFile::create(options.output, total, session.manifest.vocab, &error);
  auto write = [&] {
    return options.mtp
               ? writeMtpLogits(*model.engine, *sequences, *pieces,
                                options.drafts, *file, &error)
               : writeLogits(*model.engine, *sequences, *pieces, *file, &error);
  };
  if (!file || !write() || !file->finish(&error))
    return session.fail(error);
  return 0;
}

} // namespace quartet::rt

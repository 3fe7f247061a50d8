// logits: all logits of given sequences in a NumPy file, for comparisons with
// other implementations and between ways to cut the work into steps; or as a
// stream, for measurements on texts whose logits would fill a disk.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/MtpLogits.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/SequenceCutter.h"
#include "runtime/src/engine/Generate.h"
#include <algorithm>

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

/// Runs one sequence after the other and writes the rows to standard output as
/// they come.
static bool streamLogits(Engine &engine, const NumberLists &sequences,
                         const NumberLists &pieces, std::string *error) {
  Output output;
  for (size_t s = 0; s != sequences.size(); ++s) {
    NumberLists one{sequences[s]};
    SequenceCutter cutter(engine, one, {pieces[s]});
    if (!cutter.open(engine, error))
      return false;
    for (std::vector<CutPiece> cut = cutter.next(); !cut.empty();
         cut = cutter.next()) {
      StepPiece &step = cut.front().step;
      for (size_t i = 0; i != step.tokens.size(); ++i)
        step.rows.push_back({int32_t(i), RowSampling()});
      StepResult result;
      if (!engine.step({std::move(step)}, result, error))
        return false;
      size_t bytes = size_t(result.rows * engine.manifest().vocab) * 4;
      if (!output.write(
              {reinterpret_cast<const char *>(result.logits), bytes})) {
        *error = output.problem();
        return false;
      }
    }
    engine.close(cutter.id(0));
  }
  return true;
}

int logitsCommand(const Session &session) {
  const LogitsOptions &options = session.line.logits;
  std::string error, text = options.tokens.value_or("");
  const char *option = options.tokens ? "--tokens" : "--tokens-file";
  if (options.tokensFile && !readAll(*options.tokensFile, text, &error))
    return session.fail(error);
  std::optional<NumberLists> sequences = parseLists(text, option, &error);
  if (!sequences)
    return session.fail(error, ExitUsage);
  bool stream = options.output == "-";
  if (options.mtp && stream)
    return session.fail("--mtp cannot go to standard output; choose a file "
                        "with -o",
                        ExitUsage);
  if (options.mtp && !session.manifest.mtp)
    return session.fail("this executable has no multi-token prediction; "
                        "compile the model with quartetc build --mtp");
  std::vector<int64_t> lengths; // of what the model runs
  EngineOptions engineOptions;
  engineOptions.sequences = stream ? 1 : int64_t(sequences->size());
  int64_t total = 0;
  for (const std::vector<int32_t> &sequence : *sequences) {
    if (std::string why = session.whyNotTokens(sequence); !why.empty())
      return session.fail(option + (": " + why), ExitUsage);
    int64_t length = int64_t(sequence.size());
    if (options.mtp && length < 2)
      return session.fail("--mtp: a sequence of 1 token has no pairs, expected "
                          "at least 2 tokens in each",
                          ExitUsage);
    lengths.push_back(options.mtp ? length - 1 : length);
    if (options.mtp)
      length = mtpRows(length, options.drafts);
    total += length;
    int64_t pages = pagesFor(length);
    engineOptions.pages = stream ? std::max(engineOptions.pages, pages)
                                 : engineOptions.pages + pages;
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
  if (stream)
    return streamLogits(*model.engine, *sequences, *pieces, &error)
               ? 0
               : session.fail(error);
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

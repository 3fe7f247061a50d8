// selftest: whether a device computes what it should, without another machine
// to compare with. A row must have the same bits alone, in a batch and in the
// next run, and must be finite; rows of differently cut prompts must agree
// closely, since kernels for many tokens add in another order. Where the
// executable has a program for this CPU as well, that one is compared with,
// too; and phase by phase with the emulator, where it has that for the same
// model.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/PhaseTest.h"
#include "runtime/src/app/TokenSource.h"
#include "runtime/src/engine/Programs.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace quartet::rt {

namespace {
/// Largest difference, relative to the largest logit, that other orders of
/// summation and the device's int8 activations explain.
constexpr double tolerance = 0.05;
constexpr int64_t mostTokens = 70; ///< of the prompt: more than a page

using Rows = std::vector<std::vector<float>>;

/// Advances sequences by a token list each, in one step, and appends the last
/// row of each to \p rows.
bool advance(Engine &engine, const std::vector<StepPiece> &pieces, Rows &rows,
             std::string *error) {
  StepResult result;
  if (!engine.step(pieces, result, error))
    return false;
  int64_t vocab = engine.manifest().vocab;
  for (int64_t r = 0; r != result.rows; ++r)
    rows.emplace_back(result.logits + r * vocab,
                      result.logits + (r + 1) * vocab);
  return true;
}

StepPiece pieceOf(int32_t sequence, std::vector<int32_t> tokens) {
  StepPiece piece;
  piece.sequence = sequence;
  piece.rows.push_back({int32_t(tokens.size()) - 1, RowSampling()});
  piece.tokens = std::move(tokens);
  return piece;
}

/// Runs \p prompts, each in a sequence of its own, in steps of \p chunk tokens
/// of each; all of them together or one after the other. Rows are those of the
/// last tokens of the steps of the first prompt.
bool runPrompts(Engine &engine,
                const std::vector<std::vector<int32_t>> &prompts, int64_t chunk,
                Rows &rows, std::string *error) {
  std::vector<int32_t> sequences;
  for (size_t i = 0; i != prompts.size(); ++i) {
    sequences.push_back(engine.open(error));
    if (sequences.back() < 0)
      return false;
  }
  auto length = int64_t(prompts[0].size());
  for (int64_t at = 0; at < length; at += chunk) {
    int64_t end = std::min(at + chunk, length);
    std::vector<StepPiece> pieces;
    for (size_t i = 0; i != prompts.size(); ++i)
      pieces.push_back(pieceOf(
          sequences[i], {prompts[i].begin() + at, prompts[i].begin() + end}));
    Rows step;
    if (!advance(engine, pieces, step, error))
      return false;
    rows.push_back(step[0]);
  }
  for (int32_t sequence : sequences)
    engine.close(sequence);
  return true;
}

struct Difference {
  int64_t notFinite = 0;
  double largest = 0; ///< relative to the largest logit
  bool bits = true;   ///< the same
};

Difference compare(const std::vector<float> &a, const std::vector<float> &b) {
  Difference difference;
  double largest = 0, apart = 0;
  for (size_t i = 0; i != a.size(); ++i) {
    if (!std::isfinite(a[i]))
      ++difference.notFinite;
    difference.bits &= a[i] == b[i];
    largest = std::max(largest, std::abs(double(b[i])));
    apart = std::max(apart, std::abs(double(a[i]) - double(b[i])));
  }
  difference.largest = largest > 0 ? apart / largest : apart;
  return difference;
}

class SelfTest {
public:
  SelfTest(Engine &engine, const Manifest &manifest)
      : engine(engine), source(manifest, 2) {
    int64_t length = std::min(engine.context(), mostTokens);
    for (int64_t i = 0; i != sequenceCount; ++i)
      prompts.push_back(source.next(length));
  }

  static constexpr int64_t sequenceCount = 3;
  bool run(std::string *error);
  bool runReference(Engine &reference, std::string *error);
  std::string table;
  bool passed = true;

private:
  /// Whether a step of \p count sequences runs kernels for many tokens, which
  /// may add in another order: only a device's have names that say so.
  bool ofManyTokens(int64_t count) const {
    const quartet_bucket *bucket = engine.bucketFor(count, count);
    return bucket->num_launches > 0 &&
           strncmp(bucket->launches[0].kernel, "step_many", 9) == 0;
  }
  void line(const std::string &what, const std::vector<float> &found,
            const std::vector<float> &expected, bool sameBits);

  void lineOfChange();

  Engine &engine;
  TokenSource source;
  std::vector<std::vector<int32_t>> prompts;
  Rows alone; ///< after each token of the first prompt, one token per step
};

void SelfTest::line(const std::string &what, const std::vector<float> &found,
                    const std::vector<float> &expected, bool sameBits) {
  Difference difference = compare(found, expected);
  bool good = difference.notFinite == 0 &&
              (sameBits ? difference.bits : difference.largest <= tolerance);
  passed &= good;
  char text[256];
  snprintf(text, sizeof(text), "%-44s %10s %12.2e %9lld  %s\n", what.c_str(),
           difference.bits ? "same bits" : "", difference.largest,
           static_cast<long long>(difference.notFinite), good ? "ok" : "WRONG");
  table += text;
}

/// A device that computes nothing, or the same for every token, agrees with
/// itself.
void SelfTest::lineOfChange() {
  size_t same = 0, constant = 0;
  for (size_t i = 0; i != alone.size(); ++i) {
    same += i > 0 && alone[i] == alone[i - 1];
    constant +=
        std::equal(alone[i].begin() + 1, alone[i].end(), alone[i].begin());
  }
  bool good = same == 0 && constant == 0;
  passed &= good;
  char text[256];
  snprintf(text, sizeof(text), "%-44s %10s %12s %9s  %s\n",
           "the row of each token and of the next", same ? "same bits" : "",
           constant ? "constant" : "", "", good ? "ok" : "WRONG");
  table += text;
}

bool SelfTest::run(std::string *error) {
  char title[256];
  snprintf(title, sizeof(title), "%-44s %10s %12s %9s\n", "rows compared", "",
           "difference", "not finite");
  table += title;
  Rows again, batch;
  if (!runPrompts(engine, {prompts[0]}, 1, alone, error) ||
      !runPrompts(engine, {prompts[0]}, 1, again, error))
    return false;
  line("a token at a time, twice", again.back(), alone.back(), true);
  lineOfChange();
  int64_t most = engine.limits().tokens;
  if (sequenceCount <= std::min(most, engine.limits().sequences)) {
    if (!runPrompts(engine, prompts, 1, batch, error))
      return false;
    line("alone and in a batch of " + std::to_string(sequenceCount),
         batch.back(), alone.back(), !ofManyTokens(sequenceCount));
  }
  auto length = int64_t(prompts[0].size());
  for (int64_t chunk : {int64_t(7), int64_t(16), int64_t(64), most}) {
    chunk = std::min({chunk, most, length});
    std::string name = "steps of " + std::to_string(chunk) + " tokens";
    if (chunk < 2 || table.find(name) != std::string::npos)
      continue;
    Rows cut, cutAgain;
    if (!runPrompts(engine, {prompts[0]}, chunk, cut, error) ||
        !runPrompts(engine, {prompts[0]}, chunk, cutAgain, error))
      return false;
    line(name + ", twice", cutAgain.back(), cut.back(), true);
    line(name + " and a token at a time", cut.back(), alone.back(), false);
  }
  return true;
}

bool SelfTest::runReference(Engine &reference, std::string *error) {
  Rows rows;
  if (!runPrompts(reference, {prompts[0]}, 1, rows, error))
    return false;
  line("a token at a time, and on the CPU", alone.back(), rows.back(), false);
  return true;
}

/// The first program that this CPU runs; null when there is none.
const quartet_program *cpuProgram(const Session &session) {
  std::string ignored;
  return chooseProgram(session.image.programs, session.image.numPrograms,
                       CpuFeatures::detect(), &ignored);
}

/// Another program of the emulator whose phases are those of \p tested; null
/// when there is none.
const quartet_program *emulatedProgram(const Session &session,
                                       const quartet_program &tested) {
  for (int64_t i = 0; i != session.image.numPrograms; ++i) {
    const quartet_program &program = session.image.programs[i];
    if (&program != &tested && program.device &&
        program.device->kind == QUARTET_DEVICE_EMULATOR &&
        whyNotProgram(program).empty() && samePhases(program, tested))
      return &program;
  }
  return nullptr;
}

/// Another program of the same executable, with the same weights.
struct OtherModel {
  Session session; ///< the model refers to its manifest
  LoadedModel model;

  bool load(const Session &from, const quartet_program &program,
            const EngineOptions &options, std::string *error) {
    session = from;
    session.line.global.program = program.target;
    session.line.global.device = -1;
    session.line.global.blocks = 0;
    model.syntheticSeed = session.line.selfTest.syntheticSeed;
    return loadModel(session, options, model, error);
  }
};
} // namespace

int selfTestCommand(const Session &session) {
  EngineOptions options;
  options.sequences = SelfTest::sequenceCount;
  options.context =
      std::min({session.manifest.maxPositions, int64_t(128),
                session.line.global.context ? session.line.global.context
                                            : int64_t(128)});
  LoadedModel model;
  model.syntheticSeed = session.line.selfTest.syntheticSeed;
  std::string error;
  if (!loadModel(session, options, model, &error))
    return session.fail(error);
  // Phases first: what is wrong with one explains all the rest.
  std::string phaseTable =
      "\nphases: not compared one by one, since this executable has no "
      "emulated "
      "program of the same phases (quartetc build --target CHIP,emulator:CHIP "
      "--fat)\n";
  bool passed = true;
  if (const quartet_program *emulated =
          model.device ? emulatedProgram(session, *model.program) : nullptr) {
    OtherModel reference;
    if (!reference.load(session, *emulated, options, &error))
      return session.fail(error);
    PhaseTest phases(*model.engine, *reference.model.engine, *model.program);
    if (!phases.run(&error))
      return session.fail(error);
    phaseTable = "\nphases, and those of program '" +
                 std::string(emulated->target) + "':\n" + phases.table;
    passed = phases.passed;
  }
  SelfTest test(*model.engine, session.manifest);
  if (!test.run(&error))
    return session.fail(error);
  if (const quartet_program *cpu =
          model.device ? cpuProgram(session) : nullptr) {
    OtherModel reference;
    if (!reference.load(session, *cpu, options, &error) ||
        !test.runReference(*reference.model.engine, &error))
      return session.fail(error);
  }
  Output output;
  output.write(session.manifest.name + ", program " + model.program->target +
               (model.device ? " on " + model.device->info().name : "") + "\n" +
               test.table + phaseTable);
  if (int code = session.finish(output))
    return code;
  if (!test.passed || !passed)
    return session.fail("steps or phases do not agree");
  return 0;
}

} // namespace quartet::rt

// Steps of multi-token prediction: what reaches compiled code, and that they
// leave the model's own sequences alone. The compiled steps are fakes.
#include "TestManifest.h"
#include "runtime/src/engine/Engine.h"
#include <gtest/gtest.h>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Ints = std::vector<int32_t>;
using Floats = std::vector<float>;

namespace {
constexpr int64_t kHidden = 8; // of the test manifest

/// What the last step of multi-token prediction saw.
struct Seen {
  int calls = 0;
  Ints tokens, positions, past;
  Floats hidden;
} seen;

/// Hidden states are 1000 * token + column.
void modelStep(const quartet_step_args *args, int64_t, int64_t) {
  for (int64_t i = 0; i != args->num_tokens * kHidden; ++i)
    args->hidden_out[i] = float(1000 * args->tokens[i / kHidden] + i % kHidden);
}

/// Hidden states are the negated ones that come in.
void mtpStep(const quartet_step_args *args, int64_t, int64_t) {
  int64_t n = args->num_tokens;
  ++seen.calls;
  seen.tokens.assign(args->tokens, args->tokens + n);
  seen.positions.assign(args->positions, args->positions + n);
  seen.past.assign(args->seq_past, args->seq_past + args->num_sequences);
  seen.hidden.assign(args->hidden_in, args->hidden_in + n * kHidden);
  for (int64_t i = 0; i != n * kHidden; ++i)
    args->hidden_out[i] = -args->hidden_in[i];
}

class EngineMtpTest : public testing::Test {
protected:
  void SetUp() override {
    seen = Seen();
    program.program.mtp_buckets = &bucket;
    program.program.num_mtp_buckets = 1;
    EngineOptions options;
    options.sequences = 2;
    engine =
        Engine::create(manifest, program.program, nullptr, options, &error);
    ASSERT_TRUE(engine) << error;
    a = engine->open(&error);
    b = engine->open(&error);
  }
  bool model(Ints first, Ints second) {
    std::vector<StepPiece> pieces;
    for (auto &[sequence, tokens] : {std::pair(a, first), std::pair(b, second)})
      if (!tokens.empty()) {
        pieces.emplace_back();
        pieces.back().sequence = sequence;
        pieces.back().tokens = tokens;
      }
    return engine->step(pieces, result, &error);
  }
  MtpPiece pairs(int32_t sequence, int64_t past, Ints tokens,
                 const float *hidden) {
    MtpPiece piece;
    piece.sequence = sequence;
    piece.past = past;
    piece.tokens = std::move(tokens);
    piece.hidden = hidden;
    return piece;
  }

  Manifest manifest = parse(manifestJson());
  TestProgram program{modelStep};
  quartet_bucket bucket{INT64_MAX, INT64_MAX, 0,       0,       0,
                        0,         0,         mtpStep, nullptr, 0};
  std::unique_ptr<Engine> engine;
  int32_t a = -1, b = -1;
  StepResult result;
  std::string error;
};

TEST_F(EngineMtpTest, PairsOfTwoSequencesReachTheStep) {
  ASSERT_TRUE(model({1, 2}, {3, 4, 5})) << error;
  ASSERT_TRUE(result.hidden);
  const float *hidden = result.hidden;
  ASSERT_TRUE(engine->mtpStep({pairs(b, 0, {4, 5, 6}, hidden + 2 * kHidden),
                               pairs(a, 0, {2, 9}, hidden)},
                              result, &error))
      << error;
  EXPECT_EQ(seen.tokens, (Ints{4, 5, 6, 2, 9}));
  EXPECT_EQ(seen.positions, (Ints{0, 1, 2, 0, 1}));
  EXPECT_EQ(seen.past, (Ints{0, 0}));
  for (int64_t i = 0; i != 5; ++i)
    EXPECT_EQ(seen.hidden[size_t(i * kHidden + 3)],
              float(1000 * (Ints{3, 4, 5, 1, 2})[size_t(i)] + 3));
  EXPECT_EQ(engine->mtpLength(a), 2);
  EXPECT_EQ(engine->mtpLength(b), 3);
  EXPECT_EQ(engine->length(a), 2);
  EXPECT_EQ(engine->length(b), 3);
  EXPECT_EQ(result.hidden[0], -3000.0f);
}

TEST_F(EngineMtpTest, DraftsAreForgotten) {
  ASSERT_TRUE(model({1}, {})) << error;
  ASSERT_TRUE(
      engine->mtpStep({pairs(a, 0, {2}, result.hidden)}, result, &error));
  // From the step's own output, which is overwritten meanwhile.
  ASSERT_TRUE(
      engine->mtpStep({pairs(a, 1, {7}, result.hidden)}, result, &error));
  EXPECT_EQ(seen.positions, Ints{1});
  EXPECT_EQ(seen.hidden[1], -1001.0f);
  EXPECT_EQ(result.hidden[1], 1001.0f);
  EXPECT_EQ(engine->mtpLength(a), 2);
  ASSERT_TRUE(
      engine->mtpStep({pairs(a, 1, {8}, result.hidden)}, result, &error));
  EXPECT_EQ(seen.past, Ints{1});
  EXPECT_EQ(engine->mtpLength(a), 2);
  engine->close(a);
  EXPECT_EQ(engine->mtpLength(a), 0);
  EXPECT_EQ(engine->mtpLength(engine->open(&error)), 0);
}

TEST_F(EngineMtpTest, RefusesWhatCannotRun) {
  ASSERT_TRUE(model({1}, {2})) << error;
  Floats hidden(8 * kHidden);
  auto why = [&](std::vector<MtpPiece> pieces) {
    int calls = seen.calls;
    EXPECT_FALSE(engine->mtpStep(pieces, result, &error));
    EXPECT_EQ(seen.calls, calls);
    EXPECT_EQ(engine->mtpLength(a), 0);
    return error;
  };
  auto has = [](const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_PRED2(has, why({}), "without sequences");
  EXPECT_PRED2(has, why({pairs(5, 0, {1}, hidden.data())}), "5 is not open");
  EXPECT_PRED2(has, why({pairs(a, 1, {1}, hidden.data())}),
               "behind pair 1, expected 0 to 0");
  EXPECT_PRED2(has, why({pairs(a, 0, {1}, nullptr)}), "no hidden states");
  EXPECT_PRED2(has, why({pairs(a, 0, {16}, hidden.data())}),
               "token id 16, expected 0 to 15");
  EXPECT_PRED2(has, why({pairs(a, 0, {}, hidden.data())}), "no tokens");
  EXPECT_PRED2(
      has,
      why({pairs(a, 0, {1}, hidden.data()), pairs(a, 0, {1}, hidden.data())}),
      "twice in one step");
  Floats many(301 * kHidden);
  EXPECT_PRED2(has, why({pairs(a, 0, Ints(301, 1), many.data())}),
               "would have 301 tokens");
}

TEST_F(EngineMtpTest, WithoutTheStepThereIsNoHiddenState) {
  TestProgram plain([](const quartet_step_args *args, int64_t, int64_t) {
    EXPECT_EQ(args->hidden_out, nullptr);
  });
  engine =
      Engine::create(manifest, plain.program, nullptr, EngineOptions(), &error);
  ASSERT_TRUE(engine) << error;
  EXPECT_FALSE(engine->hasMtp());
  a = engine->open(&error);
  ASSERT_TRUE(model({1}, {})) << error;
  EXPECT_EQ(result.hidden, nullptr);
  Floats hidden(kHidden);
  EXPECT_FALSE(
      engine->mtpStep({pairs(a, 0, {1}, hidden.data())}, result, &error));
  EXPECT_NE(error.find("build --mtp"), std::string::npos) << error;
}

TEST_F(EngineMtpTest, RefusesDamagedTables) {
  auto create = [&] {
    return Engine::create(manifest, program.program, nullptr, EngineOptions(),
                          &error);
  };
  bucket.run = nullptr;
  EXPECT_FALSE(create());
  EXPECT_NE(error.find("bucket of multi-token prediction 0: has no code"),
            std::string::npos)
      << error;
  bucket.run = mtpStep;
  bucket.scratch_page_bytes = INT64_MAX / 2;
  EXPECT_FALSE(create());
  EXPECT_NE(error.find("activations"), std::string::npos) << error;
  program.program.mtp_buckets = nullptr;
  EXPECT_FALSE(create());
  EXPECT_NE(error.find("but says 1"), std::string::npos) << error;
}
} // namespace

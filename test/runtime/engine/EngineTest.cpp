// Steps reach compiled code with the layout of abi.h, and steps that can't run
// are refused without changing anything. The compiled step is a fake that keeps
// a copy of its arguments.
#include "runtime/src/engine/Engine.h"
#include "TestManifest.h"
#include <gtest/gtest.h>
#include <set>

using namespace quartet::rt;
using namespace quartet::rt::test;
using Ints = std::vector<int32_t>;

namespace {
/// A copy of the last step's arguments.
struct Recorded {
  int calls = 0;
  quartet_step_args args;
  Ints tokens, positions, tokenSeq, seqStart, seqPast, seqSlot, pageTable, rows,
      topK;
  std::vector<float> temperature, topP, minP, uniform;
} recorded;

void fakeStep(const quartet_step_args *args, int64_t, int64_t) {
  int64_t n = args->num_tokens, s = args->num_sequences, r = args->num_rows;
  int calls = recorded.calls + 1;
  recorded = Recorded();
  recorded.calls = calls;
  recorded.args = *args;
  recorded.tokens.assign(args->tokens, args->tokens + n);
  recorded.positions.assign(args->positions, args->positions + 3 * n);
  recorded.tokenSeq.assign(args->token_seq, args->token_seq + n);
  recorded.seqStart.assign(args->seq_start, args->seq_start + s + 1);
  recorded.seqPast.assign(args->seq_past, args->seq_past + s);
  recorded.seqSlot.assign(args->seq_slot, args->seq_slot + s);
  recorded.pageTable.assign(
      args->page_table, args->page_table + args->num_slots * args->table_width);
  recorded.rows.assign(args->rows, args->rows + r);
  recorded.topK.assign(args->top_k, args->top_k + r);
  recorded.temperature.assign(args->temperature, args->temperature + r);
  recorded.topP.assign(args->top_p, args->top_p + r);
  recorded.minP.assign(args->min_p, args->min_p + r);
  recorded.uniform.assign(args->uniform, args->uniform + r);
  for (int64_t i = 0; i != r; ++i) {
    args->sampled[i] = int32_t(i) + 1;
    for (int64_t id = 0; id != 16; ++id)
      args->logits[i * 16 + id] = float(100 * i + id);
  }
}

StepPiece piece(int32_t sequence, Ints tokens, Ints rows = {}) {
  StepPiece result;
  result.sequence = sequence;
  result.tokens = std::move(tokens);
  for (int32_t row : rows)
    result.rows.push_back({row, RowSampling()});
  return result;
}

EngineOptions options(int64_t sequences, int64_t context = 0,
                      int64_t pages = 0) {
  EngineOptions result;
  result.sequences = sequences;
  result.context = context;
  result.pages = pages;
  return result;
}

class EngineTest : public testing::Test {
protected:
  void SetUp() override {
    recorded = Recorded();
    make(options(3));
  }
  void make(EngineOptions options) {
    engine = Engine::create(manifest, fake.program, weights, options, &error);
    ASSERT_TRUE(engine) << error;
  }
  bool step(std::vector<StepPiece> pieces) {
    return engine->step(pieces, result, &error);
  }
  /// Steps with these pieces are refused, with this in the message.
  void refused(std::vector<StepPiece> pieces, const std::string &why) {
    int calls = recorded.calls;
    EXPECT_FALSE(step(std::move(pieces)));
    EXPECT_NE(error.find(why), std::string::npos) << error;
    EXPECT_EQ(recorded.calls, calls) << "the compiled step was called";
  }
  Manifest manifest = parse(manifestJson());
  TestProgram fake{fakeStep};
  void *weights[2] = {this, this};
  std::string error;
  std::unique_ptr<Engine> engine;
  StepResult result;
};

TEST_F(EngineTest, LaysOutARaggedStep) {
  int32_t a = engine->open(&error), b = engine->open(&error);
  ASSERT_TRUE(step({piece(a, {5})}));
  StepPiece second = piece(a, {6, 7});
  second.rows.push_back({1, {0.7f, 20, 0.9f, 0.05f, 0.25f}});
  ASSERT_TRUE(step({piece(b, {1, 2, 3}, {0, 2}), second})) << error;

  EXPECT_EQ(recorded.args.num_tokens, 5);
  EXPECT_EQ(recorded.args.num_sequences, 2);
  EXPECT_EQ(recorded.args.num_rows, 3);
  EXPECT_EQ(recorded.args.num_slots, 3);
  EXPECT_EQ(recorded.args.table_width, 5); // 300 positions in pages of 64
  EXPECT_EQ(recorded.args.num_pages, 15);
  EXPECT_EQ(recorded.tokens, (Ints{1, 2, 3, 6, 7}));
  EXPECT_EQ(recorded.positions,
            (Ints{0, 1, 2, 1, 2, 0, 1, 2, 1, 2, 0, 1, 2, 1, 2}));
  EXPECT_EQ(recorded.tokenSeq, (Ints{0, 0, 0, 1, 1}));
  EXPECT_EQ(recorded.seqStart, (Ints{0, 3, 5}));
  EXPECT_EQ(recorded.seqPast, (Ints{0, 1}));
  EXPECT_EQ(recorded.seqSlot, (Ints{b, a}));
  EXPECT_EQ(recorded.rows, (Ints{0, 2, 4}));
  EXPECT_EQ(recorded.topK, (Ints{1, 1, 20}));
  EXPECT_EQ(recorded.temperature, (std::vector<float>{0, 0, 0.7f}));
  EXPECT_EQ(recorded.topP, (std::vector<float>{1, 1, 0.9f}));
  EXPECT_EQ(recorded.minP, (std::vector<float>{0, 0, 0.05f}));
  EXPECT_EQ(recorded.uniform, (std::vector<float>{0, 0, 0.25f}));
  EXPECT_EQ(recorded.args.weights, weights);
  EXPECT_EQ(engine->length(a), 3);
  EXPECT_EQ(engine->length(b), 3);
  EXPECT_EQ(result.rows, 3);
  EXPECT_EQ(result.sampled[2], 3);
  EXPECT_EQ(result.logits[2 * 16 + 5], 205.0f);
}

TEST_F(EngineTest, PassesNoNullPointers) {
  int32_t a = engine->open(&error);
  ASSERT_TRUE(step({piece(a, {5})}));
  const quartet_step_args &args = recorded.args;
  for (const void *pointer : std::initializer_list<const void *>{
           args.tokens, args.positions, args.rows, args.temperature, args.top_k,
           args.top_p, args.min_p, args.uniform, args.logits, args.sampled,
           args.weights, args.states, args.page_table})
    EXPECT_NE(pointer, nullptr);
}

// The page table grows by a page every 64 tokens, whatever the pieces, and no
// page belongs to two sequences.
TEST_F(EngineTest, KeepsThePageTable) {
  int32_t a = engine->open(&error), b = engine->open(&error);
  ASSERT_TRUE(step({piece(a, Ints(64, 1)), piece(b, Ints(65, 2))}));
  ASSERT_TRUE(step({piece(a, Ints(1, 1)), piece(b, Ints(100, 2))}));
  auto page = [&](int32_t slot, int piece) {
    return recorded.pageTable[size_t(slot * 5 + piece)];
  };
  std::set<int32_t> pages{page(a, 0), page(a, 1), page(b, 0), page(b, 1),
                          page(b, 2)};
  EXPECT_EQ(pages.size(), 5u);
  EXPECT_EQ(recorded.seqPast, (Ints{64, 65}));

  // A closed sequence's pages and slot serve the next one.
  engine->close(a);
  int32_t c = engine->open(&error);
  EXPECT_EQ(c, a);
  EXPECT_EQ(engine->length(c), 0);
  ASSERT_TRUE(step({piece(c, Ints(1, 1))}));
  EXPECT_EQ(recorded.seqPast, (Ints{0}));
  EXPECT_TRUE(page(c, 0) != page(b, 0) && page(c, 0) != page(b, 1));
  EXPECT_EQ(page(c, 1), 0);
}

// Tokens that are left out have their pages.
TEST_F(EngineTest, SkipsTokens) {
  int32_t a = engine->open(&error);
  ASSERT_TRUE(engine->skip(a, 130, &error)) << error;
  EXPECT_EQ(engine->length(a), 130);
  ASSERT_TRUE(step({piece(a, {1})}));
  EXPECT_EQ(recorded.seqPast, (Ints{130}));
  std::set<int32_t> pages(recorded.pageTable.begin() + a * 5,
                          recorded.pageTable.begin() + a * 5 + 3);
  EXPECT_EQ(pages.size(), 3u);
  for (auto [length, words] :
       {std::pair<int64_t, const char *>{130, "expected 131 to 300"},
        {301, "would have 301 tokens"}}) {
    EXPECT_FALSE(engine->skip(a, length, &error));
    EXPECT_NE(error.find(words), std::string::npos) << error;
  }
  EXPECT_FALSE(engine->skip(7, 1, &error));
  EXPECT_NE(error.find("sequence 7 is not open"), std::string::npos) << error;
  EXPECT_EQ(engine->length(a), 131);
}

TEST_F(EngineTest, LimitsSequences) {
  for (int i = 0; i != 3; ++i)
    EXPECT_EQ(engine->open(&error), i);
  EXPECT_EQ(engine->open(&error), -1);
  EXPECT_NE(error.find("all 3 sequences"), std::string::npos) << error;
}

TEST_F(EngineTest, RefusesBadSteps) {
  int32_t a = engine->open(&error);
  refused({}, "without sequences");
  refused({piece(7, {1})}, "sequence 7 is not open");
  refused({piece(1, {1})}, "sequence 1 is not open");
  refused({piece(a, {1}), piece(a, {2})}, "twice");
  refused({piece(a, {})}, "no tokens");
  refused({piece(a, {16})}, "token id 16, expected 0 to 15");
  refused({piece(a, {-1})}, "token id -1");
  refused({piece(a, {1}, {1})}, "logits of token 1");
  StepPiece bad = piece(a, {1}, {0});
  bad.rows[0].sampling.topK = QUARTET_SAMPLE_CANDIDATES + 1;
  refused({bad}, "top-k");
  EXPECT_EQ(engine->length(a), 0);
}

TEST_F(EngineTest, LimitsTheContext) {
  int32_t a = engine->open(&error);
  ASSERT_TRUE(step({piece(a, Ints(299, 1))}));
  refused({piece(a, {1, 2})}, "301 tokens, the context holds 300");
  EXPECT_TRUE(step({piece(a, {1})})) << error;
  make(options(1, 10));
  a = engine->open(&error);
  refused({piece(a, Ints(11, 1))}, "--context N raises it to at most 300");
  EXPECT_TRUE(step({piece(a, Ints(10, 1))})) << error;
  EXPECT_FALSE(
      Engine::create(manifest, fake.program, weights, options(1, 301), &error));
  EXPECT_NE(error.find("301"), std::string::npos) << error;
}

TEST_F(EngineTest, RefusesWhenPagesRunOut) {
  make(options(2, 0, 3));
  int32_t a = engine->open(&error), b = engine->open(&error);
  ASSERT_TRUE(step({piece(a, Ints(100, 1))}));
  refused({piece(b, Ints(100, 1))}, "2 more pages");
  EXPECT_EQ(engine->length(b), 0);
  engine->close(a);
  EXPECT_TRUE(step({piece(b, Ints(100, 1))})) << error;
}

} // namespace

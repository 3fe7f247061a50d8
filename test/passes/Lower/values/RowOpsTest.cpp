// Values of the ops whose rows are independent: norms, projections, experts.
#include "test/passes/Lower/values/Values.h"
#include <gtest/gtest.h>

using namespace quartet::test;
namespace reference = quartet::reference;

namespace {

constexpr Element kFloats[] = {Element::kF32, Element::kF16, Element::kBF16};
/// A decoded token, a few, and more than a vector's worth.
constexpr int64_t kRows[] = {1, 3, 17};

/// Rows times the types of the activations (in and out) and of the weights.
template <typename Body> void forEachCase(Body body) {
  uint32_t seed = 1;
  for (Element weight : kFloats)
    for (int64_t rows : kRows)
      body(Random(seed++), rows, Element::kF32, weight);
  body(Random(seed++), 3, Element::kBF16, Element::kBF16);
  body(Random(seed++), 3, Element::kF16, Element::kF32);
}

TEST(RmsNorm, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    for (std::vector<int64_t> shape :
         {std::vector<int64_t>{n, 96}, std::vector<int64_t>{n, 3, 32}}) {
      int64_t width = shape.back();
      RowOp op{"quartet.rms_norm %x, %w eps 1.0e-6",
               {{"x", random.normal(x, shape, 3.0f), true},
                {"w", random.normal(w, {width}, 0.3f), false}},
               {Buffer(x, shape)}};
      op.runAll();
      std::vector<float> in = op.operands[0].buffer.floats(), expected(in);
      reference::rmsNorm(in.data(), op.operands[1].buffer.floats().data(),
                         expected.data(), in.size() / width, width, 1e-6f);
      expectClose("rms_norm", op.results[0], expected);
    }
  });
}

// A row of zeros stays zero: eps keeps the root away from it.
TEST(RmsNorm, KeepsZero) {
  RowOp op{"quartet.rms_norm %x, %w eps 1.0e-6",
           {{"x", Buffer(Element::kF32, {1, 8}), true},
            {"w", Random(7).normal(Element::kF32, {8}), false}},
           {Buffer(Element::kF32, {1, 8}, std::vector<float>(8, 9.0f))}};
  op.runAll();
  EXPECT_EQ(op.results[0].floats(), std::vector<float>(8, 0.0f));
}

TEST(GatedRmsNorm, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    for (bool silu : {true, false}) {
      std::vector<int64_t> shape{n, 3, 32};
      RowOp op{std::string("quartet.gated_rms_norm %x, %z, %w gate ") +
                   (silu ? "silu" : "sigmoid") + " eps 1.0e-6",
               {{"x", random.normal(x, shape, 0.1f), true},
                {"z", random.normal(x, shape, 2.0f), true},
                {"w", random.normal(w, {32}, 1.0f), false}},
               {Buffer(x, shape)}};
      op.runAll();
      std::vector<float> in = op.operands[0].buffer.floats(), expected(in);
      reference::gatedRmsNorm(in.data(), op.operands[1].buffer.floats().data(),
                              op.operands[2].buffer.floats().data(),
                              expected.data(), n * 3, 32, 1e-6f, silu);
      expectClose("gated_rms_norm", op.results[0], expected);
    }
  });
}

TEST(Linear, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    RowOp op{"quartet.linear %x, %w",
             {{"x", random.normal(x, {n, 256}), true},
              {"w", random.projection(w, {37, 256}), false}},
             {Buffer(x, {n, 37})}};
    op.runAll();
    std::vector<float> expected(n * 37);
    reference::linear(op.operands[0].buffer.floats().data(),
                      op.operands[1].buffer.floats().data(), expected.data(), n,
                      37, 256);
    expectClose("linear", op.results[0], expected);
  });
}

TEST(Embed, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    RowOp op{"quartet.embed %tokens, %table",
             {{"tokens", Buffer({n}, random.below(n, 50)), true},
              {"table", random.normal(w, {50, 24}), false}},
             {Buffer(x, {n, 24})}};
    op.runAll();
    std::vector<float> expected(n * 24);
    reference::embed(op.operands[0].buffer.ints(),
                     op.operands[1].buffer.floats().data(), expected.data(), n,
                     24);
    expectClose("embed", op.results[0], expected);
  });
}

TEST(Mlp, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    RowOp op{"quartet.mlp %x, %gate_up, %down",
             {{"x", random.normal(x, {n, 64}), true},
              {"gate_up", random.projection(w, {96, 64}), false},
              {"down", random.projection(w, {64, 48}), false}},
             {Buffer(x, {n, 64})}};
    op.runAll();
    std::vector<float> expected(n * 64);
    reference::mlp(op.operands[0].buffer.floats().data(),
                   op.operands[1].buffer.floats().data(),
                   op.operands[2].buffer.floats().data(), expected.data(), n,
                   64, 48);
    expectClose("mlp", op.results[0], expected);
  });
}

TEST(SharedExpert, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    RowOp op{"quartet.shared_expert %x, %gate_up, %down, %gate",
             {{"x", random.normal(x, {n, 64}), true},
              {"gate_up", random.projection(w, {96, 64}), false},
              {"down", random.projection(w, {64, 48}), false},
              {"gate", random.projection(w, {1, 64}), false}},
             {Buffer(x, {n, 64})}};
    op.runAll();
    std::vector<float> expected(n * 64);
    reference::sharedExpert(op.operands[0].buffer.floats().data(),
                            op.operands[1].buffer.floats().data(),
                            op.operands[2].buffer.floats().data(),
                            op.operands[3].buffer.floats().data(),
                            expected.data(), n, 64, 48);
    expectClose("shared_expert", op.results[0], expected);
  });
}

TEST(Route, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    for (bool renormalize : {true, false}) {
      RowOp op{std::string("quartet.route %x, %w top_k 4") +
                   (renormalize ? " renormalize" : ""),
               {{"x", random.normal(x, {n, 64}), true},
                {"w", random.projection(w, {24, 64}), false}},
               {Buffer(Element::kF32, {n, 4}), Buffer(Element::kI32, {n, 4})}};
      op.runAll();
      std::vector<float> weights(n * 4);
      std::vector<int32_t> ids(n * 4);
      reference::route(op.operands[0].buffer.floats().data(),
                       op.operands[1].buffer.floats().data(), weights.data(),
                       ids.data(), n, 24, 64, 4, renormalize);
      expectClose("route", op.results[0], weights);
      EXPECT_EQ(std::vector<int32_t>(op.results[1].ints(),
                                     op.results[1].ints() + n * 4),
                ids);
    }
  });
}

// Equal rows of the router have equal probabilities: lowest ids first.
TEST(Route, BreaksTiesByTheLowestId) {
  RowOp op{"quartet.route %x, %w top_k 3 renormalize",
           {{"x", Buffer(Element::kF32, {1, 1}, {1.0f}), true},
            {"w", Buffer(Element::kF32, {6, 1}, {0, 2, 1, 2, 1, 1}), false}},
           {Buffer(Element::kF32, {1, 3}), Buffer(Element::kI32, {1, 3})}};
  op.runAll();
  EXPECT_EQ(
      std::vector<int32_t>(op.results[1].ints(), op.results[1].ints() + 3),
      (std::vector<int32_t>{1, 3, 2}));
}

TEST(Experts, MatchesTheReference) {
  forEachCase([](Random random, int64_t n, Element x, Element w) {
    // Some tokens use one expert twice: the ids are the op's business alone.
    RowOp op{"quartet.experts %x, %p, %ids, %gate_up, %down",
             {{"x", random.normal(x, {n, 32}), true},
              {"p", Buffer(Element::kF32, {n, 3}, random.uniform(n * 3, 0, 1)),
               true},
              {"ids", Buffer({n, 3}, random.below(n * 3, 8)), true},
              {"gate_up", random.projection(w, {8, 40, 32}), false},
              {"down", random.projection(w, {8, 32, 20}), false}},
             {Buffer(x, {n, 32})}};
    op.runAll();
    std::vector<float> expected(n * 32);
    reference::experts(
        op.operands[0].buffer.floats().data(),
        op.operands[1].buffer.floats().data(), op.operands[2].buffer.ints(),
        op.operands[3].buffer.floats().data(),
        op.operands[4].buffer.floats().data(), expected.data(), n, 3, 32, 20);
    expectClose("experts", op.results[0], expected);
  });
}

/// Runs lm_head on \p rows of \p x.
Buffer runLmHead(Buffer &x, std::vector<int32_t> rows, Buffer &w) {
  auto count = static_cast<int64_t>(rows.size());
  Buffer chosen({count}, rows), logits(Element::kF32, {count, w.shape[0]});
  OpRunner("quartet.lm_head %x, %rows, %w")
      .input("x", x, {0})
      .input("rows", chosen, {0})
      .input("w", w)
      .output(logits)
      .run();
  return logits;
}

TEST(LmHead, MatchesTheReferenceAndKeepsBitsAlone) {
  forEachCase([](Random random, int64_t n, Element xType, Element wType) {
    Buffer x = random.normal(xType, {n, 64});
    Buffer w = random.projection(wType, {101, 64});
    std::vector<int32_t> rows = random.below(5, static_cast<int32_t>(n));
    Buffer logits = runLmHead(x, rows, w);
    std::vector<float> expected(5 * 101);
    reference::lmHead(x.floats().data(), rows.data(), w.floats().data(),
                      expected.data(), 5, 101, 64);
    expectClose("lm_head", logits, expected);
    for (int64_t r = 0; r < 5; ++r) {
      Buffer row = slice(x, rows[r], 1);
      EXPECT_EQ(runLmHead(row, {0}, w).rows(0, 1), logits.rows(r, 1)) << r;
    }
    EXPECT_EQ(runLmHead(x, {}, w).size(), 0u); // no row wanted: nothing happens
  });
}

} // namespace

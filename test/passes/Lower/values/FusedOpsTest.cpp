// The ops that fusion makes compute what they replace: to the bit where sums
// have the same order, else within the bound of the op.
#include "test/passes/Lower/values/Values.h"
#include <algorithm>
#include <gtest/gtest.h>

using namespace quartet::test;

namespace {

using Operands = std::vector<RowOp::Operand>;

constexpr Element kFloats[] = {Element::kF32, Element::kF16, Element::kBF16};
constexpr int64_t kRows[] = {1, 3, 17};

/// The first result of an op without checks on single rows.
Buffer runOp(const std::string &text, Operands operands,
             std::vector<Buffer> results, size_t which = 0) {
  RowOp op{text, std::move(operands), std::move(results)};
  op.results = op.run(0, op.results[0].shape[0]);
  return op.results[which];
}

TEST(Projections, AreLinearMapsOfPartsOfTheMatrix) {
  Random random(21);
  for (Element weight : kFloats)
    for (int64_t n : kRows) {
      Buffer x = random.normal(Element::kF32, {n, 64});
      Buffer w = random.projection(weight, {51, 64});
      RowOp op{"quartet.projections %x, %w rows [0, 16, 48]",
               {{"x", x, true}, {"w", w, false}},
               {Buffer(Element::kF32, {n, 7}), Buffer(Element::kF32, {n, 32}),
                Buffer(Element::kBF16, {n, 3})}};
      op.runAll();
      for (auto [number, from, count] :
           {std::tuple<size_t, int64_t, int64_t>{0, 0, 7},
            {1, 16, 32},
            {2, 48, 3}}) {
        Buffer alone =
            runOp("quartet.linear %x, %w",
                  {{"x", x, true}, {"w", slice(w, from, count), false}},
                  {Buffer(op.results[number].element, {n, count})});
        EXPECT_EQ(op.results[number].bytes, alone.bytes) << number;
      }
    }
}

/// a + b, element by element.
std::vector<float> sum(const Buffer &a, const Buffer &b) {
  std::vector<float> x = a.floats(), y = b.floats();
  for (size_t i = 0; i < x.size(); ++i)
    x[i] += y[i];
  return x;
}

TEST(Linear, AddsTheResidualLast) {
  Random random(22);
  for (int64_t n : kRows) {
    Buffer x = random.normal(Element::kF32, {n, 64});
    Buffer w = random.projection(Element::kBF16, {37, 64});
    Buffer r = random.normal(Element::kF32, {n, 37});
    Buffer y(Element::kF32, {n, 37});
    Buffer plain =
        runOp("quartet.linear %x, %w", {{"x", x, true}, {"w", w, false}}, {y});
    RowOp op{"quartet.linear %x, %w residual(%r)",
             {{"x", x, true}, {"w", w, false}, {"r", r, true}},
             {y}};
    op.runAll();
    EXPECT_EQ(op.results[0].floats(), sum(r, plain));
  }
}

/// Rows of a matrix that are copied into others.
struct Rows {
  const std::vector<float> &values;
  int64_t columns;
};

/// dst[to + i, 0:count) = src[from + i, column : column + count), i < rows.
void copyRows(std::vector<float> &dst, int64_t dstColumns, int64_t to, Rows src,
              int64_t from, int64_t rows, int64_t column, int64_t count) {
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(src.values.begin() + (from + i) * src.columns + column, count,
                dst.begin() + (to + i) * dstColumns);
}

/// A mixture of experts with a shared one, in both forms.
struct Mixture {
  static constexpr int64_t kExperts = 6, kTopK = 2, kHidden = 32;
  int64_t width, sharedWidth;
  Buffer router, gate, gateUp, down, sharedGateUp, sharedDown;

  Mixture(Random &random, Element w, int64_t width, int64_t sharedWidth)
      : width(width), sharedWidth(sharedWidth),
        router(random.projection(w, {kExperts, kHidden})),
        gate(random.projection(w, {1, kHidden})),
        gateUp(random.projection(w, {kExperts, 2 * width, kHidden})),
        down(random.projection(w, {kExperts, kHidden, width})),
        sharedGateUp(random.projection(w, {2 * sharedWidth, kHidden})),
        sharedDown(random.projection(w, {kHidden, sharedWidth})) {}

  int64_t pieces() const { return (sharedWidth + width - 1) / width; }
  int64_t padded() const { return (width + 15) / 16 * 16; }
  std::vector<float> unfused(const Buffer &x) const;
  Buffer fusedGateUp() const;
  Buffer fusedDown() const;
  Buffer fused(const Buffer &x) const;
};

std::vector<float> Mixture::unfused(const Buffer &x) const {
  int64_t n = x.shape[0];
  RowOp route{
      "quartet.route %x, %w top_k 2 renormalize",
      {{"x", x, true}, {"w", router, false}},
      {Buffer(Element::kF32, {n, kTopK}), Buffer(Element::kI32, {n, kTopK})}};
  std::vector<Buffer> chosen = route.run(0, n);
  Buffer y(Element::kF32, {n, kHidden});
  Buffer routed = runOp("quartet.experts %x, %p, %ids, %gate_up, %down",
                        {{"x", x, true},
                         {"p", chosen[0], true},
                         {"ids", chosen[1], true},
                         {"gate_up", gateUp, false},
                         {"down", down, false}},
                        {y});
  Buffer shared = runOp("quartet.shared_expert %x, %gate_up, %down, %gate",
                        {{"x", x, true},
                         {"gate_up", sharedGateUp, false},
                         {"down", sharedDown, false},
                         {"gate", gate, false}},
                        {y});
  Buffer both(Element::kF32, {n, kHidden}, sum(routed, shared));
  return sum(x, both);
}

Buffer Mixture::fusedGateUp() const {
  int64_t rows = 2 * padded();
  Buffer result(gateUp.element, {kExperts + pieces(), rows, kHidden});
  std::vector<float> all = result.floats(), routed = gateUp.floats(),
                     shared = sharedGateUp.floats();
  for (int64_t e = 0; e < kExperts; ++e)
    for (int64_t up : {0, 1})
      copyRows(all, kHidden, e * rows + up * padded(), {routed, kHidden},
               (2 * e + up) * width, width, 0, kHidden);
  for (int64_t s = 0; s < pieces(); ++s)
    for (int64_t up : {0, 1})
      copyRows(all, kHidden, (kExperts + s) * rows + up * padded(),
               {shared, kHidden}, up * sharedWidth + s * width,
               std::min(width, sharedWidth - s * width), 0, kHidden);
  return Buffer(result.element, result.shape, all);
}

Buffer Mixture::fusedDown() const {
  Buffer result(down.element, {kExperts + pieces(), kHidden, width});
  std::vector<float> all = result.floats(), routed = down.floats(),
                     shared = sharedDown.floats();
  copyRows(all, width, 0, {routed, width}, 0, kExperts * kHidden, 0, width);
  for (int64_t s = 0; s < pieces(); ++s)
    copyRows(all, width, (kExperts + s) * kHidden, {shared, sharedWidth}, 0,
             kHidden, s * width, std::min(width, sharedWidth - s * width));
  return Buffer(result.element, result.shape, all);
}

Buffer Mixture::fused(const Buffer &x) const {
  int64_t n = x.shape[0], places = kTopK + pieces();
  auto linear = [&](const Buffer &w) {
    return runOp("quartet.linear %x, %w", {{"x", x, true}, {"w", w, false}},
                 {Buffer(Element::kF32, {n, w.shape[0]})});
  };
  RowOp select{
      "quartet.select_experts %l top_k 2 renormalize shared " +
          std::to_string(pieces()) + " gate(%g)",
      {{"l", linear(router), true}, {"g", linear(gate), true}},
      {Buffer(Element::kF32, {n, places}), Buffer(Element::kI32, {n, places})}};
  select.runAll();
  RowOp up{"quartet.expert_up %x, %ids, %w",
           {{"x", x, true},
            {"ids", select.results[1], true},
            {"w", fusedGateUp(), false}},
           {Buffer(Element::kF32, {n, places, width})}};
  up.runAll();
  RowOp down{"quartet.expert_down %h, %p, %ids, %w residual(%x)",
             {{"h", up.results[0], true},
              {"p", select.results[0], true},
              {"ids", select.results[1], true},
              {"w", fusedDown(), false},
              {"x", x, true}},
             {Buffer(Element::kF32, {n, kHidden})}};
  down.runAll();
  return down.results[0];
}

// The shared expert is one more expert: the same sums in the same order.
TEST(Experts, KeepTheirBitsWithASharedOneOfTheirWidth) {
  Random random(23);
  for (Element weight : kFloats)
    for (int64_t n : kRows) {
      Mixture mixture(random, weight, 32, 32);
      Buffer x = random.normal(Element::kF32, {n, Mixture::kHidden});
      EXPECT_EQ(mixture.fused(x).floats(), mixture.unfused(x)) << n;
    }
}

// Pieces of the shared expert add up in another order; padding adds nothing.
TEST(Experts, MatchWithASharedOneOfAnotherWidth) {
  Random random(24);
  for (int64_t sharedWidth : {8, 20, 50})
    for (int64_t n : kRows) {
      Mixture mixture(random, Element::kBF16, 20, sharedWidth);
      Buffer x = random.normal(Element::kF32, {n, Mixture::kHidden});
      expectClose("experts", mixture.fused(x), mixture.unfused(x));
    }
}

// Without a shared expert the choice is that of route.
TEST(SelectExperts, ChoosesAsRouteDoes) {
  Random random(25);
  for (bool renormalize : {true, false})
    for (int64_t n : kRows) {
      std::string how =
          std::string(" top_k 4") + (renormalize ? " renormalize" : "");
      Buffer x = random.normal(Element::kF32, {n, 64});
      Buffer w = random.projection(Element::kF32, {24, 64});
      std::vector<Buffer> results{Buffer(Element::kF32, {n, 4}),
                                  Buffer(Element::kI32, {n, 4})};
      RowOp route{"quartet.route %x, %w" + how,
                  {{"x", x, true}, {"w", w, false}},
                  results};
      route.results = route.run(0, n);
      Buffer logits =
          runOp("quartet.linear %x, %w", {{"x", x, true}, {"w", w, false}},
                {Buffer(Element::kF32, {n, 24})});
      RowOp select{
          "quartet.select_experts %l" + how, {{"l", logits, true}}, results};
      select.runAll();
      EXPECT_EQ(select.results[0].bytes, route.results[0].bytes);
      EXPECT_EQ(select.results[1].bytes, route.results[1].bytes);
    }
}

TEST(MlpUp, IsTheFirstHalfOfMlp) {
  Random random(26);
  for (int64_t n : kRows) {
    constexpr int64_t kHidden = 64, kWidth = 20, kPadded = 32;
    Buffer x = random.normal(Element::kF32, {n, kHidden});
    Buffer gateUp = random.projection(Element::kBF16, {2 * kWidth, kHidden});
    Buffer down = random.projection(Element::kBF16, {kHidden, kWidth});
    std::vector<float> rows(2 * kPadded * kHidden), own = gateUp.floats();
    for (int64_t up : {0, 1})
      copyRows(rows, kHidden, up * kPadded, {own, kHidden}, up * kWidth, kWidth,
               0, kHidden);
    RowOp first{
        "quartet.mlp_up %x, %w",
        {{"x", x, true},
         {"w", Buffer(Element::kBF16, {2 * kPadded, kHidden}, rows), false}},
        {Buffer(Element::kF32, {n, kWidth})}};
    first.runAll();
    Buffer y(Element::kF32, {n, kHidden});
    Buffer halves =
        runOp("quartet.linear %h, %w",
              {{"h", first.results[0], true}, {"w", down, false}}, {y});
    Buffer whole = runOp(
        "quartet.mlp %x, %gate_up, %down",
        {{"x", x, true}, {"gate_up", gateUp, false}, {"down", down, false}},
        {y});
    EXPECT_EQ(halves.bytes, whole.bytes);
  }
}

} // namespace

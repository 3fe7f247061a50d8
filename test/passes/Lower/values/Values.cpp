// See the header; the table of bounds is here.
#include "test/passes/Lower/values/Values.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>

using namespace quartet::test;

std::vector<float> Random::normal(size_t count, float deviation) {
  std::normal_distribution<float> distribution(0.0f, deviation);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(engine);
  return values;
}

std::vector<float> Random::uniform(size_t count, float low, float high) {
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(engine);
  return values;
}

std::vector<int32_t> Random::below(size_t count, int32_t limit) {
  std::uniform_int_distribution<int32_t> distribution(0, limit - 1);
  std::vector<int32_t> values(count);
  for (int32_t &value : values)
    value = distribution(engine);
  return values;
}

Buffer Random::normal(Element element, std::vector<int64_t> shape,
                      float deviation) {
  Buffer buffer(element, shape);
  return Buffer(element, shape, normal(buffer.size(), deviation));
}

Buffer Random::projection(Element element, std::vector<int64_t> shape) {
  auto in = static_cast<float>(shape.back());
  return normal(element, std::move(shape), 1.0f / std::sqrt(in));
}

double quartet::test::normalizedError(const std::vector<float> &actual,
                                      const std::vector<float> &expected) {
  if (actual.size() != expected.size())
    return std::numeric_limits<double>::infinity();
  double error = 0.0, norm = 0.0;
  for (size_t i = 0; i < actual.size(); ++i) {
    double difference = static_cast<double>(actual[i]) - expected[i];
    error += difference * difference;
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  double ratio = norm > 0.0 ? error / norm : error;
  return std::isfinite(ratio) ? ratio : std::numeric_limits<double>::infinity();
}

namespace {
/// Bounds of the error, by type of the result. One rounding of a result is off
/// by at most 2^-8 (bf16) or 2^-11 (f16) of its value, and uniformly so below
/// that: a mean square of at most a third of the square of that, 5.1e-6 and
/// 8e-8. f32 has the errors of the sums and functions instead; its bounds are
/// about five times what the tests measure on x86-64 with AVX-512.
struct Bound {
  const char *op;
  double f32, f16, bf16;
};
constexpr Bound kBounds[] = {
    {"rms_norm", 5e-14, 8e-8, 5.1e-6},
    {"gated_rms_norm", 1e-13, 8e-8, 5.1e-6},
    // Copies and nothing else, but a table may be wider than the result.
    {"embed", 0.0, 8e-8, 5.1e-6},
    // Sums of up to 256 products in f32.
    {"linear", 5e-14, 8e-8, 5.1e-6},
    {"lm_head", 5e-14, 8e-8, 5.1e-6},
    {"mlp", 1.5e-13, 8e-8, 5.1e-6},
    {"shared_expert", 5e-13, 8e-8, 5.1e-6},
    {"experts", 1.5e-13, 8e-8, 5.1e-6},
    {"route", 1.5e-13, 8e-8, 5.1e-6},
    // Angles are exact up to the f32 product; sin and cos to an ulp of f32.
    {"rope", 1e-14, 8e-8, 5.1e-6},
    // Four products and an exp.
    {"causal_conv", 5e-14, 8e-8, 5.1e-6},
    // Errors of S add up over a sequence's tokens, damped by the decay.
    {"gated_delta", 1.5e-12, 8e-8, 5.1e-6},
    // A running softmax that rescales once per page.
    {"gated_attention", 3e-13, 8e-8, 5.1e-6},
};
} // namespace

void quartet::test::expectClose(const std::string &op, const Buffer &actual,
                                const std::vector<float> &expected) {
  const Bound *bound =
      std::find_if(std::begin(kBounds), std::end(kBounds),
                   [&](const Bound &entry) { return op == entry.op; });
  ASSERT_NE(bound, std::end(kBounds)) << "no bound for " << op;
  double limit = actual.element == Element::kF32   ? bound->f32
                 : actual.element == Element::kF16 ? bound->f16
                                                   : bound->bf16;
  EXPECT_LE(normalizedError(actual.floats(), expected), limit)
      << op << " to " << name(actual.element);
}

Buffer quartet::test::slice(const Buffer &buffer, int64_t from, int64_t count) {
  std::vector<int64_t> shape = buffer.shape;
  shape[0] = count;
  Buffer result(buffer.element, shape);
  std::string bytes = buffer.rows(from, count);
  std::copy(bytes.begin(), bytes.end(), result.bytes.begin());
  return result;
}

std::vector<Buffer> RowOp::run(int64_t from, int64_t count) {
  std::vector<Buffer> inputs, outputs;
  for (const Operand &operand : operands)
    inputs.push_back(operand.isPerRow ? slice(operand.buffer, from, count)
                                      : operand.buffer);
  for (const Buffer &result : results)
    outputs.push_back(slice(result, from, count));
  OpRunner runner(text);
  for (size_t i = 0; i < operands.size(); ++i)
    runner.input(operands[i].name, inputs[i],
                 operands[i].isPerRow ? std::vector<int>{0}
                                      : std::vector<int>{});
  for (Buffer &output : outputs)
    runner.output(output);
  runner.run();
  return outputs;
}

void RowOp::runAll() {
  int64_t rows = results[0].shape[0];
  results = run(0, rows);
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<Buffer> alone = run(row, 1);
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_EQ(alone[i].rows(0, 1), results[i].rows(row, 1))
          << text << ": row " << row << " of result " << i
          << " has other bits alone";
  }
}

Batch::Batch(std::vector<int32_t> lengths, std::vector<int32_t> pasts,
             std::vector<int32_t> slots, int64_t numSlots)
    : lengths(lengths), numSlots(numSlots), tokenSeq(Element::kI32, {0}),
      seqStart(Element::kI32, {0}), seqPast(Element::kI32, {0}),
      seqSlot(Element::kI32, {0}) {
  auto sequences = static_cast<int64_t>(lengths.size());
  std::vector<int32_t> starts{0}, sequenceOf;
  for (int32_t length : lengths) {
    auto seq = static_cast<int32_t>(starts.size() - 1);
    starts.push_back(starts.back() + length);
    sequenceOf.insert(sequenceOf.end(), length, seq);
  }
  tokenSeq = Buffer({starts.back()}, sequenceOf);
  seqStart = Buffer({sequences + 1}, starts);
  seqPast = Buffer({sequences}, pasts);
  seqSlot = Buffer({sequences}, slots);
}

Batch Batch::one(int64_t seq, int32_t token) const {
  return Batch({1}, {seqPast.ints()[seq] + token}, {seqSlot.ints()[seq]},
               numSlots);
}

quartet::reference::Ragged Batch::ragged() const {
  return {tokens(), sequences(), seqStart.ints(), seqPast.ints(),
          seqSlot.ints()};
}

bool Batch::usesSlot(int64_t slot) const {
  const int32_t *slots = seqSlot.ints();
  return std::find(slots, slots + sequences(), slot) != slots + sequences();
}

std::vector<Batch> quartet::test::batches() {
  return {Batch({1}, {5}, {2}, 4), Batch({7}, {0}, {0}, 2),
          Batch({3, 1, 9}, {0, 70, 2}, {4, 0, 2}, 5),
          Batch({1, 1, 1}, {63, 64, 0}, {1, 0, 3}, 4),
          Batch({70, 2}, {60, 1}, {1, 2}, 3)};
}

// Values of the ops that read and update states: results and states against the
// reference, slots and pages of other sequences untouched, and the same bits
// for a token whatever else is in its step.
#include "test/passes/Lower/values/Values.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace quartet::test;
namespace reference = quartet::reference;

namespace {

/// Slots that no sequence of \p batch uses must keep their bytes.
void expectOthersUntouched(const Batch &batch, const Buffer &before,
                           const Buffer &after) {
  for (int64_t slot = 0; slot < batch.numSlots; ++slot)
    if (!batch.usesSlot(slot))
      EXPECT_EQ(after.rows(slot, 1), before.rows(slot, 1)) << "slot " << slot;
}

/// Runs \p runStep on each token as a step of its own, sequence after sequence,
/// and expects the rows of \p whole.
template <typename RunStep>
void expectSameBitsAlone(const Batch &batch, const Buffer &whole,
                         RunStep runStep) {
  for (int64_t seq = 0; seq < batch.sequences(); ++seq)
    for (int32_t i = 0; i < batch.lengths[seq]; ++i) {
      int64_t token = batch.seqStart.ints()[seq] + i;
      EXPECT_EQ(runStep(batch.one(seq, i), token).rows(0, 1),
                whole.rows(token, 1))
          << "token " << i << " of sequence " << seq;
    }
}

//===- causal_conv --------------------------------------------------------===//

Buffer runCausalConv(Batch batch, Buffer x, Buffer &w, Buffer &state) {
  Buffer y(x.element, x.shape);
  OpRunner("quartet.causal_conv %x, %w, %s ragged(%seq, %start, %slot)")
      .input("x", x, {0})
      .input("w", w)
      .state("s", state)
      .input("seq", batch.tokenSeq, {0})
      .input("start", batch.seqStart, {0})
      .input("slot", batch.seqSlot, {0})
      .output(y)
      .run();
  return y;
}

void testCausalConv(uint32_t seed, const Batch &batch, Element xType,
                    Element stateType, int64_t taps) {
  constexpr int64_t channels = 21;
  Random random(seed);
  Buffer x = random.normal(xType, {batch.tokens(), channels});
  Buffer w = random.normal(Element::kF32, {channels, taps}, 0.5f);
  Buffer before =
      random.normal(stateType, {batch.numSlots, taps - 1, channels});
  Buffer state = before;
  Buffer y = runCausalConv(batch, x, w, state);

  std::vector<float> kept = before.floats(), expected(x.size());
  reference::causalConv(x.floats().data(), w.floats().data(), kept.data(),
                        expected.data(), batch.ragged(), channels, taps,
                        floatType(stateType));
  expectClose("causal_conv", y, expected);
  // The window holds roundings, nothing computed: all its bits are known.
  EXPECT_EQ(state.floats(), kept);
  expectOthersUntouched(batch, before, state);

  Buffer running = before;
  expectSameBitsAlone(batch, y, [&](const Batch &one, int64_t token) {
    return runCausalConv(one, slice(x, token, 1), w, running);
  });
  EXPECT_EQ(running.bytes, state.bytes);
}

TEST(CausalConv, MatchesTheReference) {
  uint32_t seed = 1;
  for (const Batch &batch : batches()) {
    testCausalConv(seed++, batch, Element::kF32, Element::kBF16, 4);
    testCausalConv(seed++, batch, Element::kF32, Element::kF32, 4);
  }
  testCausalConv(seed++, batches()[2], Element::kBF16, Element::kF16, 4);
  testCausalConv(seed++, batches()[2], Element::kF32, Element::kBF16, 2);
}

//===- gated_delta --------------------------------------------------------===//

struct DeltaCase {
  int64_t keyHeads, valueHeads, keyDim, valueDim;
  Element type; // of q, k, v, a, b and out
};

struct DeltaInputs {
  Buffer q, k, v, a, b, aLog, dtBias;

  static DeltaInputs make(Random &random, const DeltaCase &shape, int64_t n) {
    // A_log as the family initialises it, decay rates from 1 to 16; dt_bias for
    // time steps from 0.001 to 0.1.
    std::vector<float> rates = random.uniform(shape.valueHeads, 1, 16);
    std::vector<float> bias = random.uniform(shape.valueHeads, -6.9f, -2.3f);
    for (float &rate : rates)
      rate = std::log(rate);
    Element type = shape.type;
    return {random.normal(type, {n, shape.keyHeads, shape.keyDim}),
            random.normal(type, {n, shape.keyHeads, shape.keyDim}),
            random.normal(type, {n, shape.valueHeads, shape.valueDim}),
            random.normal(type, {n, shape.valueHeads}, 2.0f),
            random.normal(type, {n, shape.valueHeads}, 2.0f),
            Buffer(Element::kF32, {shape.valueHeads}, rates),
            Buffer(Element::kF32, {shape.valueHeads}, bias)};
  }
  DeltaInputs token(int64_t t) const {
    return {slice(q, t, 1), slice(k, t, 1), slice(v, t, 1), slice(a, t, 1),
            slice(b, t, 1), aLog,           dtBias};
  }
};

Buffer runGatedDelta(Batch batch, DeltaInputs in, Buffer &state) {
  Buffer out(in.v.element, in.v.shape);
  OpRunner("quartet.gated_delta %q, %k, %v, %a, %b, %a_log, %dt, %s "
           "ragged(%start, %slot) qk_eps 1.0e-6")
      .input("q", in.q, {0})
      .input("k", in.k, {0})
      .input("v", in.v, {0})
      .input("a", in.a, {0})
      .input("b", in.b, {0})
      .input("a_log", in.aLog)
      .input("dt", in.dtBias)
      .state("s", state)
      .input("start", batch.seqStart, {0})
      .input("slot", batch.seqSlot, {0})
      .output(out)
      .run();
  return out;
}

void testGatedDelta(uint32_t seed, const Batch &batch, const DeltaCase &shape) {
  Random random(seed);
  DeltaInputs in = DeltaInputs::make(random, shape, batch.tokens());
  Buffer before = random.normal(
      Element::kF32,
      {batch.numSlots, shape.valueHeads, shape.valueDim, shape.keyDim}, 0.3f);
  Buffer state = before;
  Buffer out = runGatedDelta(batch, in, state);

  std::vector<float> q = in.q.floats(), k = in.k.floats(), v = in.v.floats(),
                     a = in.a.floats(), b = in.b.floats(),
                     aLog = in.aLog.floats(), dtBias = in.dtBias.floats(),
                     kept = before.floats(), expected(out.size());
  reference::gatedDelta({shape.keyHeads, shape.valueHeads, shape.keyDim,
                         shape.valueDim, 1e-6f, q.data(), k.data(), v.data(),
                         a.data(), b.data(), aLog.data(), dtBias.data(),
                         kept.data(), expected.data()},
                        batch.ragged());
  expectClose("gated_delta", out, expected);
  expectClose("gated_delta", state, kept);
  expectOthersUntouched(batch, before, state);

  Buffer running = before;
  expectSameBitsAlone(batch, out, [&](const Batch &one, int64_t token) {
    return runGatedDelta(one, in.token(token), running);
  });
  EXPECT_EQ(running.bytes, state.bytes);
}

// Key heads per value head: as in the family (1:2), one for all, one each.
TEST(GatedDelta, MatchesTheReference) {
  uint32_t seed = 1;
  for (const Batch &batch : batches())
    testGatedDelta(seed++, batch, {2, 4, 16, 24, Element::kF32});
  testGatedDelta(seed++, batches()[2], {1, 3, 32, 8, Element::kF32});
  testGatedDelta(seed++, batches()[2], {3, 3, 13, 5, Element::kF32});
  testGatedDelta(seed++, batches()[2], {2, 4, 16, 24, Element::kBF16});
}

// The head size of the family, over more tokens than a chunk of the chunked
// form.
TEST(GatedDelta, StaysCloseOverManyTokens) {
  testGatedDelta(99, Batch({150}, {0}, {1}, 2), {1, 2, 128, 16, Element::kF32});
}

//===- gated_attention ----------------------------------------------------===//

struct AttentionCase {
  int64_t heads, keyHeads, width;
  bool isGated;
  Element type, cacheType;
};

struct AttentionInputs {
  Buffer q, k, v, gate;
  AttentionInputs token(int64_t t) const {
    return {slice(q, t, 1), slice(k, t, 1), slice(v, t, 1), slice(gate, t, 1)};
  }
};

Buffer runAttention(Batch batch, AttentionInputs in, const AttentionCase &shape,
                    Buffer &key, Buffer &value, Buffer &table) {
  Buffer out(in.q.element, in.q.shape);
  std::string text = "quartet.gated_attention %q, %k, %v ";
  if (shape.isGated)
    text += "gate(%g) ";
  OpRunner runner(text + "cache(%key, %value) ragged(%seq, %start, %past, "
                         "%slot) pages(%table) scale 0.25");
  runner.input("q", in.q, {0}).input("k", in.k, {0}).input("v", in.v, {0});
  if (shape.isGated)
    runner.input("g", in.gate, {0});
  runner.state("key", key)
      .state("value", value)
      .input("seq", batch.tokenSeq, {0})
      .input("start", batch.seqStart, {0})
      .input("past", batch.seqPast, {0})
      .input("slot", batch.seqSlot, {0})
      .input("table", table, {0, 1})
      .output(out)
      .run();
  return out;
}

/// Pages [pages, heads, 64, width] of floats as rows of int8, their scales in
/// the rows behind them.
Buffer toInt8(const Buffer &pages) {
  int64_t width = pages.shape[3], rows = 64 + (256 + width - 1) / width;
  Buffer result(Element::kI8, {pages.shape[0], pages.shape[1], rows, width});
  std::vector<float> from = pages.floats();
  std::vector<int8_t> q(width);
  for (int64_t head = 0; head < pages.shape[0] * pages.shape[1]; ++head)
    for (int64_t m = 0; m < 64; ++m) {
      char *page = result.bytes.data() + head * rows * width;
      float scale = reference::quantizeRow(&from[(head * 64 + m) * width],
                                           width, q.data());
      std::memcpy(page + m * width, q.data(), width);
      std::memcpy(page + 64 * width + 4 * m, &scale, 4);
    }
  return result;
}

/// What such pages stand for.
std::vector<float> fromInt8(const Buffer &pages) {
  int64_t rows = pages.shape[2], width = pages.shape[3];
  std::vector<float> result;
  for (int64_t head = 0; head < pages.shape[0] * pages.shape[1]; ++head)
    for (int64_t m = 0; m < 64; ++m) {
      const char *page = pages.bytes.data() + head * rows * width;
      float scale;
      std::memcpy(&scale, page + 64 * width + 4 * m, 4);
      for (int64_t d = 0; d < width; ++d)
        result.push_back(static_cast<int8_t>(page[m * width + d]) * scale);
    }
  return result;
}

void testAttention(uint32_t seed, const Batch &batch,
                   const AttentionCase &shape) {
  bool int8 = shape.cacheType == Element::kI8;
  constexpr int64_t tableWidth = 3;
  Random random(seed);
  int64_t n = batch.tokens();
  AttentionInputs in{
      random.normal(shape.type, {n, shape.heads, shape.width}),
      random.normal(shape.type, {n, shape.keyHeads, shape.width}),
      random.normal(shape.type, {n, shape.keyHeads, shape.width}),
      random.normal(shape.type, {n, shape.heads, shape.width}, 2.0f)};
  // Pages in no order, and one that no slot has. The caches are full of values:
  // places beyond a token must not count.
  int64_t pages = batch.numSlots * tableWidth + 1;
  std::vector<int32_t> numbers(pages);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(seed));
  numbers.pop_back();
  Buffer table({batch.numSlots, tableWidth}, numbers);
  std::vector<int64_t> cacheShape{pages, shape.keyHeads, 64, shape.width};
  Element drawn = int8 ? Element::kF32 : shape.cacheType;
  Buffer keyBefore = random.normal(drawn, cacheShape);
  Buffer valueBefore = random.normal(drawn, cacheShape);
  if (int8) {
    keyBefore = toInt8(keyBefore);
    valueBefore = toInt8(valueBefore);
  }
  auto floats = [&](const Buffer &pages) {
    return int8 ? fromInt8(pages) : pages.floats();
  };
  Buffer key = keyBefore, value = valueBefore;
  Buffer out = runAttention(batch, in, shape, key, value, table);

  std::vector<float> q = in.q.floats(), k = in.k.floats(), v = in.v.floats(),
                     gate = in.gate.floats(), keys = floats(keyBefore),
                     values = floats(valueBefore), expected(out.size());
  reference::gatedAttention({shape.heads, shape.keyHeads, shape.width,
                             tableWidth, 0.25f, q.data(), k.data(), v.data(),
                             shape.isGated ? gate.data() : nullptr, keys.data(),
                             values.data(), table.ints(),
                             floatType(shape.cacheType), expected.data(), int8},
                            batch.ragged());
  expectClose("gated_attention", out, expected);
  // The caches hold roundings, nothing computed; that covers untouched pages.
  EXPECT_EQ(floats(key), keys);
  EXPECT_EQ(floats(value), values);

  Buffer runningKey = keyBefore, runningValue = valueBefore;
  expectSameBitsAlone(batch, out, [&](const Batch &one, int64_t token) {
    return runAttention(one, in.token(token), shape, runningKey, runningValue,
                        table);
  });
  EXPECT_EQ(runningKey.bytes, key.bytes);
  EXPECT_EQ(runningValue.bytes, value.bytes);
}

// Query heads per KV head: 4, 1 and all.
TEST(GatedAttention, MatchesTheReference) {
  uint32_t seed = 1;
  for (const Batch &batch : batches())
    testAttention(seed++, batch,
                  {8, 2, 16, true, Element::kF32, Element::kBF16});
  const Batch ragged = batches()[2];
  testAttention(seed++, ragged, {3, 3, 20, true, Element::kF32, Element::kF32});
  testAttention(seed++, ragged, {6, 1, 8, false, Element::kF32, Element::kF16});
  testAttention(seed++, ragged,
                {4, 2, 16, true, Element::kBF16, Element::kBF16});
}

// Scales fill sixteen rows, and eleven not quite.
TEST(GatedAttention, MatchesTheReferenceWithInt8Pages) {
  uint32_t seed = 1;
  for (const Batch &batch : batches())
    testAttention(seed++, batch, {8, 2, 16, true, Element::kF32, Element::kI8});
  testAttention(seed++, batches()[2],
                {6, 3, 24, true, Element::kF32, Element::kI8});
}

} // namespace

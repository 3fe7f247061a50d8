// GGUF's blocks as integers and scales: the same values as the decoders to f32
// give, and what happens when value heads cut through groups.
#include "compiler/import/gguf/GgufOwn.h"
#include "GgufTesting.h"
#include "compiler/import/Convert.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "compiler/import/gguf/GgufTensors.h"
#include "compiler/import/quantized/WidenRows.h"
#include <cmath>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

struct Type {
  uint32_t id;
  int d, m; ///< positions of the half fields; -1: none
  const char *exact, *kept;
};
const Type types[] = {
    {2, 0, -1, "int4:32", "int4:32"},
    {3, 0, 2, "int4:32:min", "int4:32:min"},
    {6, 0, -1, "int6:32", "int6:32"},
    {7, 0, 2, "int6:32:min", "int6:32:min"},
    {8, 0, -1, "int8:32", "int8:32"},
    {12, 0, 2, "int4:32:min:f32", "int4:32:min"},
    {13, 0, 2, "int6:32:min:f32", "int6:32:min"},
    {14, 208, -1, "int6:16:f32", "int6:16"},
    {20, 0, -1, "int4:32:iq4_nl", "int4:32:iq4_nl"},
    {23, 0, -1, "int4:32:iq4_nl:f32", "int4:32:iq4_nl"},
    {39, -1, -1, "int4:32:e2m1:bf16", "int4:32:e2m1:bf16"},
};

/// \p count blocks of bytes that look random, with scales of a usual size.
std::string blocks(const Type &type, int count) {
  std::string bytes;
  for (int b = 0; b < count; ++b) {
    std::string block(size_t(ggufType(type.id)->blockBytes), '\0');
    for (size_t i = 0; i < block.size(); ++i)
      block[i] = char(37 * i + 11 + size_t(b) * 101);
    if (type.d >= 0)
      block.replace(size_t(type.d), 2,
                    raw(floatToHalf(b % 2 ? -0.0123f : 0.0456f)));
    if (type.m >= 0)
      block.replace(size_t(type.m), 2, raw(floatToHalf(0.0789f)));
    if (type.id == 39)
      block[0] = char(b == 0 ? 0 : 100 + b);
    bytes += block;
  }
  return bytes;
}

TEST(GgufOwn, HasTheValuesOfTheBlocks) {
  for (const Type &type : types) {
    const GgufType *plain = ggufType(type.id);
    SCOPED_TRACE(plain->name);
    const GgufOwn *own = ggufOwn(type.id);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->exact.str(), type.exact);
    EXPECT_EQ(own->kept.str(), type.kept);
    EXPECT_EQ(own->exact.whyInvalid(), "");
    constexpr int count = 8;
    std::string bytes = blocks(type, count);
    auto *in = reinterpret_cast<const uint8_t *>(bytes.data());
    QuantizedRows rows, kept;
    rows.reset(own->exact, 1, count * plain->blockElements);
    own->decode(in, rows.values.data(), rows.scales.data(),
                rows.zeros.empty() ? nullptr : rows.zeros.data(), count);
    std::vector<float> expected(rows.values.size()), found(expected.size());
    plain->decode(in, expected.data(), count);
    dequantizeRows(rows, found.data());
    EXPECT_EQ(found, expected);
    // With scales of 16 bits, values move by less than 2^-11 of the range of
    // codes; not at all where a block has one scale.
    kept.reset(own->kept, 1, rows.columns);
    ASSERT_TRUE(widenRows(rows, kept));
    dequantizeRows(kept, found.data());
    double range = own->exact == own->kept ? 0 : 127 * 0.0456 * 63 / 2048;
    for (size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], range) << i;
    EXPECT_EQ(found == expected, own->exact == own->kept);
  }
  EXPECT_EQ(ggufOwn(0), nullptr);
  EXPECT_EQ(ggufOwn(30), nullptr);
}

TEST(GgufOwn, RefusesAnExponentThatIsNoNumber) {
  uint8_t block[17] = {255}, values[32];
  float scale = 0;
  ggufOwn(39)->decode(block, values, &scale, nullptr, 1);
  EXPECT_TRUE(std::isnan(scale));
}

/// Two rows of two blocks of type Q8_0, whose columns are moved in pieces of
/// \p piece: the last piece comes first.
void checkOrder(int64_t piece, StringRef format, bool exact) {
  GgufBuilder file;
  file.set("general.architecture", "x");
  file.tensors.push_back({"t", {64, 2}, 8, blocks(types[4], 4)});
  auto model = GgufModel::fromBuffer(
      MemoryBuffer::getMemBufferCopy(file.bytes()), "m.gguf");
  ASSERT_TRUE(bool(model)) << message(model.takeError());
  GgufTensors tensors;
  GgufView &view = tensors.views["w"];
  view.tensor = model->find("t");
  view.rows = 2;
  view.columns = 64;
  auto order = std::make_shared<std::vector<int64_t>>();
  for (int64_t i = 0; i < 64; ++i)
    order->push_back((i + 64 - piece) % 64);
  view.columnOrder = order;
  Weight weight{"w", WeightRole::Matrix, {2, 64}, Dtype::F32, {}};
  weight.runs.push_back({"w", 0, 128});
  auto source = ggufSource(*model, tensors);
  auto own = source->ownFormat(weight);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->str(), format);
  QuantizedRows rows;
  rows.reset(*own, 2, 64);
  EXPECT_EQ(message(source->readOwn(weight, 0, 2, rows)), "success");
  std::vector<float> expected(128), found(128);
  EXPECT_EQ(message(source->readF32(weight, 0, expected)), "success");
  dequantizeRows(rows, found.data());
  EXPECT_EQ(found == expected, exact);
  for (size_t i = 0; i < 128; ++i)
    EXPECT_NEAR(found[i], expected[i], 0.0456);
  WeightPlan plan;
  plan.weights.push_back(weight);
  EXPECT_EQ(source->ownNote(plan),
            exact ? "quantized tensors: 1 of Q8_0 exactly as int8:32"
                  : "quantized tensors: 1 of Q8_0 as int8:32 (requantized, as "
                    "heads are not whole groups of columns)");
}

TEST(GgufOwn, MovesWholeGroupsWithTheirScales) {
  checkOrder(32, "int8:32", true);
}
TEST(GgufOwn, RequantizesTornGroups) { checkOrder(16, "int8:32", false); }

TEST(GgufOwn, SaysWhatIsRounded) {
  GgufBuilder file;
  file.set("general.architecture", "x");
  file.tensors.push_back({"t", {256, 2}, 12, blocks(types[5], 2)});
  auto model = GgufModel::fromBuffer(
      MemoryBuffer::getMemBufferCopy(file.bytes()), "m.gguf");
  ASSERT_TRUE(bool(model)) << message(model.takeError());
  GgufTensors tensors;
  tensors.views["w"].tensor = model->find("t");
  tensors.views["w"].rows = 2;
  tensors.views["w"].columns = 256;
  WeightPlan plan;
  plan.weights.push_back(
      {"w", WeightRole::Matrix, {2, 256}, Dtype::BF16, {{"w", 0, 512}}});
  auto source = ggufSource(*model, tensors);
  EXPECT_EQ(source->ownNote(plan), "quantized tensors: 1 of Q4_K as "
                                   "int4:32:min (block scales rounded to 16 "
                                   "bits)");
  // Wider scales are not rounded.
  QuantizedRows rows;
  rows.reset(*PackedFormat::parse("int4:32:min:f32"), 2, 256);
  const Weight &weight = plan.weights[0];
  EXPECT_EQ(message(source->readOwn(weight, 0, 2, rows)), "success");
  std::vector<float> expected(512), found(512);
  EXPECT_EQ(message(source->readF32(weight, 0, expected)), "success");
  dequantizeRows(rows, found.data());
  EXPECT_EQ(found, expected);
  // A role that is never quantized.
  plan.weights[0].role = WeightRole::Router;
  plan.weights[0].name = "r";
  EXPECT_EQ(source->ownFormat(plan.weights[0]), std::nullopt);
  EXPECT_EQ(source->ownNote(plan),
            "quantized tensors: 1 of Q4_K widened to bf16");
}

} // namespace

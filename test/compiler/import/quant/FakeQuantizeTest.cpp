// The reference's weights are the packed ones: every element, however it is
// asked for.
#include "compiler/import/quant/FakeQuantize.h"
#include "QuantTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

class FakeQuantize : public ::testing::Test {
protected:
  WeightPlan weights;
  PackPlan plan;

  void SetUp() override {
    weights.weights = {weightOf("l0.gate_up", {2, 3, 10, 40}),
                       weightOf("l0.shared_gate_up", {2, 6, 40}),
                       weightOf("l0.q", {2, 21, 40}), weightOf("norm", {40})};
    plan = plainPackPlan(weights);
    // The shared expert as the last one, its halves apart.
    PackedPart gate = plan[1].parts[0], up = gate;
    gate.rows = up.rows = up.sourceRow = 3;
    gate.expert = up.expert = 3;
    up.row = 5;
    plan[0].experts = 4;
    plan[0].parts.insert(plan[0].parts.end(), {gate, up});
    plan.erase(plan.begin() + 1);
    // Rows 4 to 17 of the queries, from column 8 on.
    PackedPart &q = plan[1].parts[0];
    q.sourceRow = 4;
    q.rows = 13;
    q.row = 2;
    q.sourceColumn = 8;
    q.columns = 32;
  }

  std::vector<float> readAll(WeightSource &source, const Weight &weight) {
    size_t count = 1;
    for (int64_t extent : weight.shape)
      count *= size_t(extent);
    std::vector<float> values(count);
    cantFail(source.readF32(weight, 0, values));
    return values;
  }

  void expectPacked(WeightSource &source, StringRef format) {
    plan[0].format = plan[1].format = formatOf(format.str());
    auto file = writeToMemory(plan, weights, source);
    ASSERT_TRUE(bool(file)) << message(std::move(file));
    auto fake = fakeQuantize(source, plan, weights, nullptr);
    std::vector<float> experts = readAll(*fake, weights.weights[0]);
    std::vector<float> shared = readAll(*fake, weights.weights[1]);
    for (int64_t i = 0; i < 2 * 3 * 10 * 40; ++i)
      ASSERT_EQ(experts[size_t(i)],
                file->at(0, i / 1200, i / 400 % 3, i / 40 % 10, i % 40))
          << format.str() << " " << i;
    for (int64_t i = 0; i < 2 * 6 * 40; ++i) {
      int64_t row = i / 40 % 6;
      ASSERT_EQ(shared[size_t(i)],
                file->at(0, i / 240, 3, row < 3 ? row : row + 2, i % 40))
          << format.str() << " " << i;
    }
    std::vector<float> q = readAll(*fake, weights.weights[2]);
    std::vector<float> plain = readAll(source, weights.weights[2]);
    for (int64_t i = 0; i < 2 * 21 * 40; ++i) {
      int64_t row = i / 40 % 21, column = i % 40;
      bool packed = row >= 4 && row < 17 && column >= 8;
      ASSERT_EQ(q[size_t(i)],
                packed ? file->at(1, i / 840, 0, row - 4 + 2, column - 8)
                       : plain[size_t(i)])
          << format.str() << " " << i;
    }
    EXPECT_EQ(readAll(*fake, weights.weights[3]),
              readAll(source, weights.weights[3]));
    // Any range gives the same.
    std::vector<float> part(517);
    cantFail(fake->readF32(weights.weights[0], 333, part));
    EXPECT_TRUE(std::equal(part.begin(), part.end(), experts.begin() + 333));
  }
};

TEST_F(FakeQuantize, OfFloatsIsWhatIsPacked) {
  TableSource source;
  source.values["l0.gate_up"] = normals(2400, 1, 1);
  source.values["l0.shared_gate_up"] = normals(480, 1, 2);
  source.values["l0.q"] = normals(1680, 1, 3);
  source.values["norm"] = normals(40, 1, 4);
  for (const std::string &format : kAllFormats)
    expectPacked(source, format);
}

// Groups of 8 columns in, so the queries go through f32 and the rest does not.
TEST_F(FakeQuantize, OfSyntheticWeightsIsWhatIsPacked) {
  auto source = syntheticSource(5);
  for (const std::string &format : kAllFormats)
    expectPacked(*source, format);
}

TEST_F(FakeQuantize, OfQuantizedWeightsIsWhatIsStored) {
  TableSource source;
  PackedFormat format = formatOf("int4:16:min");
  source.addOwn(weights.weights[0], format);
  source.values["l0.shared_gate_up"] = normals(480, 1, 2);
  source.values["l0.q"] = normals(1680, 1, 3);
  source.values["norm"] = normals(40, 1, 4);
  expectPacked(source, "int4:16:min");
  auto fake = fakeQuantize(source, plan, weights, nullptr);
  EXPECT_EQ(readAll(*fake, weights.weights[0]), source.values["l0.gate_up"]);
}

TEST_F(FakeQuantize, RoundsToThePlansType) {
  TableSource source;
  source.values["l0.q"] = normals(1680, 1, 3);
  plan[1].format = formatOf("int4:16");
  auto fake = fakeQuantize(source, plan, weights, nullptr);
  std::vector<float> wide = readAll(*fake, weights.weights[2]);
  Weight narrow = weights.weights[2];
  narrow.dtype = Dtype::BF16;
  std::vector<uint8_t> bytes(1680 * 2);
  cantFail(fake->read(narrow, 0, bytes));
  for (size_t i = 0; i < wide.size(); ++i) {
    uint16_t bits;
    memcpy(&bits, &bytes[2 * i], 2);
    ASSERT_EQ(bits, floatToBf16(wide[i]));
  }
}

// As the down matrix of a shared expert that becomes several experts.
TEST_F(FakeQuantize, RoundsAllColumnsThatSeveralMatricesShare) {
  WeightPlan one;
  one.weights = {weightOf("l0.shared_down", {2, 21, 40})};
  PackPlan halves = plainPackPlan(one);
  halves.push_back(halves[0]);
  halves[1].name = "second";
  halves[0].parts[0].columns = halves[0].columns = 24;
  halves[1].parts[0].columns = halves[1].columns = 16;
  halves[1].parts[0].sourceColumn = 24;
  halves[0].format = halves[1].format = formatOf("int4:16");
  TableSource source;
  source.values["l0.shared_down"] = normals(1680, 1, 3);
  auto file = writeToMemory(halves, one, source);
  ASSERT_TRUE(bool(file)) << message(std::move(file));
  auto fake = fakeQuantize(source, halves, one, nullptr);
  std::vector<float> values = readAll(*fake, one.weights[0]);
  for (int64_t i = 0; i < 2 * 21 * 40; ++i) {
    int64_t repeat = i / 840, row = i / 40 % 21, column = i % 40;
    ASSERT_EQ(values[size_t(i)], column < 24
                                     ? file->at(0, repeat, 0, row, column)
                                     : file->at(1, repeat, 0, row, column - 24))
        << i;
  }
}

} // namespace

// Packed matrices in the weight file: parts, experts and padding are where the
// layout says, quantized checkpoints are copied exactly, and errors name the
// tensor.
#include "QuantTesting.h"
#include <sys/resource.h>

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

PackedMatrix matrixOf(StringRef name, StringRef format, int64_t repeat,
                      int64_t experts, int64_t rows, int64_t columns,
                      std::vector<PackedPart> parts) {
  return {name.str(), formatOf(format.str()), repeat, experts, rows,
          columns,    std::move(parts)};
}

/// All of a weight at (row, expert) of the matrix.
PackedPart whole(const Weight &weight, int64_t row = 0, int64_t expert = 0) {
  MatrixShape shape = matrixShape(weight);
  PackedPart part;
  part.source = weight.name;
  part.rows = shape.rows;
  part.columns = shape.columns;
  part.experts = shape.experts;
  part.row = row;
  part.expert = expert;
  return part;
}

/// The element of the sources that an element of the matrix comes from; zero
/// where no part is.
float expectedAt(const PackedMatrix &matrix, const WeightPlan &plan,
                 const TableSource &source, int64_t repeat, int64_t expert,
                 int64_t row, int64_t column) {
  for (const PackedPart &part : matrix.parts) {
    if (row < part.row || row >= part.row + part.rows || expert < part.expert ||
        expert >= part.expert + part.experts || column >= part.columns)
      continue;
    for (const Weight &weight : plan.weights) {
      if (weight.name != part.source)
        continue;
      MatrixShape shape = matrixShape(weight);
      int64_t index =
          ((repeat * shape.experts + expert - part.expert) * shape.rows +
           part.sourceRow + row - part.row) *
              shape.columns +
          part.sourceColumn + column;
      return source.values.at(weight.name)[size_t(index)];
    }
  }
  return 0.0f;
}

/// Compares every element, and the padding with zero.
void expectMatrix(const WrittenFile &file, size_t index,
                  const PackedMatrix &matrix, const WeightPlan &plan,
                  const TableSource &source, double tolerance) {
  int64_t rows = panelCount(matrix.rows) * 16;
  for (int64_t repeat = 0; repeat < matrix.repeat; ++repeat)
    for (int64_t expert = 0; expert < matrix.experts; ++expert)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < matrix.columns; ++column) {
          float want = row < matrix.rows
                           ? expectedAt(matrix, plan, source, repeat, expert,
                                        row, column)
                           : 0.0f;
          ASSERT_NEAR(file.at(index, repeat, expert, row, column), want,
                      tolerance)
              << matrix.name << " [" << repeat << "][" << expert << "][" << row
              << "][" << column << "]";
        }
}

/// Weights of a small sparse model, with bf16 values so that bf16 is exact.
struct Model {
  WeightPlan plan;
  TableSource source;

  Model() {
    add(weightOf("l0.gate_up", {2, 3, 10, 24}));
    add(weightOf("l0.shared_gate_up", {2, 6, 24}));
    add(weightOf("l0.qkv", {2, 37, 24}));
    add(weightOf("lm_head", {50, 24}));
    add(weightOf("norm", {24}));
  }
  void add(const Weight &weight) {
    size_t count = 1;
    for (int64_t extent : weight.shape)
      count *= size_t(extent);
    std::vector<float> &values = source.values[weight.name];
    values = normals(count, 1.0f, unsigned(plan.weights.size()) + 7);
    for (float &value : values)
      value = bf16ToFloat(floatToBf16(value));
    plan.weights.push_back(weight);
  }
  const Weight &operator[](StringRef name) const {
    for (const Weight &weight : plan.weights)
      if (weight.name == name)
        return weight;
    return plan.weights[0];
  }
};

/// Experts with the shared one as the last, whose gate and up are apart; rows
/// in another order with gaps; a corner of a matrix; and a plain weight.
PackPlan mixedPlan(const Model &model, StringRef format) {
  PackedPart gate = whole(model["l0.shared_gate_up"], 0, 3);
  PackedPart up = gate;
  gate.rows = up.rows = 3;
  up.sourceRow = 3;
  up.row = 5;
  PackedPart late = whole(model["l0.qkv"], 40);
  PackedPart early = late;
  late.rows = 20;
  early.sourceRow = 20;
  early.rows = 17;
  early.row = 2;
  PackedPart corner = whole(model["lm_head"], 1);
  corner.sourceRow = 9;
  corner.rows = 30;
  corner.sourceColumn = 3;
  corner.columns = 10;
  PackPlan plan = plainPackPlan(model.plan);
  PackPlan mixed = {
      plan[4],
      matrixOf("experts", format, 2, 5, 11, 24,
               {whole(model["l0.gate_up"]), gate, up}),
      matrixOf("rows", format, 2, 1, 61, 24, {late, early}),
      matrixOf("corner", format, 1, 1, 40, 20, {corner}),
      matrixOf("empty", format, 1, 2, 3, 40, {}),
  };
  return mixed;
}

TEST(PackMatrix, PutsPartsWhereTheLayoutSays) {
  Model model;
  for (auto [format, tolerance] :
       std::vector<std::pair<std::string, double>>{{"f32", 0},
                                                   {"bf16", 0},
                                                   {"f16", 1e-6},
                                                   {"int8:16", 0.02},
                                                   {"int8:32:min:f32", 0.02},
                                                   {"int4:16:point", 0.5},
                                                   {"fp8:16", 0.13}}) {
    PackPlan plan = mixedPlan(model, format);
    auto file = writeToMemory(plan, model.plan, model.source);
    ASSERT_TRUE(bool(file)) << message(std::move(file));
    for (size_t i = 1; i < plan.size(); ++i) {
      expectMatrix(*file, i, plan[i], model.plan, model.source, tolerance);
      const PackedWeight &weight = file->layout.weights[i];
      EXPECT_EQ(weight.offset % 64, 0u);
      EXPECT_EQ(weight.shape,
                (std::vector<int64_t>{plan[i].repeat, plan[i].experts,
                                      plan[i].rows, plan[i].columns}));
    }
    std::vector<float> norm(24);
    memcpy(norm.data(), file->data(0), 24 * 4);
    EXPECT_EQ(norm, model.source.values["norm"]);
  }
}

TEST(PackMatrix, IsBytesInTheFile) {
  Model model;
  PackPlan plan = mixedPlan(model, "int4:16");
  auto file = writeToMemory(plan, model.plan, model.source);
  ASSERT_TRUE(bool(file)) << message(std::move(file));
  SafetensorsHeader header =
      cantFail(parseSafetensors(arrayRefFromStringRef(file->bytes), "out"));
  int64_t panelBytes = PanelLayout(formatOf("int4:16"), 24).bytes;
  bool found = false;
  for (const StoredTensor &tensor : header.tensors)
    if (tensor.name == "experts") {
      found = true;
      EXPECT_EQ(tensor.dtype, "U8");
      EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 5, 1, panelBytes}));
    }
  EXPECT_TRUE(found);
  EXPECT_EQ(file->layout.weights[1].storedType(), "U8");
  EXPECT_EQ(file->layout.weights[0].storedType(), "F32");
}

TEST(PackMatrix, LayoutIdFollowsFormatAndParts) {
  Model model;
  auto idOf = [&](const PackPlan &plan) {
    return layoutWeights(plan, model.plan).layoutId;
  };
  PackPlan plan = mixedPlan(model, "int4:16");
  std::string id = idOf(plan);
  EXPECT_EQ(id, idOf(mixedPlan(model, "int4:16")));
  EXPECT_NE(id, idOf(mixedPlan(model, "int4:16:iq4_nl"))); // same sizes
  std::swap(plan[2].parts[0].row, plan[2].parts[1].row);
  EXPECT_NE(id, idOf(plan));
}

TEST(PackMatrix, CopiesWhatTheSourceOwns) {
  for (const char *text :
       {"int4:16", "int4:32:f32", "int4:32:min", "int8:32", "int8:16:point",
        "int4:16:point:bf16", "fp8:32:f32", "int4:32:iq4_nl", "int4:32:e2m1",
        "int8:32:min", "fp8", "int6:16", "int6:32:min"}) {
    PackedFormat format = formatOf(text);
    WeightPlan weights;
    weights.weights = {weightOf("l0.down", {2, 3, 21, 80}),
                       weightOf("l0.shared_down", {2, 21, 48})};
    TableSource source;
    source.addOwn(weights.weights[0], format, 1);
    source.addOwn(weights.weights[1], format, 2);
    // Would show if values were read instead.
    for (auto &entry : source.values)
      std::fill(entry.second.begin(), entry.second.end(), NAN);
    PackedPart right = whole(weights.weights[0]);
    right.sourceColumn = 32; // ends with the source, not with a group of 32
    right.columns = 48;
    PackedPart left = whole(weights.weights[1], 0, 3);
    left.columns = 32;
    PackPlan plan = {
        matrixOf("all", text, 2, 4, 21, 80,
                 {whole(weights.weights[0]), whole(weights.weights[1], 0, 3)}),
        matrixOf("some", text, 2, 4, 21, 80, {right, left})};
    auto file = writeToMemory(plan, weights, source);
    ASSERT_TRUE(bool(file)) << text << ": " << message(std::move(file));
    for (int64_t repeat = 0; repeat < 2; ++repeat)
      for (int64_t row = 0; row < 21; ++row)
        for (int64_t column = 0; column < 80; ++column)
          for (int64_t expert = 0; expert < 4; ++expert) {
            bool shared = expert == 3;
            int64_t from =
                shared ? repeat * 21 + row : (repeat * 3 + expert) * 21 + row;
            std::string name = weights.weights[shared].name;
            if (column < (shared ? 48 : 80))
              ASSERT_EQ(file->at(0, repeat, expert, row, column),
                        source.ownValue(name, from, column))
                  << text << " " << row << " " << column;
            if (column < (shared ? 32 : 48))
              ASSERT_EQ(
                  file->at(1, repeat, expert, row, column),
                  source.ownValue(name, from, shared ? column : column + 32))
                  << text << " " << row << " " << column;
            // The group in which the source ends goes on with zeros, where the
            // format has one at any scale.
            if (shared && column >= 48 && format.zero != ZeroKind::Min &&
                format.codebook != Codebook::IQ4NL)
              ASSERT_EQ(file->at(0, repeat, expert, row, column), 0.0f)
                  << text << " " << row << " " << column;
            if (column >= 64 && format.group) // a whole group of padding
              ASSERT_EQ(file->at(1, repeat, expert, row, column), 0.0f);
          }
  }
}

// Groups that are not where the matrix has them, and other formats.
TEST(PackMatrix, RequantizesWhatItCannotCopy) {
  WeightPlan weights;
  weights.weights = {weightOf("l0.down", {1, 16, 96})};
  TableSource source;
  source.addOwn(weights.weights[0], formatOf("int8:32"));
  for (float &value : source.values["l0.down"])
    value = 1.0f; // not what is owned
  PackedPart shifted = whole(weights.weights[0]);
  shifted.sourceColumn = 16;
  shifted.columns = 64;
  PackedPart cut = whole(weights.weights[0]);
  cut.columns = 48;
  PackPlan plan = {
      matrixOf("shifted", "int8:32", 1, 1, 16, 64, {shifted}),
      matrixOf("cut", "int8:32", 1, 1, 16, 96, {cut}),
      matrixOf("other", "int8:64", 1, 1, 16, 96, {whole(weights.weights[0])})};
  auto file = writeToMemory(plan, weights, source);
  ASSERT_TRUE(bool(file)) << message(std::move(file));
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(file->at(i, 0, 0, 7, 40), 1.0f, 1e-3) << i;
}

TEST(PackMatrix, MixesOwnAndOtherRowsInAPanel) {
  WeightPlan weights;
  weights.weights = {weightOf("l0.q", {1, 5, 64}),
                     weightOf("l0.k", {1, 7, 64})};
  TableSource source;
  source.addOwn(weights.weights[0], formatOf("int4:32"));
  source.values["l0.k"] = normals(7 * 64);
  PackPlan plan = {
      matrixOf("m", "int4:32", 1, 1, 13, 64,
               {whole(weights.weights[0], 8), whole(weights.weights[1], 0)})};
  auto file = writeToMemory(plan, weights, source);
  ASSERT_TRUE(bool(file)) << message(std::move(file));
  expectMatrix(*file, 0, plan[0], weights, source, 0.5);
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t column = 0; column < 64; ++column)
      ASSERT_EQ(file->at(0, 0, 0, row + 8, column),
                source.ownValue("l0.q", row, column));
}

TEST(PackMatrix, ThreadsDoNotChangeTheFile) {
  WeightPlan weights;
  weights.weights = {weightOf("l0.gate_up", {2, 3, 1030, 520}),
                     weightOf("norm", {1 << 21})};
  PackPlan plan = plainPackPlan(weights);
  plan[0].format = formatOf("int4:64");
  TableSource source; // one reader at a time
  source.values["l0.gate_up"] = normals(2 * 3 * 1030 * 520);
  source.values["norm"] = normals(1 << 21);
  std::set<std::string> ids;
  for (unsigned threads : {1, 2, 7}) {
    PackOptions options;
    options.threads = threads;
    auto file = writeToMemory(plan, weights, source, options);
    ASSERT_TRUE(bool(file)) << message(std::move(file));
    ids.insert(file->id);
    auto synthetic = syntheticSource(3); // all at once
    file = writeToMemory(plan, weights, *synthetic, options);
    ASSERT_TRUE(bool(file)) << message(std::move(file));
    ids.insert("synthetic " + file->id);
  }
  EXPECT_EQ(ids.size(), 2u);
}

TEST(PackMatrix, NamesTheTensorOfABadValue) {
  WeightPlan weights;
  weights.weights = {weightOf("l0.q", {2, 40, 32})};
  weights.weights[0].runs = {{"first.weight", 0, 40 * 32},
                             {"second.weight", 64, 40 * 32}};
  auto problem = [&](float value, StringRef format) {
    TableSource source;
    source.values["l0.q"] = normals(2 * 40 * 32);
    source.values["l0.q"][1280 + 33 * 32 + 5] = value;
    PackPlan plan = {
        matrixOf("m", format, 2, 1, 40, 32, {whole(weights.weights[0])})};
    return message(writeToMemory(plan, weights, source));
  };
  std::string place =
      "tensor 'second.weight' (weight 'l0.q'): element 1125 is ";
  EXPECT_EQ(problem(NAN, "int4:32"),
            place + "NaN, expected a finite number to store as int4:32");
  EXPECT_EQ(problem(INFINITY, "bf16"),
            place + "infinite, expected a finite number to store as bf16");
  EXPECT_TRUE(contains(problem(70000, "f16"),
                       place + "70000.000000, expected at most 65519"));
  EXPECT_TRUE(contains(problem(1e9f, "int8:32"), place + "1000000000.000000"));
  EXPECT_EQ(problem(1e9f, "int8:32:bf16"), "success");
  EXPECT_EQ(problem(1e9f, "fp8"), "success"); // saturates
}

TEST(PackMatrix, ChecksOwnScales) {
  WeightPlan weights;
  weights.weights = {weightOf("l0.q", {1, 40, 64})};
  PackPlan plan = {matrixOf("m", "int4:32:point", 1, 1, 40, 64,
                            {whole(weights.weights[0])})};
  auto problem = [&](float scale, float zero) {
    TableSource source;
    source.addOwn(weights.weights[0], formatOf("int4:32:point"));
    source.own["l0.q"].scales[31] = scale;
    source.own["l0.q"].zeros[31] = zero;
    return message(writeToMemory(plan, weights, source));
  };
  EXPECT_EQ(problem(0.5f, 3.0f), "success");
  EXPECT_TRUE(contains(problem(0.1f, 3.0f),
                       "weight 'l0.q': group 31 of the rows from 0 has the "
                       "scale 0.1")); // not in f16
  EXPECT_TRUE(contains(problem(NAN, 3.0f), "has the scale nan"));
  EXPECT_TRUE(contains(problem(1e6f, 3.0f), "has the scale 1000000"));
  EXPECT_TRUE(contains(problem(0.5f, 300.0f), "a zero point that int4"));
  EXPECT_TRUE(contains(problem(0.5f, 1.5f), "a zero point that int4"));
}

TEST(PackMatrix, RefusesPlansThatDoNotFit) {
  Model model;
  auto problem = [&](StringRef format, std::vector<PackedPart> parts) {
    PackPlan plan = {matrixOf("m", format, 2, 3, 40, 24, std::move(parts))};
    return message(checkPackPlan(plan, model.plan));
  };
  PackedPart part = whole(model["l0.qkv"]);
  auto changed = [&](int64_t PackedPart::*member, int64_t value) {
    PackedPart other = part;
    other.*member = value;
    return other;
  };
  EXPECT_EQ(problem("int4:16", {part}), "success");
  EXPECT_EQ(problem("int4:16", {changed(&PackedPart::rows, 38)}),
            "packed matrix 'm': a part reaches outside of weight 'l0.qkv'");
  for (auto [member, value] :
       std::vector<std::pair<int64_t PackedPart::*, int64_t>>{
           {&PackedPart::sourceRow, 1},
           {&PackedPart::sourceRow, -1},
           {&PackedPart::sourceRow, INT64_MAX},
           {&PackedPart::sourceColumn, 1},
           {&PackedPart::columns, 25},
           {&PackedPart::columns, 0},
           {&PackedPart::rows, -3},
           {&PackedPart::experts, 2},
           {&PackedPart::row, 4},
           {&PackedPart::expert, 3}})
    EXPECT_TRUE(contains(problem("int4:16", {changed(member, value)}),
                         "reaches outside of"))
        << value;
  PackedPart second = changed(&PackedPart::rows, 3);
  EXPECT_TRUE(contains(problem("int4:16", {part, second}), "share a row"));
  second.expert = 1;
  EXPECT_EQ(problem("int4:16", {part, second}), "success");
  second.source = "l9.qkv";
  EXPECT_TRUE(contains(problem("int4:16", {second}), "no weight 'l9.qkv'"));
  EXPECT_TRUE(contains(problem("int4:16", {whole(model["lm_head"])}),
                       "repeats 1 times, expected 2"));
  PackPlan broken = {
      matrixOf("m", "int4:16", 1, 1, 24, 24, {whole(model["norm"])})};
  EXPECT_TRUE(contains(message(checkPackPlan(broken, model.plan)),
                       "weight 'norm' is no matrix"));
  broken[0].format->group = 48;
  EXPECT_TRUE(contains(message(checkPackPlan(broken, model.plan)),
                       "the group size is 16, 32, 64 or 128, not 48"));
  // The packer checks by itself.
  EXPECT_TRUE(contains(message(writeToMemory(broken, model.plan, model.source)),
                       "not 48"));
}

/// f32 without memory behind it.
class RampSource final : public WeightSource {
public:
  Error read(const Weight &, int64_t begin,
             MutableArrayRef<uint8_t> out) override {
    auto *values = reinterpret_cast<float *>(out.data());
    for (size_t i = 0; i < out.size() / 4; ++i)
      values[i] = float((size_t(begin) + i) % 1001) - 500;
    return Error::success();
  }
};

// 256 MB of f32 go through; the process must not grow by much.
TEST(PackMatrix, NeedsLittleMemory) {
  WeightPlan weights;
  weights.weights = {weightOf("lm_head", {65536, 1024})};
  PackPlan plan = plainPackPlan(weights);
  plan[0].format = formatOf("int4:64");
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
#endif
  auto megabytes = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  TemporaryDirectory directory;
  RampSource source;
  PackOptions options;
  options.progress = false;
  options.threads = 2;
  long before = megabytes();
  cantFail(writeWeights(plan, weights, layoutWeights(plan, weights), source,
                        directory.file("out"), options));
  EXPECT_LT(megabytes() - before, 64);
}

} // namespace

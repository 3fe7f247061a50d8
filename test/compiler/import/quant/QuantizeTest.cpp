// One panel at a time: how well values survive each format, and that every
// machine makes the same bytes.
#include "compiler/import/quant/Quantize.h"
#include "QuantTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

/// Rows [16, columns] through one panel.
std::vector<uint8_t>
packPanel(const PackedFormat &format, const std::vector<float> &values,
          int64_t columns, const std::vector<float> *weights = nullptr,
          const PanelKernels *kernels = nullptr, uint8_t old = 0xa5) {
  PanelQuantizer quantizer(format, columns);
  if (kernels)
    quantizer.use(*kernels);
  PanelRow rows[16];
  for (size_t r = 0; r < 16; ++r)
    rows[r] = {&values[r * size_t(columns)], columns,
               weights ? weights->data() : nullptr};
  std::vector<uint8_t> panel(size_t(quantizer.layout.bytes), old);
  quantizer.quantize(rows, panel.data());
  return panel;
}

std::vector<float> roundTrip(const PackedFormat &format,
                             const std::vector<float> &values, int64_t columns,
                             const std::vector<float> *weights = nullptr) {
  std::vector<uint8_t> panel = packPanel(format, values, columns, weights);
  std::vector<float> out(values.size());
  for (int64_t r = 0; r < 16; ++r)
    for (int64_t c = 0; c < columns; ++c)
      out[size_t(r * columns + c)] =
          valueAt(format, columns, panel.data(), r, c);
  return out;
}

double relativeError(const std::vector<float> &got,
                     const std::vector<float> &want,
                     const std::vector<float> *weights = nullptr) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    double w = weights ? (*weights)[i % weights->size()] : 1.0;
    error += w * std::pow(double(got[i]) - want[i], 2);
    size += w * std::pow(double(want[i]), 2);
  }
  return std::sqrt(error / size);
}

// Bounds a few percent above what was measured. Without the search, int4:64
// has 0.097.
TEST(Quantize, KeepsNormalValuesWithinItsError) {
  const std::map<std::string, double> bounds = {{"f32", 0.0},
                                                {"bf16", 0.00172},
                                                {"f16", 0.00022},
                                                {"fp8", 0.027},
                                                {"fp8:64", 0.0225},
                                                {"fp8:128:f32", 0.024},
                                                {"fp8:16:bf16", 0.0165},
                                                {"int8:32", 0.0052},
                                                {"int8:64:bf16", 0.0060},
                                                {"int8:32:min", 0.0046},
                                                {"int8:64:point", 0.0055},
                                                {"int6:16", 0.0165},
                                                {"int6:32:min", 0.0187},
                                                {"int6:64:point:bf16", 0.022},
                                                {"int4:16", 0.073},
                                                {"int4:32", 0.084},
                                                {"int4:64", 0.093},
                                                {"int4:128", 0.099},
                                                {"int4:64:f32", 0.093},
                                                {"int4:64:point", 0.090},
                                                {"int4:32:min", 0.076},
                                                {"int4:64:min:bf16", 0.088},
                                                {"int4:32:iq4_nl", 0.077},
                                                {"int4:32:e2m1", 0.094},
                                                {"int4:16:e2m1:f32", 0.085}};
  std::vector<float> values = normals(16 * 4096);
  for (const std::string &text : kAllFormats) {
    double error =
        relativeError(roundTrip(formatOf(text), values, 4096), values);
    ASSERT_TRUE(bounds.count(text)) << text;
    EXPECT_LE(error, bounds.at(text)) << text;
    EXPECT_GE(error, 0.8 * bounds.at(text)) << text << ": bound too loose";
  }
}

// Scales in f16 and bf16 have few bits or a small range: errors must not
// depend on the size of the values until they leave it.
TEST(Quantize, ScaleOfTheValuesDoesNotMatter) {
  std::vector<float> values = normals(16 * 256);
  for (const char *text : {"int4:64", "int8:64", "int4:32:min", "int4:64:bf16",
                           "fp8:64", "int4:64:point", "int4:32:iq4_nl"}) {
    double normal =
        relativeError(roundTrip(formatOf(text), values, 256), values);
    for (float factor : {1e-3f, 37.0f, 3e3f, 1e15f}) {
      if (factor > 1e9f && formatOf(text).scale != ScaleType::BF16)
        continue; // too large for f16
      std::vector<float> scaled = values;
      for (float &value : scaled)
        value *= factor;
      EXPECT_LE(relativeError(roundTrip(formatOf(text), scaled, 256), scaled),
                normal * 1.1)
          << text << " " << factor;
    }
  }
}

TEST(Quantize, EveryMachineMakesTheSameBytes) {
  ArrayRef<PanelKernels> kernels = panelKernels();
  std::vector<float> values = normals(16 * 200);
  values[3] = 0;
  values[5] = -0.0f;
  std::fill_n(values.begin() + 400, 200, 0.0f);
  std::fill_n(values.begin() + 600, 200, 1e-9f);
  std::fill_n(values.begin() + 800, 200, -2.0f);
  std::vector<float> weights = normals(200, 1, 2);
  for (float &weight : weights)
    weight = weight * weight;
  for (const std::string &text : kAllFormats)
    for (const std::vector<float> *w :
         {static_cast<std::vector<float> *>(nullptr), &weights}) {
      auto want = packPanel(formatOf(text), values, 200, w, &kernels[0]);
      for (const PanelKernels &one : kernels)
        EXPECT_TRUE(want == packPanel(formatOf(text), values, 200, w, &one))
            << text << " " << one.name;
    }
}

// Gaps between regions too, for the file's hash.
TEST(Quantize, WritesEveryByteOfThePanel) {
  std::vector<float> values = normals(16 * 20);
  for (const std::string &text : kAllFormats)
    EXPECT_TRUE(packPanel(formatOf(text), values, 20) ==
                packPanel(formatOf(text), values, 20, nullptr, nullptr, 0x5a))
        << text;
}

TEST(Quantize, UnpacksWhatTheLayoutSays) {
  std::vector<float> values = normals(16 * 200);
  for (const std::string &text : kAllFormats) {
    PackedFormat format = formatOf(text);
    std::vector<uint8_t> panel = packPanel(format, values, 200);
    std::vector<float> lane(200);
    for (int r = 0; r < 16; ++r) {
      unpackLane(format, PanelLayout(format, 200), panel.data(), r, lane);
      for (int c = 0; c < 200; ++c)
        ASSERT_EQ(lane[size_t(c)], valueAt(format, 200, panel.data(), r, c))
            << text << " " << r << " " << c;
    }
  }
}

TEST(Quantize, RowsDoNotDependOnEachOther) {
  std::vector<float> values = normals(16 * 128),
                     other = normals(16 * 128, 9, 3);
  std::copy_n(values.begin() + 5 * 128, 128, other.begin() + 11 * 128);
  for (const std::string &text : kAllFormats) {
    auto a = roundTrip(formatOf(text), values, 128);
    auto b = roundTrip(formatOf(text), other, 128);
    EXPECT_TRUE(std::equal(a.begin() + 5 * 128, a.begin() + 6 * 128,
                           b.begin() + 11 * 128))
        << text;
  }
}

TEST(Quantize, ZerosStayZero) {
  std::vector<float> values(16 * 64, 0.0f);
  for (const std::string &text : kAllFormats)
    for (float value : roundTrip(formatOf(text), values, 64))
      ASSERT_EQ(value, 0.0f) << text;
}

// What is on a grid already is found again.
TEST(Quantize, FindsTheGridOfGridValues) {
  std::mt19937 random(4);
  for (const char *text :
       {"int4:32", "int8:32", "int4:32:point", "int4:32:min", "int6:32",
        "int4:32:e2m1", "int4:32:iq4_nl", "fp8:32"}) {
    PackedFormat format = formatOf(text);
    std::vector<float> values(16 * 32);
    for (size_t i = 0; i < values.size(); ++i) {
      int code = int(random() % 16);
      if (i % 32 < 16)
        code = int(i % 32); // all of them are there
      const int8_t *book = codebookValues(format.codebook);
      float number = book                              ? float(book[code])
                     : format.value == ValueType::INT8 ? float(code * 16 - 127)
                     : format.value == ValueType::INT6 ? float(code * 4 - 32)
                     : format.zero == ZeroKind::Point  ? float(code - 5)
                     : format.value == ValueType::FP8
                         ? fp8ToFloat(uint8_t(0x6f + code))
                         : float(code - 8);
      values[i] = number * 0.03125f + (format.zero == ZeroKind::Min ? 1 : 0);
    }
    EXPECT_TRUE(roundTrip(format, values, 32) == values) << text;
  }
}

TEST(Quantize, SpendsErrorWhereWeightsAreSmall) {
  std::vector<float> values = normals(16 * 1024);
  std::vector<float> weights(1024);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = i % 8 ? 0.01f : 1.0f;
  for (const char *text :
       {"int4:64", "int4:64:point", "int4:64:min", "int4:32:iq4_nl"}) {
    auto with = roundTrip(formatOf(text), values, 1024, &weights);
    auto without = roundTrip(formatOf(text), values, 1024);
    EXPECT_LT(relativeError(with, values, &weights),
              0.9 * relativeError(without, values, &weights))
        << text;
    EXPECT_GT(relativeError(with, values), relativeError(without, values));
  }
}

TEST(Quantize, RoundsFp8ToNearestEvenAndSaturates) {
  const std::vector<std::pair<float, int>> table = {
      {0.0f, 0x00},          {-0.0f, 0x80},        {448.0f, 0x7e},
      {464.0f, 0x7e},        {1e30f, 0x7e},        {-1e30f, 0xfe},
      {432.0f, 0x7e}, // tie of 416 (0x7d) and 448 (0x7e)
      {400.0f, 0x7c}, // tie of 384 (0x7c) and 416
      {400.1f, 0x7d},        {1.0f, 0x38},         {-1.0f, 0xb8},
      {1.0625f, 0x38},       {1.1875f, 0x3a},      {1.9375f, 0x40},
      {0x1p-6f, 0x08},       {0x1p-9f, 0x01},      {0x1p-10f, 0x00},
      {0x1.8p-9f, 0x02},     {0x1.4p-8f, 0x02},    {0x1.ep-7f, 0x08},
      {-0x1.002p-10f, 0x81}, {0x1.fffp-11f, 0x00}, {0x1.1p-6f, 0x08},
      {0x1.3p-6f, 0x0a}};
  std::vector<float> values(16 * 32, 0.0f);
  for (size_t i = 0; i < table.size(); ++i)
    values[i] = table[i].first;
  PackedFormat fp8 = formatOf("fp8");
  auto panel = packPanel(fp8, values, 32);
  for (size_t i = 0; i < table.size(); ++i)
    EXPECT_EQ(panel[i / 4 * 64 + i % 4], table[i].second) << table[i].first;
  // Every value is its own nearest.
  std::vector<float> all(16 * 256, 0.0f);
  for (int bits = 0; bits < 256; ++bits)
    if ((bits & 0x7f) != 0x7f)
      all[size_t(bits)] = fp8ToFloat(uint8_t(bits));
  panel = packPanel(fp8, all, 256);
  for (size_t bits = 0; bits < 256; ++bits)
    if ((bits & 0x7f) != 0x7f)
      EXPECT_EQ(panel[bits / 4 * 64 + bits % 4], bits);
  EXPECT_TRUE(std::isnan(fp8ToFloat(0x7f)));
}

TEST(Quantize, FindsWhatItCannotStore) {
  std::vector<float> values(5000, 1.0f);
  EXPECT_EQ(findUnusable(values, 1.0f), -1);
  values[4999] = 1.5f;
  EXPECT_EQ(findUnusable(values, 1.0f), 4999);
  values[17] = NAN;
  EXPECT_EQ(findUnusable(values, 2.0f), 17);
  values[16] = -INFINITY;
  EXPECT_EQ(findUnusable(values, 3e38f), 16);
  // The last float that rounds to 65504, the first that rounds to infinity.
  float most = largestValue(formatOf("f16"));
  EXPECT_EQ(halfToFloat(floatToHalf(most)), 65504.0f);
  EXPECT_TRUE(
      std::isinf(halfToFloat(floatToHalf(std::nextafter(most, INFINITY)))));
  most = largestValue(formatOf("bf16"));
  EXPECT_TRUE(std::isfinite(bf16ToFloat(floatToBf16(most))));
  EXPECT_TRUE(
      std::isinf(bf16ToFloat(floatToBf16(std::nextafter(most, INFINITY)))));
}

} // namespace

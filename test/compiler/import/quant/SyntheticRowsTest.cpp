// Quantized synthetic weights: any rows at any time, and the right spread.
#include "compiler/import/quant/SyntheticRows.h"
#include "QuantTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

QuantizedRows rowsOf(StringRef name, uint64_t seed, const std::string &format,
                     int64_t first, int64_t count, int64_t columns) {
  Weight weight = weightOf(name, {1, 1 << 20, columns});
  auto source = syntheticSource(seed);
  QuantizedRows out;
  out.reset(formatOf(format), count, columns);
  EXPECT_TRUE(source->owns(weight, out.format));
  cantFail(source->readOwn(weight, first, count, out));
  return out;
}

TEST(SyntheticRows, AnyPartIsTheSame) {
  for (const char *format :
       {"int4:32:point", "int6:32:point", "int8:32:min", "fp8:32", "fp8"}) {
    QuantizedRows all = rowsOf("w", 1, format, 0, 40, 70);
    QuantizedRows part = rowsOf("w", 1, format, 17, 5, 70);
    auto same = [](const auto &a, const auto &b, int64_t skip) {
      return std::equal(b.begin(), b.end(), a.begin() + skip);
    };
    EXPECT_TRUE(same(all.values, part.values, 17 * 70)) << format;
    EXPECT_TRUE(same(all.scales, part.scales, 17 * all.groups)) << format;
    EXPECT_TRUE(part.zeros.empty() ||
                same(all.zeros, part.zeros, 17 * all.groups))
        << format;
  }
}

TEST(SyntheticRows, DependOnSeedNameAndRow) {
  QuantizedRows base = rowsOf("w", 1, "int8:32", 0, 4, 512);
  auto equal = [&](const QuantizedRows &other) {
    int same = 0;
    for (size_t i = 0; i < base.values.size(); ++i)
      same += base.values[i] == other.values[i];
    return same;
  };
  EXPECT_EQ(equal(rowsOf("w", 1, "int8:32", 0, 4, 512)), 2048);
  EXPECT_LT(equal(rowsOf("v", 1, "int8:32", 0, 4, 512)), 40);
  EXPECT_LT(equal(rowsOf("w", 2, "int8:32", 0, 4, 512)), 40);
  EXPECT_LT(equal(rowsOf("w", 1, "int8:32", 1, 4, 512)), 40);
}

TEST(SyntheticRows, HaveTheDeviationOfTheirFanIn) {
  constexpr int64_t columns = 1024, rows = 128;
  for (const std::string &text : kAllFormats) {
    PackedFormat format = formatOf(text);
    if (!format.isInteger() && format.value != ValueType::FP8) {
      EXPECT_FALSE(syntheticSource(1)->owns(weightOf("w", {1, 1}), format));
      continue;
    }
    TableSource table;
    table.own["w"] = rowsOf("w", 1, text, 0, rows, columns);
    double sum = 0, squares = 0, fourth = 0, count = rows * columns;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        double value = table.ownValue("w", r, c) * 32.0; // deviation 1
        sum += value;
        squares += value * value;
        fourth += std::pow(value, 4);
      }
    EXPECT_NEAR(squares / count, 1.0, 0.04) << text;
    EXPECT_NEAR(sum / count, 0.0,
                format.codebook == Codebook::IQ4NL ? 0.06 : 0.015)
        << text;
    // Not two values, not heavy tails: a normal distribution has 3.
    if (format.codebook == Codebook::None)
      EXPECT_NEAR(fourth / count / std::pow(squares / count, 2), 2.5, 0.25)
          << text;
  }
}

} // namespace

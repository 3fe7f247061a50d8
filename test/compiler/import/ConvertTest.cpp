// Conversions of elements against LLVM's soft floats, over all 16-bit values
// and all the neighbourhoods where rounding changes.
#include "compiler/import/Convert.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace llvm;
using namespace quartet;

namespace {

const fltSemantics &semanticsOf(Dtype dtype) {
  return dtype == Dtype::F16    ? APFloat::IEEEhalf()
         : dtype == Dtype::BF16 ? APFloat::BFloat()
                                : APFloat::IEEEsingle();
}

float widened(Dtype dtype, uint16_t bits) {
  APFloat value(semanticsOf(dtype), APInt(16, bits));
  bool lost = false;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lost);
  return value.convertToFloat();
}

uint16_t rounded(Dtype dtype, float from) {
  APFloat value(from);
  bool lost = false;
  value.convert(semanticsOf(dtype), APFloat::rmNearestTiesToEven, &lost);
  return uint16_t(value.bitcastToAPInt().getZExtValue());
}

bool isNan(Dtype dtype, uint16_t bits) {
  return (bits & 0x7fff) > (dtype == Dtype::F16 ? 0x7c00 : 0x7f80);
}

float convert(Dtype dtype, uint16_t bits) {
  return dtype == Dtype::F16 ? halfToFloat(bits) : bf16ToFloat(bits);
}
uint16_t convert(Dtype dtype, float value) {
  return dtype == Dtype::F16 ? floatToHalf(value) : floatToBf16(value);
}

class Convert16 : public ::testing::TestWithParam<Dtype> {};
INSTANTIATE_TEST_SUITE_P(Types, Convert16,
                         ::testing::Values(Dtype::F16, Dtype::BF16),
                         [](const auto &info) {
                           return info.param == Dtype::F16 ? "F16" : "BF16";
                         });

TEST_P(Convert16, WidensEveryValueExactly) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float got = convert(GetParam(), uint16_t(bits));
    if (isNan(GetParam(), uint16_t(bits))) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      continue;
    }
    ASSERT_EQ(bit_cast<uint32_t>(got),
              bit_cast<uint32_t>(widened(GetParam(), uint16_t(bits))))
        << bits;
  }
}

TEST_P(Convert16, NarrowsEveryWidenedValueBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    uint16_t back = convert(GetParam(), convert(GetParam(), uint16_t(bits)));
    if (isNan(GetParam(), uint16_t(bits)))
      ASSERT_TRUE(isNan(GetParam(), back)) << bits;
    else
      ASSERT_EQ(back, bits);
  }
}

// Each value, the midpoint to the next, and the floats on either side of both:
// all places where the result changes.
TEST_P(Convert16, RoundsToNearestEvenAroundEveryBoundary) {
  uint16_t infinity = GetParam() == Dtype::F16 ? 0x7c00 : 0x7f80;
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    float low = widened(GetParam(), uint16_t(bits));
    double high = bits + 1 == infinity
                      ? std::ldexp(1.0, GetParam() == Dtype::F16 ? 16 : 128)
                      : double(widened(GetParam(), uint16_t(bits + 1)));
    float middle = float((double(low) + high) / 2);
    for (float center : {low, middle})
      for (float sign : {1.0f, -1.0f})
        for (float value :
             {std::nextafterf(center, 0.0f), center,
              std::nextafterf(center, std::numeric_limits<float>::infinity())})
          ASSERT_EQ(convert(GetParam(), sign * value),
                    rounded(GetParam(), sign * value))
              << std::hexfloat << sign * value;
  }
}

TEST_P(Convert16, KeepsNanOfEveryPayload) {
  for (uint32_t bits :
       {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu})
    EXPECT_TRUE(isNan(GetParam(), convert(GetParam(), bit_cast<float>(bits))))
        << std::hex << bits;
}

TEST_P(Convert16, NarrowsAllSizesOfFloats) {
  uint32_t bits = 1;
  for (int i = 0; i < 2000000; ++i) {
    bits = bits * 1664525u + 1013904223u;
    float value = bit_cast<float>(bits);
    if (!std::isnan(value))
      ASSERT_EQ(convert(GetParam(), value), rounded(GetParam(), value))
          << std::hexfloat << value;
  }
}

// All nine pairs agree with the single-value functions, at odd addresses and
// for counts that no vector width divides.
TEST(Convert, ArraysAgreeWithSingleValues) {
  constexpr int64_t count = 9001;
  std::vector<uint8_t> in(count * 4 + 1), out(count * 4 + 1);
  for (Dtype from : {Dtype::F32, Dtype::F16, Dtype::BF16})
    for (Dtype to : {Dtype::F32, Dtype::F16, Dtype::BF16}) {
      for (int64_t i = 0; i < count; ++i) {
        float value = float(i - 4500) * 0.37f;
        uint16_t half = floatToHalf(value), bf16 = floatToBf16(value);
        const void *source = from == Dtype::F32   ? (const void *)&value
                             : from == Dtype::F16 ? (const void *)&half
                                                  : (const void *)&bf16;
        std::memcpy(&in[1 + i * byteSize(from)], source, byteSize(from));
      }
      EXPECT_EQ(convertElements(from, &in[1], to, &out[1], count), -1);
      for (int64_t i = 0; i < count; ++i) {
        auto read = [&](Dtype dtype, const uint8_t *at) {
          float wide;
          uint16_t narrow;
          std::memcpy(&wide, at, dtype == Dtype::F32 ? 4 : 0);
          std::memcpy(&narrow, at, 2);
          return dtype == Dtype::F32 ? wide : convert(dtype, narrow);
        };
        float source = read(from, &in[1 + i * byteSize(from)]);
        float want =
            to == Dtype::F32 ? source : convert(to, convert(to, source));
        ASSERT_EQ(read(to, &out[1 + i * byteSize(to)]), want) << i;
      }
    }
}

TEST(Convert, ReportsTheFirstOverflow) {
  std::vector<float> in(10000, 1.0f);
  std::vector<uint16_t> out(in.size());
  auto run = [&](Dtype to) {
    return convertElements(Dtype::F32, reinterpret_cast<uint8_t *>(in.data()),
                           to, reinterpret_cast<uint8_t *>(out.data()),
                           int64_t(in.size()));
  };
  in[100] = std::numeric_limits<float>::infinity(); // not an overflow
  in[101] = std::numeric_limits<float>::quiet_NaN();
  in[102] = 65519.0f; // rounds down to 65504
  EXPECT_EQ(run(Dtype::F16), -1);
  in[7000] = std::numeric_limits<float>::infinity(); // just before one
  in[7777] = -65520.0f;
  in[8888] = 1e30f;
  EXPECT_EQ(run(Dtype::F16), 7777);
  EXPECT_EQ(run(Dtype::BF16), -1);
  in[9999] = std::numeric_limits<float>::max();
  EXPECT_EQ(run(Dtype::BF16), 9999);
}

} // namespace

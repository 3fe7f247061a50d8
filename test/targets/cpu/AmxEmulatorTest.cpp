// The emulator against plain loops, in instructions as Clang assembles them. On
// a machine with AMX, the machine itself.
#include "test/targets/cpu/AmxEmulator.h"
#include <gtest/gtest.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cmath>
#include <cstring>
#include <immintrin.h>
#include <random>
#include <thread>

using namespace quartet::test;

#define AMX_CODE __attribute__((target("amx-tile,amx-int8,amx-bf16"), noinline))

namespace {
struct alignas(64) Config {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};
  void set(int tile, int tileRows, int bytes) {
    rows[tile] = uint8_t(tileRows);
    rowBytes[tile] = uint16_t(bytes);
  }
};

struct alignas(64) Tile {
  uint8_t bytes[16][64] = {};
  template <typename T> T at(int row, int i) const {
    T value;
    std::memcpy(&value, bytes[row] + sizeof(T) * i, sizeof(T));
    return value;
  }
  template <typename T> void put(int row, int i, T value) {
    std::memcpy(bytes[row] + sizeof(T) * i, &value, sizeof(T));
  }
};

class AmxEmulator : public testing::Test {
protected:
  void SetUp() override {
    way = enableAmx();
    if (way == Amx::Absent)
      GTEST_SKIP() << "the system lets nobody use AMX";
  }
  Amx way = Amx::Absent;
  std::mt19937 random{4};

  Tile randomBytes() {
    Tile tile;
    for (auto &row : tile.bytes)
      for (uint8_t &byte : row)
        byte = uint8_t(random());
    return tile;
  }
};
} // namespace

// Sums of 3 rows and 5 columns over 24 columns: 6 rows of weights.
static constexpr int kM = 3, kN = 5, kK = 6;

static Config productSizes() {
  Config config;
  config.set(0, kM, 4 * kN);
  config.set(1, kM, 4 * kK);
  config.set(7, kK, 4 * kN);
  return config;
}

/// Tile 0 from \p sum, 1 from \p x, 7 from \p w; then \p product; 0 to memory.
template <typename Product>
AMX_CODE static Tile multiply(const Tile &sum, const Tile &x, const Tile &w,
                              Product product) {
  Config config = productSizes();
  Tile result;
  _tile_loadconfig(&config);
  _tile_loadd(0, &sum, 64);
  _tile_loadd(1, &x, 64);
  _tile_stream_loadd(7, &w, 64);
  product();
  _tile_stored(0, &result, 64);
  _tile_release();
  return result;
}

TEST_F(AmxEmulator, Bytes) {
  Tile sum = randomBytes(), x = randomBytes(), w = randomBytes();
  struct Way {
    bool signedX, signedW;
    Tile result;
  };
  const Way ways[] = {
      {true, true,
       multiply(sum, x, w, []() AMX_CODE { _tile_dpbssd(0, 1, 7); })},
      {true, false,
       multiply(sum, x, w, []() AMX_CODE { _tile_dpbsud(0, 1, 7); })},
      {false, true,
       multiply(sum, x, w, []() AMX_CODE { _tile_dpbusd(0, 1, 7); })},
      {false, false,
       multiply(sum, x, w, []() AMX_CODE { _tile_dpbuud(0, 1, 7); })}};
  auto value = [](uint8_t byte, bool isSigned) {
    return isSigned ? int64_t(int8_t(byte)) : int64_t(byte);
  };
  for (const Way &each : ways)
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        int64_t total = 0; // nothing is stored outside of the tile
        if (m < kM && n < kN) {
          total = sum.at<int32_t>(m, n);
          for (int k = 0; k < 4 * kK; ++k)
            total += value(x.at<uint8_t>(m, k), each.signedX) *
                     value(w.at<uint8_t>(k / 4, 4 * n + k % 4), each.signedW);
        }
        ASSERT_EQ(each.result.at<int32_t>(m, n), int32_t(total))
            << each.signedX << each.signedW << ", row " << m << ", column "
            << n;
      }
}

static float fromBits(uint16_t bits) {
  uint32_t word = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

TEST_F(AmxEmulator, Floats) {
  auto randomHalves = [&] {
    Tile tile;
    for (int r = 0; r < 16; ++r)
      for (int i = 0; i < 32; ++i) // exponents near 1
        tile.put<uint16_t>(r, i, uint16_t((random() & 0x83ff) + 0x3e00));
    return tile;
  };
  Tile sum, x = randomHalves(), w = randomHalves();
  for (int r = 0; r < 16; ++r)
    for (int i = 0; i < 16; ++i)
      sum.put<float>(r, i, float(random()) * 0x1p-24f);
  Tile result = multiply(sum, x, w, []() AMX_CODE { _tile_dpbf16ps(0, 1, 7); });
  for (int m = 0; m < kM; ++m)
    for (int n = 0; n < kN; ++n) {
      float parts[2] = {0, 0};
      for (int k = 0; k < 2 * kK; ++k)
        parts[k % 2] = std::fma(fromBits(x.at<uint16_t>(m, k)),
                                fromBits(w.at<uint16_t>(k / 2, 2 * n + k % 2)),
                                parts[k % 2]);
      ASSERT_EQ(result.at<float>(m, n),
                sum.at<float>(m, n) + (parts[0] + parts[1]))
          << m << " " << n;
    }
}

// Denormals are zero, before and after; what the caller has set stays.
TEST_F(AmxEmulator, Denormals) {
  Tile sum, x, w;
  sum.put<float>(0, 0, 0x1p-130f); // in
  x.put<uint16_t>(0, 0, 0x0040);   // 2^-127 times 1
  w.put<uint16_t>(0, 0, 0x3f80);
  x.put<uint16_t>(1, 0, 0x1f80); // 2^-64 times 2^-64
  w.put<uint16_t>(0, 2, 0x1f80);
  x.put<uint16_t>(2, 0, 0x1f80); // 2^-64 times 2^-62, normal
  w.put<uint16_t>(0, 4, 0x2080);
  unsigned before = _mm_getcsr();
  Tile result = multiply(sum, x, w, []() AMX_CODE { _tile_dpbf16ps(0, 1, 7); });
  EXPECT_EQ(_mm_getcsr(), before);
  EXPECT_EQ(result.at<uint32_t>(0, 0), 0u);
  EXPECT_EQ(result.at<float>(1, 1), 0.0f);
  EXPECT_EQ(result.at<float>(2, 2), 0x1p-126f);
}

/// Tile 3 (4 rows of 8 bytes) from \p from with addresses of several forms.
AMX_CODE static void copyTiles(const uint8_t *from, int64_t stride, Tile *to) {
  alignas(64) static Config config; // by the instruction pointer
  config.set(3, 4, 8);
  _tile_loadconfig(&config);
  _tile_loadd(3, from, stride);
  _tile_stored(3, to++, 64);
  register const uint8_t *high asm("r13") = from - 400;
  register int64_t quarter asm("r9") = stride / 4;
  asm volatile("tileloadd 400(%0,%1,4), %%tmm3"
               :
               : "r"(high), "r"(quarter)
               : "memory");
  _tile_stored(3, to++, 64);
  asm volatile("tileloadd 1(%0), %%tmm3" : : "r"(from) : "memory"); // stride 0
  _tile_stored(3, to++, 64);
  _tile_zero(3);
  _tile_stored(3, to++, 64);
  Config seen;
  _tile_storeconfig(&seen);
  std::memcpy(to->bytes, &seen, 64);
  _tile_release();
}

TEST_F(AmxEmulator, Addresses) {
  uint8_t source[400];
  for (size_t i = 0; i < sizeof(source); ++i)
    source[i] = uint8_t(i * 7);
  for (int64_t stride : {24, -24}) {
    const uint8_t *from = source + 200;
    Tile to[5];
    for (Tile &tile : to)
      std::memset(&tile, 0xcd, sizeof(tile));
    copyTiles(from, stride, to);
    for (int r = 0; r < 16; ++r)
      for (int i = 0; i < 64; ++i) {
        bool inside = r < 4 && i < 8;
        EXPECT_EQ(to[0].bytes[r][i], inside ? from[r * stride + i] : 0xcd);
        EXPECT_EQ(to[1].bytes[r][i], inside ? from[r * stride + i] : 0xcd);
        EXPECT_EQ(to[2].bytes[r][i], inside ? from[1 + i] : 0xcd);
        EXPECT_EQ(to[3].bytes[r][i], inside ? 0 : 0xcd);
      }
    Config expected;
    expected.set(3, 4, 8);
    EXPECT_EQ(std::memcmp(to[4].bytes, &expected, 64), 0);
  }
}

// Each thread has registers of its own.
AMX_CODE static void keepTile(const Tile *tile, Tile *result, bool other) {
  Config config;
  config.set(2, 16, 64);
  _tile_loadconfig(&config);
  _tile_loadd(2, tile, 64);
  if (other) {
    Tile zero, ignored;
    std::thread(keepTile, &zero, &ignored, false).join();
  }
  _tile_stored(2, result, 64);
  _tile_release();
}

TEST_F(AmxEmulator, Threads) {
  Tile tile = randomBytes(), result;
  keepTile(&tile, &result, true);
  EXPECT_EQ(std::memcmp(&tile, &result, sizeof(tile)), 0);
}

AMX_CODE static void loadWithoutSize() {
  Config config = productSizes();
  Tile tile;
  _tile_loadconfig(&config);
  _tile_loadd(5, &tile, 64);
}
AMX_CODE static void multiplyOtherSizes() {
  Config config = productSizes();
  config.set(7, kK + 1, 4 * kN);
  _tile_loadconfig(&config);
  _tile_dpbssd(0, 1, 7);
}

// What a CPU refuses ends the program.
TEST_F(AmxEmulator, Refuses) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const char *size = way == Amx::Emulated ? "not configured" : "";
  const char *fit = way == Amx::Emulated ? "do not fit" : "";
  EXPECT_DEATH(loadWithoutSize(), size);
  EXPECT_DEATH(multiplyOtherSizes(), fit);
}

#endif

// Which lane has which elements, as the vendors document it: PTX ISA, "Matrix
// Fragments for mma.m16n8k16 / k32"; AMD's matrix instruction calculator for
// v_mfma_*_16x16 (CDNA 2 to 4) and v_wmma_*_16x16x16 (RDNA 3 and 4).
#include "runtime/src/emulator/Matrix.h"
#include "quartet/emulator.h"
#include <cstring>

using namespace quartet::emu;

namespace {
enum class Element { Int8, Uint8, Bf16, F16 };

float fromBf16(uint32_t bits) {
  bits <<= 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

float fromF16(uint32_t bits) {
  uint32_t sign = (bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  uint32_t word;
  if (magnitude >= 0x7c00) { // infinity and NaN
    word = 0x7f800000 | (magnitude & 0x3ff) << 13;
  } else if (magnitude < 0x400) { // subnormal: units of 2^-24
    float value = float(magnitude) * 0x1p-24f;
    std::memcpy(&word, &value, 4);
  } else {
    word = (magnitude << 13) + ((127 - 15) << 23);
  }
  word |= sign;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

/// An element type: how many are in a word, and what one is in sums.
template <Element E> struct Type {
  using Sum = float;
  static constexpr int perWord = 2;
  static Sum get(uint32_t word, int i) {
    uint32_t bits = word >> 16 * i & 0xffff;
    return E == Element::Bf16 ? fromBf16(bits) : fromF16(bits);
  }
};
template <> struct Type<Element::Int8> {
  using Sum = uint32_t; // wraps
  static constexpr int perWord = 4;
  static Sum get(uint32_t word, int i) {
    return uint32_t(int32_t(int8_t(word >> 8 * i)));
  }
};
template <> struct Type<Element::Uint8> {
  using Sum = uint32_t;
  static constexpr int perWord = 4;
  static Sum get(uint32_t word, int i) { return word >> 8 * i & 0xff; }
};

struct At {
  int row, column; ///< in its matrix; A: row, k; B: k, column
};

/// mma.sync m16n8: groups of four lanes have a row of A, a column of B.
template <int K, int PerWord> struct Mma {
  static constexpr int lanes = 32, m = 16, n = 8, k = K;
  static constexpr int aWords = 4, bWords = 2, cWords = 4;
  static constexpr bool copies = false;
  static constexpr At a(int lane, int word, int i) {
    return {lane / 4 + 8 * (word & 1),
            PerWord * (lane % 4) + i + K / 2 * (word >> 1)};
  }
  static constexpr At b(int lane, int word, int i) {
    return {PerWord * (lane % 4) + i + K / 2 * word, lane / 4};
  }
  static constexpr At c(int lane, int word) {
    return {lane / 4 + 8 * (word >> 1), 2 * (lane % 4) + (word & 1)};
  }
};

/// A and B of the AMD instructions: a lane has elements of one row of A and of
/// one column of B, consecutive ones but for WMMA of RDNA 4; `Groups` groups of
/// 16 lanes share the k.
template <int Lanes, int K, int PerWord, int Groups> struct Sixteen {
  static constexpr int lanes = Lanes, m = 16, n = 16, k = K;
  static constexpr int aWords = K / Groups / PerWord, bWords = aWords;
  /// Lanes 16 to 31 have copies of what lanes 0 to 15 have.
  static constexpr bool copies = Groups == 1;
  static constexpr At a(int lane, int word, int i) {
    return {lane % 16, K / Groups * (lane / 16 % Groups) + PerWord * word + i};
  }
  static constexpr At b(int lane, int word, int i) {
    At transposed = a(lane, word, i);
    return {transposed.column, transposed.row};
  }
};
template <int K, int PerWord> struct Mfma : Sixteen<64, K, PerWord, 4> {
  static constexpr int cWords = 4;
  static constexpr At c(int lane, int word) {
    return {4 * (lane / 16) + word, lane % 16};
  }
};
template <int PerWord> struct Wmma11 : Sixteen<32, 16, PerWord, 1> {
  static constexpr int cWords = 8;
  static constexpr At c(int lane, int word) {
    return {2 * word + lane / 16, lane % 16};
  }
};
/// The groups of lanes take turns at eight bytes, which is all there is of
/// int8.
template <int PerWord> struct Wmma12 : Sixteen<32, 16, PerWord, 2> {
  static constexpr int cWords = 8;
  static constexpr At a(int lane, int word, int i) {
    int turn = word / 2 * 2 + lane / 16;
    return {lane % 16, PerWord * (2 * turn + word % 2) + i};
  }
  static constexpr At b(int lane, int word, int i) {
    At transposed = a(lane, word, i);
    return {transposed.column, transposed.row};
  }
  static constexpr At c(int lane, int word) {
    return {8 * (lane / 16) + word, lane % 16};
  }
};

template <class Layout, Element A, Element B>
int multiply(const LaneWords *lanes) {
  using L = Layout;
  using Sum = typename Type<A>::Sum;
  constexpr int perWord = Type<A>::perWord;
  Sum a[L::m][L::k], b[L::k][L::n], d[L::m][L::n];
  int odd = -1;
  for (int lane = 0; lane < L::lanes; ++lane) {
    const LaneWords &words = lanes[lane];
    if (L::copies && lane >= 16 && odd < 0 &&
        (std::memcmp(words.a, lanes[lane - 16].a, 4 * L::aWords) != 0 ||
         std::memcmp(words.b, lanes[lane - 16].b, 4 * L::bWords) != 0))
      odd = lane;
    for (int w = 0; w < L::aWords; ++w)
      for (int i = 0; i < perWord; ++i) {
        At at = L::a(lane, w, i);
        a[at.row][at.column] = Type<A>::get(words.a[w], i);
      }
    for (int w = 0; w < L::bWords; ++w)
      for (int i = 0; i < perWord; ++i) {
        At at = L::b(lane, w, i);
        b[at.row][at.column] = Type<B>::get(words.b[w], i);
      }
    for (int w = 0; w < L::cWords; ++w) {
      At at = L::c(lane, w);
      std::memcpy(&d[at.row][at.column], &words.c[w], 4);
    }
  }
  for (int row = 0; row < L::m; ++row)
    for (int k = 0; k < L::k; ++k)
      for (int column = 0; column < L::n; ++column)
        d[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < L::lanes; ++lane)
    for (int w = 0; w < L::cWords; ++w) {
      At at = L::c(lane, w);
      std::memcpy(&lanes[lane].d[w], &d[at.row][at.column], 4);
    }
  return odd;
}

struct Instruction {
  int32_t kind;
  int lanes;
  int (*multiply)(const LaneWords *);
};
constexpr Element I8 = Element::Int8, U8 = Element::Uint8, BF = Element::Bf16,
                  F16 = Element::F16;
template <class L, Element A, Element B>
constexpr Instruction make(int32_t kind) {
  return {kind, L::lanes, multiply<L, A, B>};
}
constexpr Instruction kInstructions[] = {
    make<Mma<32, 4>, I8, I8>(QUARTET_EMU_MMA_M16N8K32_S8_S8),
    make<Mma<32, 4>, U8, I8>(QUARTET_EMU_MMA_M16N8K32_U8_S8),
    make<Mma<16, 2>, BF, BF>(QUARTET_EMU_MMA_M16N8K16_BF16),
    make<Mma<16, 2>, F16, F16>(QUARTET_EMU_MMA_M16N8K16_F16),
    make<Mfma<16, 4>, I8, I8>(QUARTET_EMU_MFMA_16X16X16_I8),
    make<Mfma<32, 4>, I8, I8>(QUARTET_EMU_MFMA_16X16X32_I8),
    make<Mfma<64, 4>, I8, I8>(QUARTET_EMU_MFMA_16X16X64_I8),
    make<Mfma<16, 2>, BF, BF>(QUARTET_EMU_MFMA_16X16X16_BF16),
    make<Mfma<32, 2>, BF, BF>(QUARTET_EMU_MFMA_16X16X32_BF16),
    make<Wmma11<2>, BF, BF>(QUARTET_EMU_WMMA11_16X16X16_BF16),
    make<Wmma11<4>, I8, I8>(QUARTET_EMU_WMMA11_16X16X16_IU8),
    make<Wmma11<4>, U8, I8>(QUARTET_EMU_WMMA11_16X16X16_UI8),
    make<Wmma12<2>, BF, BF>(QUARTET_EMU_WMMA12_16X16X16_BF16),
    make<Wmma12<4>, I8, I8>(QUARTET_EMU_WMMA12_16X16X16_IU8),
    make<Wmma12<4>, U8, I8>(QUARTET_EMU_WMMA12_16X16X16_UI8),
};

const Instruction *find(int32_t kind) {
  for (const Instruction &instruction : kInstructions)
    if (instruction.kind == kind)
      return &instruction;
  return nullptr;
}
} // namespace

int quartet::emu::matrixLanes(int32_t kind) {
  const Instruction *instruction = find(kind);
  return instruction ? instruction->lanes : 0;
}

int quartet::emu::multiplyMatrices(int32_t kind, const LaneWords *lanes) {
  return find(kind)->multiply(lanes);
}

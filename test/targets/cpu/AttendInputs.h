// Attention of one KV head with random queries and a cache, and what the
// reference makes of it.
#ifndef QUARTET_TEST_CPU_ATTENDINPUTS_H
#define QUARTET_TEST_CPU_ATTENDINPUTS_H
#include "dialects/Quartet/KvPage.h"
#include "test/targets/cpu/MixerInputs.h"

namespace quartet::test {

/// One KV head of one sequence that has \p past tokens before its \p tokens.
struct Attention {
  int64_t width, heads, past, tokens, pages;
  reference::Type type;
  bool int8; ///< type is f32
  float scale;
  std::vector<float> q, gate;    ///< [tokens][heads][width]
  std::vector<float> key, value; ///< [2 * pages][64][width]; rounded to type
  std::vector<int32_t> table;

  Attention(int64_t width, int64_t heads, int64_t past, int64_t tokens,
            reference::Type type, bool int8 = false)
      : width(width), heads(heads), past(past), tokens(tokens),
        pages((past + tokens + kPageTokens - 1) / kPageTokens), type(type),
        int8(int8), scale(1.0f / std::sqrt(static_cast<float>(width))) {
    Random random(11);
    q = random.floats(tokens * heads * width, -4, 4);
    gate = random.floats(tokens * heads * width, -3, 3);
    key = random.floats(2 * pages * kPageTokens * width, -2, 2);
    value = random.floats(2 * pages * kPageTokens * width, -2, 2);
    for (auto *rows : {&key, &value})
      for (float &x : *rows)
        x = reference::roundTo(type, x);
    for (int64_t p = 0; p < pages; ++p)
      table.push_back(static_cast<int32_t>(2 * (pages - 1 - p) + p % 2));
  }

  /// What the cache's \p rows stand for.
  std::vector<float> held(std::vector<float> rows) const {
    std::vector<int8_t> integers(width);
    for (size_t row = 0; int8 && row < rows.size(); row += width) {
      float rowScale =
          reference::quantizeRow(&rows[row], width, integers.data());
      for (int64_t d = 0; d < width; ++d)
        rows[row + d] = integers[d] * rowScale;
    }
    return rows;
  }

  std::vector<float> expected() const {
    auto keys = held(key), values = held(value);
    std::vector<float> out(q.size()), k, v;
    for (int64_t t = past; t < past + tokens; ++t) // the rows already there
      for (auto [rows, to] : {std::pair(&keys, &k), {&values, &v}}) {
        int64_t row = table[t / kPageTokens] * kPageTokens + t % kPageTokens;
        to->insert(to->end(), rows->begin() + row * width,
                   rows->begin() + (row + 1) * width);
      }
    int32_t start[] = {0, static_cast<int32_t>(tokens)}, slot[] = {0};
    int32_t pasts[] = {static_cast<int32_t>(past)};
    reference::GatedAttention op{
        heads,       1,           width,         pages,
        scale,       q.data(),    k.data(),      v.data(),
        gate.data(), keys.data(), values.data(), table.data(),
        type,        out.data()};
    reference::gatedAttention(op, {tokens, 1, start, pasts, slot});
    return out;
  }

  /// \p rows as the cache holds them; places that no token has become NaN.
  std::vector<uint8_t> cache(const std::vector<float> &rows) const {
    std::vector<float> all(rows.size(), NAN);
    for (int64_t t = 0; t < past + tokens; ++t) {
      int64_t row = table[t / kPageTokens] * kPageTokens + t % kPageTokens;
      std::copy_n(rows.begin() + row * width, width, all.begin() + row * width);
    }
    if (int8)
      return int8Cache(all);
    std::vector<uint8_t> bytes(all.size() *
                               (type == reference::Type::kF32 ? 4 : 2));
    for (size_t i = 0; i < all.size(); ++i) {
      uint16_t half = reference::toBits(type, all[i]);
      if (type == reference::Type::kF32)
        std::memcpy(&bytes[4 * i], &all[i], 4);
      else
        std::memcpy(&bytes[2 * i], &half, 2);
    }
    return bytes;
  }

  /// The rows as int8, the scales of a page behind its rows.
  std::vector<uint8_t> int8Cache(const std::vector<float> &rows) const {
    int64_t page = pageRows(true, width) * width;
    std::vector<uint8_t> bytes(2 * pages * page);
    std::vector<int8_t> integers(width);
    for (int64_t row = 0; row < 2 * pages * kPageTokens; ++row) {
      uint8_t *to = &bytes[row / kPageTokens * page];
      float rowScale =
          reference::quantizeRow(&rows[row * width], width, integers.data());
      std::memcpy(to + row % kPageTokens * width, integers.data(), width);
      std::memcpy(to + kPageTokens * width + row % kPageTokens * 4, &rowScale,
                  4);
    }
    return bytes;
  }
};

} // namespace quartet::test
#endif

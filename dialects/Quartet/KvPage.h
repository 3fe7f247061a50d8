// What a page of KV cache holds of one head: 64 rows, one for each token. Rows
// of int8 have their scales behind them in the same piece of memory, so that
// reading a page stays one stream. Dialects, passes and targets agree on this.
#ifndef QUARTET_DIALECTS_QUARTET_KVPAGE_H
#define QUARTET_DIALECTS_QUARTET_KVPAGE_H
#include <cstdint>

namespace quartet {

/// Tokens per KV page; QUARTET_PAGE_TOKENS of the ABI.
constexpr int64_t kPageTokens = 64;

/// Bytes of a row's scale in a page of int8: f32, the lowest byte first. The
/// scale of row t begins kPageTokens * width + t * kScaleBytes bytes into the
/// head's page.
constexpr int64_t kScaleBytes = 4;

/// Rows of \p width elements that a page has: 64, and with \p int8 as many more
/// as hold the scales.
constexpr int64_t pageRows(bool int8, int64_t width) {
  int64_t scales = kPageTokens * kScaleBytes;
  return kPageTokens + (int8 ? (scales + width - 1) / width : 0);
}

} // namespace quartet
#endif

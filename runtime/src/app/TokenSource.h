// Random token ids, for commands that measure: every token takes experts of its
// own.
#ifndef QUARTET_RUNTIME_APP_TOKENSOURCE_H
#define QUARTET_RUNTIME_APP_TOKENSOURCE_H
#include "runtime/src/engine/Generate.h"

namespace quartet::rt {

class TokenSource {
public:
  TokenSource(const Manifest &manifest, uint64_t seed = 1)
      : limit(double(manifest.tokenLimit)), seed(seed) {}
  std::vector<int32_t> next(int64_t count) {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i != count; ++i)
      tokens.push_back(int32_t(double(uniformAt(seed, drawn++)) * limit));
    return tokens;
  }

private:
  double limit;
  uint64_t seed, drawn = 0;
};

} // namespace quartet::rt
#endif

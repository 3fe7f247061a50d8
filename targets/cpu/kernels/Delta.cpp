// Unit length and gates of the delta rule.
#include "targets/cpu/kernels/Delta.h"

using namespace quartet::cpu;
using llvm::SmallVector;

SmallVector<V> quartet::cpu::storeUnit(KernelBuilder &k, V row, V eps,
                                       int64_t count, double scale, V to) {
  SmallVector<V> parts;
  V squares = k.zero(k.vec(kLanes, k.f32()));
  for (int64_t d = 0; d < count; d += kLanes) {
    parts.push_back(loadLanes(k, row, 4 * d, std::min(kLanes, count - d)));
    squares = k.fma(parts.back(), parts.back(), squares);
  }
  V factor = k.splat(k.rsqrt(k.sum(squares) + eps) * scale, kLanes);
  for (auto [i, part] : llvm::enumerate(parts)) {
    part = part * factor;
    k.store(part, to, static_cast<int64_t>(i) * 64);
  }
  return parts;
}

V quartet::cpu::logDecay(KernelBuilder &k, V a, V aLog, V dtBias) {
  V rate = k.neg(k.exp(aLog));
  return k.max(rate * k.softplus(a + dtBias), k.constant(a.type(), -110.0));
}

// Softmax over the candidates, then the first place where the kept mass passes
// the uniform's share of it.
#include "targets/codegen/Draw.h"

using namespace quartet;
using llvm::ArrayRef;
using llvm::SmallVector;

V quartet::drawCandidate(CodeBuilder &k, V values, V count,
                         const DrawOptions &options) {
  auto value = [&](V j) { return k.load(k.f32(), values, j * 4); };
  V largest = value(k.i64(0)) / options.temperature;
  V sum = k.fold(k.i64(0), count, 1, {k.f32(0)}, [&](V j, ArrayRef<V> acc) {
    V term = k.exp(value(j) / options.temperature - largest);
    k.store(term, values, j * 4);
    return SmallVector<V>{acc[0] + term};
  })[0];
  k.loop(count, [&](V j) { k.store(value(j) / sum, values, j * 4); });
  V least = options.minP * value(k.i64(0));
  auto addIfKept = [&](V j, V mass) {
    V p = value(j);
    return k.select((p >= least) & (mass < options.topP), mass + p, mass);
  };
  V mass = k.fold(k.i64(0), count, 1, {k.f32(0)}, [&](V j, ArrayRef<V> acc) {
    return SmallVector<V>{addIfKept(j, acc[0])};
  })[0];
  V threshold = options.uniform * mass;
  // The mass stands still at places that are not kept, so the first place where
  // it is above the threshold is a kept one.
  return k.fold(k.i64(0), count, 1, {k.f32(0), k.i64(0)},
                [&](V j, ArrayRef<V> carried) {
                  V after = addIfKept(j, carried[0]);
                  V here = (carried[0] <= threshold) & (after > threshold);
                  return SmallVector<V>{after, k.select(here, j, carried[1])};
                })[1];
}

// Sums of logs are pairs of floats, exponents differences of them and never
// positive. Tokens that are not there have no decay and no strength.
#include "targets/gpu/kernels/DeltaPrepare.h"

using namespace quartet;
using namespace quartet::gpu;

PrepareSizes::PrepareSizes(const DeltaShape &shape, int64_t together)
    : row(shape.keyDim, shape.perKey()), vectors(spreadRow(2 * row.vector)),
      rawRow(spreadRow(kDeltaChunk * 4)), together(together) {}

int64_t PrepareSizes::bytes(const DeltaShape &shape) const {
  return kDeltaChunk *
             (vectors + (2 + together) * rawRow + 4 * shape.perKey() * 4) +
         7 * 64; // each piece begins at a multiple of it
}

PrepareSizes PrepareSizes::of(const DeviceBuilder &k, const DeltaShape &shape) {
  PrepareSizes sizes(shape, 1);
  int64_t room = sizes.vectors / sizes.rawRow; // for inverses
  sizes.together = std::min<int64_t>({shape.perKey(), 4, room});
  while (sizes.together > 1 && sizes.bytes(shape) > k.sharedRoom())
    --sizes.together;
  return sizes;
}

DeltaPrepare::DeltaPrepare(DeviceBuilder &k, const DeltaShape &shape,
                           const DeltaArgs &args, V first, V count)
    : k(k), shape(shape), args(args), first(first), count(count),
      zero(count >> 40), at(PrepareSizes::of(k, shape)), products(k),
      conv(k, shape, args),
      prepared(args.prepared + args.head * at.row.bytes() +
               first * args.preparedStride) {
  vectors = k.shared(kDeltaChunk * at.vectors);
  inverse = vectors;
  raw = k.shared(2 * kDeltaChunk * at.rawRow);
  lower = k.shared(at.together * kDeltaChunk * at.rawRow);
  for (V *each : {&decay, &beta, &logs, &rests})
    *each = k.shared(shape.perKey() * kDeltaChunk * 4);
  products.hidePlaces(zero);
}

void DeltaPrepare::gates() {
  int64_t perKey = shape.perKey();
  k.forThreads(kDeltaChunk * perKey, [&](V index) {
    V i = index + zero;
    V token = i / perKey, head = i % perKey, place = inHead(head, token) * 4;
    k.ifThen(
        token < count,
        [&] {
          DeltaGate gate =
              deltaGate(k, args, first + token, args.head * perKey + head);
          k.store(gate.logDecay, decay, place);
          k.store(gate.strength, beta, place);
          k.store(gate.strength, rowOf(token) + head * 4, at.row.strengths());
        },
        [&] {
          k.store(k.f32(0), decay, place);
          k.store(k.f32(0), beta, place);
        });
  });
}

/// Sums of the logs of decays over the tokens of the chunk, a warp for each
/// head: a tree over the lanes, of sums with what they lack.
void DeltaPrepare::sumLogs() {
  k.forWarps(k.i64(shape.perKey()), [&](V head) {
    V token = lane() & (kDeltaChunk - 1);
    V sum = scalar(decay, inHead(head, token)), rest = k.f32(0);
    for (int64_t distance = 1; distance < kDeltaChunk; distance *= 2) {
      V from = (lane() - distance) & (k.machine.lanes - 1);
      V other = k.shuffleIndex(sum, from);
      V otherRest = k.shuffleIndex(rest, from);
      V both = sum + other, part = both - sum;
      V lost = (sum - (both - part)) + (other - part);
      V low = rest + otherRest + lost;
      V high = both + low;
      low = low - (high - both);
      V reaches = token >= distance;
      sum = k.select(reaches, high, sum);
      rest = k.select(reaches, low, rest);
    }
    V last = k.i64(kDeltaChunk - 1);
    V after =
        (k.shuffleIndex(sum, last) - sum) + (k.shuffleIndex(rest, last) - rest);
    k.ifThen(lane() < kDeltaChunk, [&] {
      k.store(sum, logs, inHead(head, token) * 4);
      k.store(rest, rests, inHead(head, token) * 4);
    });
    k.ifThen(lane() < count, [&] {
      V to = rowOf(token) + head * 4;
      k.store(k.exp(sum), to, at.row.factors());
      k.store(k.exp(k.min(after, k.f32(0))), to, at.row.remains());
    });
  });
}

/// log of the decay from token \p earlier to \p later of the chunk; clamped
/// where they are the other way round.
V DeltaPrepare::exponent(V head, V later, V earlier) {
  V i = inHead(head, later), j = inHead(head, earlier);
  V difference = (scalar(logs, i) - scalar(logs, j)) +
                 (scalar(rests, i) - scalar(rests, j));
  return k.min(difference, k.f32(0));
}

void DeltaPrepare::emit() {
  k.barrier();
  if (at.row.vector != shape.keyDim * 4) { // what stands behind q and k
    clearShared(k, vectors, kDeltaChunk * at.vectors);
    k.barrier();
  }
  // The few warps that have gates wait for them while others are busy.
  gates();
  conv.vectors(thread(), first, count, vectors, at.row.key(), at.vectors);
  k.barrier();
  sumLogs();
  splitVectors();
  k.barrier();
  dots();
  k.barrier();
  for (int64_t first = 0; first < shape.perKey(); first += at.together) {
    int64_t heads = std::min(at.together, shape.perKey() - first);
    k.loop(0, heads, 1, [&](V place) { makeTriangles(place + first, place); });
    k.barrier();
    invert(k.i64(first), heads);
    k.barrier();
    storeInverse(k.i64(first), heads);
  }
}

void quartet::gpu::deltaPrepare(DeviceBuilder &k, const DeltaShape &shape,
                                const DeltaArgs &args, V first, V count) {
  DeviceBuilder::SharedScope scope(k);
  DeltaPrepare(k, shape, args, first, count).emit();
}

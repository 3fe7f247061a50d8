// Per slice: keys were asked for a slice ahead; values are asked for, scores
// are formed, the next slice's keys are asked for, then softmax and values.
// Scores are summed over lanes so that each lane ends with some of them, and p
// is handed to all lanes when it is used.
#include "targets/gpu/kernels/AttendStream.h"
#include "llvm/Support/MathExtras.h"

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Floats of queries, as many of sums and as many words of the cache that a
/// thread holds, where it has many registers and where it has few.
static constexpr int64_t kHeld = 64, kHeldByFew = 32, kManyRegisters = 224;
/// Shared memory for the sums of the warps.
static constexpr int64_t kShareBytes = 16 << 10;

static int64_t rowAlignment(int64_t width, mlir::Type cacheType) {
  int64_t bytes = width * byteWidth(cacheType);
  bool int8 = cacheType.isInteger(8);
  return std::min(accessBytes(bytes),
                  accessBytes(pageRows(int8, width) * bytes));
}

AttendStream::AttendStream(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
                           mlir::Type cacheType, const AttendArgs &args)
    : k(k), cacheType(cacheType), args(args),
      split(width, byteWidth(cacheType), rowAlignment(width, cacheType),
            // No more groups than a page has places for the block.
            std::max<int64_t>(1, k.machine.threads / kPageTokens),
            k.machine.lanes),
      int8(cacheType.isInteger(8)), rowBytes(width * byteWidth(cacheType)) {
  int64_t held = k.machine.registers >= kManyRegisters ? kHeld : kHeldByFew;
  int64_t most = std::max<int64_t>(1, held / split.floats());
  heads = 1;
  for (int64_t n = 1; n <= std::min(most, headsPerKv); ++n)
    if (headsPerKv % n == 0)
      heads = n;
  groups = k.machine.lanes / split.lanes;
  int64_t blockGroups = k.machine.warps() * groups;
  places = kPageTokens / blockGroups;
  while (places > 1 &&
         2 * places * split.floats() * byteWidth(cacheType) > held * 4)
    places /= 2;
  slice = places * blockGroups;
  padded = llvm::PowerOf2Ceil(heads);
  lanesPerHead = std::max<int64_t>(1, split.lanes / padded);
  headsPerLane = std::max<int64_t>(1, padded / split.lanes);
  placesPerLane = std::max<int64_t>(1, places / lanesPerHead);
  alike = std::max<int64_t>(1, lanesPerHead / places);
  inGroup = k.lane() & (split.lanes - 1);
  groupBase = k.lane() - inGroup;
  group = k.lane() / split.lanes;
  round = 1;
  while (2 * round <= heads &&
         2 * round * k.machine.warps() * width * 4 <= kShareBytes)
    round *= 2;
  shares = k.shared(k.machine.warps() * round * width * 4);
  stats = k.shared(k.machine.warps() * padded * 8);
}

/// Places of a slice go round the groups of the block, so that few places are
/// shared out as well.
V AttendStream::placeOf(int64_t i) {
  return (k.warp() * groups + group) + i * (k.machine.warps() * groups);
}

/// columnOf(), or 0 where that is behind the row.
V AttendStream::columnIn(int64_t j) {
  V column = columnOf(j);
  if (split.full())
    return column;
  return k.select(inRow(k, split, column), column, k.i64(0));
}

/// The rows of the group's places in slice \p number of the sequence, of which
/// the first \p count are seen; the slice's first in place of the others.
AttendStream::Rows AttendStream::loadRows(V base, V number, V count) {
  int64_t slices = kPageTokens / slice;
  V pageNumber = k.load(k.i32(), args.pages, number / slices * 4);
  V page = base + k.signExtend(pageNumber, k.i64()) * args.pageStride;
  V first = number % slices * slice;
  Rows rows;
  for (int64_t i = 0; i < places; ++i) {
    V place = first + k.select(placeOf(i) < count, placeOf(i), k.i64(0));
    for (int64_t j = 0; j < split.vectors; ++j)
      rows.raw.push_back(
          loadRaw(k, cacheType, split.vec, page,
                  place * rowBytes + columnIn(j) * byteWidth(cacheType)));
    if (int8)
      rows.scales.push_back(k.load(k.f32(), page,
                                   place * kScaleBytes + kPageTokens * rowBytes,
                                   rowBytes % 4 == 0 ? 4 : 1));
  }
  return rows;
}

/// [heads][vectors], times the scale; zero behind the row.
SmallVector<V> AttendStream::loadQuery(V token, V head) {
  SmallVector<V> query;
  int64_t align = accessBytes(split.width * 4);
  align = std::min<int64_t>(align, accessBytes(split.vec * 4));
  V scale = k.splat(args.scale, split.vec);
  for (int64_t h = 0; h < heads; ++h) {
    V row = args.q + token * args.qTokenStride + (head + h) * args.qHeadStride;
    for (int64_t j = 0; j < split.vectors; ++j) {
      V value = k.load(k.vec(split.vec, k.f32()), row, columnIn(j) * 4,
                       unsigned(align)) *
                scale;
      if (!split.full())
        value =
            k.select(inRow(k, split, columnOf(j)), value, k.zero(value.type()));
      query.push_back(value);
    }
  }
  return query;
}

/// The lane's scores, [headsPerLane][placesPerLane].
SmallVector<V> AttendStream::scoresOf(ArrayRef<V> query, const Rows &keys) {
  // Of each place, by head; the upper bits of the lane choose the heads.
  SmallVector<SmallVector<V>> byPlace;
  for (int64_t i = 0; i < places; ++i) {
    SmallVector<V> sums;
    for (int64_t h = 0; h < heads; ++h)
      sums.push_back(k.f32(0));
    for (int64_t j = 0; j < split.vectors; ++j) {
      V row = widen(k, keys.raw[i * split.vectors + j], cacheType, split.vec);
      for (int64_t e = 0; e < split.vec; ++e) {
        V value = k.extract(row, e);
        for (int64_t h = 0; h < heads; ++h)
          sums[h] =
              k.fma(k.extract(query[h * split.vectors + j], e), value, sums[h]);
      }
    }
    byPlace.push_back(sumShared(k, sums, split.lanes, lanesPerHead));
    if (int8)
      for (V &sum : byPlace.back())
        sum = sum * keys.scales[i];
  }
  SmallVector<V> scores;
  for (int64_t h = 0; h < headsPerLane; ++h) {
    SmallVector<V> ofHead;
    for (int64_t i = 0; i < places; ++i)
      ofHead.push_back(byPlace[i][h]);
    llvm::append_range(scores, sumShared(k, ofHead, lanesPerHead));
  }
  return scores;
}

V AttendStream::laneOf(int64_t head, int64_t i) {
  return groupBase +
         (head / headsPerLane * lanesPerHead + i / placesPerLane * alike);
}

/// Of \p perHead, [headsPerLane] in each lane, that of \p head.
V AttendStream::headValue(ArrayRef<V> perHead, int64_t head) {
  return k.shuffleIndex(perHead[head % headsPerLane], laneOf(head, 0));
}

/// The place of the slice that the lane's i-th score belongs to.
V AttendStream::placeOfLane(int64_t i) {
  V first = (inGroup & (lanesPerHead - 1)) / alike * placesPerLane;
  return (k.warp() * groups + group) +
         (first + i) * (k.machine.warps() * groups);
}

/// \p state and the places that \p scores and \p values are of.
AttendStream::State AttendStream::absorb(const State &state, ArrayRef<V> scores,
                                         const Rows &values, V count) {
  State next;
  SmallVector<V> factors, weights;
  for (int64_t h = 0; h < headsPerLane; ++h) {
    SmallVector<V> seen;
    V largest = state.largest[h];
    for (int64_t i = 0; i < placesPerLane; ++i) {
      V score = scores[h * placesPerLane + i];
      seen.push_back(placeOfLane(i) < count);
      largest = k.max(largest, k.select(seen[i], score, k.f32(kNoScore)));
    }
    largest = acrossLanes(k, largest, alike, lanesPerHead,
                          [&](V a, V b) { return k.max(a, b); });
    factors.push_back(k.exp(state.largest[h] - largest));
    V sum = state.sum[h] * factors[h];
    for (int64_t i = 0; i < placesPerLane; ++i) {
      V p = k.exp(scores[h * placesPerLane + i] - largest);
      p = k.select(seen[i], p, k.f32(0));
      sum = sum + p;
      weights.push_back(p);
    }
    next.largest.push_back(largest);
    next.sum.push_back(sum);
  }
  for (int64_t h = 0; h < heads; ++h) {
    V factor = k.splat(headValue(factors, h), split.vec);
    for (int64_t j = 0; j < split.vectors; ++j)
      next.sums.push_back(state.sums[h * split.vectors + j] * factor);
  }
  for (int64_t i = 0; i < places; ++i) {
    SmallVector<V> rows;
    for (int64_t j = 0; j < split.vectors; ++j)
      rows.push_back(
          widen(k, values.raw[i * split.vectors + j], cacheType, split.vec));
    for (int64_t h = 0; h < heads; ++h) {
      V p = weights[h % headsPerLane * placesPerLane + i % placesPerLane];
      p = k.shuffleIndex(p, laneOf(h, i));
      if (int8)
        p = p * values.scales[i];
      V spread = k.splat(p, split.vec);
      for (int64_t j = 0; j < split.vectors; ++j) {
        V &sum = next.sums[h * split.vectors + j];
        sum = k.fma(spread, rows[j], sum);
      }
    }
  }
  return next;
}

/// One state for the warp, in every group.
void AttendStream::joinGroups(State &state) {
  SmallVector<V> factors;
  for (int64_t h = 0; h < headsPerLane; ++h) {
    V largest = acrossLanes(k, state.largest[h], split.lanes, k.machine.lanes,
                            [&](V a, V b) { return k.max(a, b); });
    V factor = k.exp(state.largest[h] - largest);
    auto add = [](V a, V b) { return a + b; };
    V sum = acrossLanes(k, state.sum[h], alike, lanesPerHead, add) * factor;
    state.sum[h] = acrossLanes(k, sum, split.lanes, k.machine.lanes, add);
    state.largest[h] = largest;
    factors.push_back(factor);
  }
  if (groups == 1)
    return;
  for (int64_t h = 0; h < heads; ++h) {
    V factor = headValue(factors, h);
    for (int64_t j = 0; j < split.vectors; ++j) {
      V &sums = state.sums[h * split.vectors + j];
      V joined = k.zero(sums.type());
      for (int64_t e = 0; e < split.vec; ++e) {
        V value = acrossLanes(k, k.extract(sums, e) * factor, split.lanes,
                              k.machine.lanes, [](V a, V b) { return a + b; });
        joined = k.insert(value, joined, e);
      }
      sums = joined;
    }
  }
}

/// Writes the records of token \p token and heads from \p head on.
void AttendStream::joinWarps(State &state, V token, V head) {
  int64_t warps = k.machine.warps(), width = split.width;
  V records = args.records + token * args.recordTokenStride +
              head * args.recordHeadStride;
  auto statOf = [&](V warp, V h) { return stats + (warp * padded + h) * 8; };
  k.barrier(); // whoever still reads those of the heads before
  V writer = k.lane() < split.lanes;
  if (lanesPerHead > 1)
    writer = writer & ((inGroup & (lanesPerHead - 1)) == 0);
  V firstHead = inGroup / lanesPerHead * headsPerLane;
  k.ifThen(writer, [&] {
    for (int64_t h = 0; h < headsPerLane; ++h) {
      V at = statOf(k.warp(), firstHead + h);
      k.store(state.largest[h], at);
      k.store(state.sum[h], at, 4);
    }
  });
  k.barrier();
  auto largestOf = [&](V h) {
    V largest = k.load(k.f32(), statOf(k.i64(0), h));
    for (int64_t w = 1; w < warps; ++w)
      largest = k.max(largest, k.load(k.f32(), statOf(k.i64(w), h)));
    return largest;
  };
  SmallVector<V> factors;
  for (int64_t h = 0; h < headsPerLane; ++h)
    factors.push_back(k.exp(state.largest[h] - largestOf(firstHead + h)));
  k.ifThen(k.thread() < heads, [&] {
    V largest = largestOf(k.thread()), sum = k.f32(0);
    for (int64_t w = 0; w < warps; ++w) {
      V at = statOf(k.i64(w), k.thread());
      V factor = k.exp(k.load(k.f32(), at) - largest);
      sum = k.fma(factor, k.load(k.f32(), at, 4), sum);
    }
    V record = records + k.thread() * args.recordHeadStride;
    k.store(largest, record, width * 4);
    k.store(sum, record, width * 4 + 4);
  });
  for (int64_t first = 0; first < heads; first += round) {
    int64_t here = std::min(round, heads - first);
    if (first > 0)
      k.barrier();
    for (int64_t h = 0; h < here; ++h) {
      V factor = k.splat(headValue(factors, first + h), split.vec);
      V to = shares + (k.warp() * round + h) * (width * 4);
      for (int64_t j = 0; j < split.vectors; ++j) {
        V writes = group == 0;
        if (!split.full())
          writes = writes & inRow(k, split, columnOf(j));
        V value = state.sums[(first + h) * split.vectors + j] * factor;
        auto store = [&] {
          k.store(value, to, columnOf(j) * 4,
                  unsigned(accessBytes(split.vec * 4)));
        };
        if (groups == 1 && split.full())
          store();
        else
          k.ifThen(writes, store);
      }
    }
    k.barrier();
    k.forThreads(here * width, [&](V i) {
      V sum = k.load(k.f32(), shares, i * 4);
      for (int64_t w = 1; w < warps; ++w)
        sum = sum + k.load(k.f32(), shares, i * 4 + w * (round * width * 4));
      V record = records + (i / width + first) * args.recordHeadStride;
      k.store(sum, record, i % width * 4);
    });
  }
}

void AttendStream::run(V token, V head) {
  V own = args.place + token + 1; // places that the token sees
  int64_t slices = kPageTokens / slice;
  V begin = args.page0 * slices;
  V end = k.min(args.page1 * slices, (own + (slice - 1)) / slice);
  auto seenOf = [&](V number) {
    return k.min(own - number * slice, k.i64(slice));
  };
  SmallVector<V> query = loadQuery(token, head);
  State start;
  for (int64_t i = 0; i < heads * split.vectors; ++i)
    start.sums.push_back(k.zero(k.vec(split.vec, k.f32())));
  for (int64_t h = 0; h < headsPerLane; ++h) {
    start.largest.push_back(k.f32(kNoScore));
    start.sum.push_back(k.f32(0));
  }
  // A slice that the token sees, though it may not be of the range.
  V first = k.min(begin, end - 1);
  Rows keys = loadRows(args.keys, first, seenOf(first));
  SmallVector<V> carried;
  auto pack = [&](const State &state, const Rows &rows) {
    SmallVector<V> all;
    for (const auto *part :
         {&state.sums, &state.largest, &state.sum, &rows.raw, &rows.scales})
      all.append(part->begin(), part->end());
    return all;
  };
  auto unpack = [&](ArrayRef<V> all, State &state, Rows &rows) {
    auto take = [&](SmallVector<V> &to, size_t count) {
      to.assign(all.begin(), all.begin() + count);
      all = all.drop_front(count);
    };
    take(state.sums, start.sums.size());
    take(state.largest, headsPerLane);
    take(state.sum, headsPerLane);
    take(rows.raw, keys.raw.size());
    take(rows.scales, keys.scales.size());
  };
  carried = k.fold(begin, end, 1, pack(start, keys), [&](V at, ArrayRef<V> so) {
    State state;
    Rows now;
    unpack(so, state, now);
    V count = seenOf(at);
    Rows values = loadRows(args.values, at, count);
    SmallVector<V> scores = scoresOf(query, now);
    V behind = k.min(at + 1, end - 1);
    Rows next = loadRows(args.keys, behind, seenOf(behind));
    return pack(absorb(state, scores, values, count), next);
  });
  State state;
  unpack(carried, state, keys);
  joinGroups(state);
  joinWarps(state, token, head);
}

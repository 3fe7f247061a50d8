// A few neighbouring lanes share a row of the state and have several rows each,
// which stay in their registers for all tokens of a group. With S' = alpha S +
// d k, S' q = alpha (S q) + d (k . q): both dot products are with the row
// before the update, and are summed over lanes together.
#include "targets/gpu/kernels/DeltaRecurrent.h"
#include "targets/gpu/kernels/Conv.h"
#include "targets/gpu/kernels/DeltaParts.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tokens of a group, and the shared memory that their rows may take.
static constexpr int64_t kGroup = 16, kGroupBytes = 36 << 10;
/// Lanes of a row, and rows of a lane.
static constexpr int64_t kRowLanes = 8, kRows = 8;

static DeltaRow layoutOf(const DeltaShape &shape) {
  int64_t key = roundUp(shape.keyDim * 4, 16);
  return {key, 2 * key, roundUp(2 * key + shape.rows() * 4, 16)};
}
static int64_t groupOf(const DeltaShape &shape) {
  int64_t group = kGroup;
  while (group > 1 && group * layoutOf(shape).bytes > kGroupBytes)
    group /= 2;
  return group;
}

namespace {
struct Recurrent : DeltaParts {
  int64_t group; ///< tokens that are prepared together at most
  DeltaRow row;
  Conv conv;
  V rows;        ///< shared: [group] of \p row
  V decay, beta; ///< shared: [group][perKey]
  RowSplit split;
  int64_t units;    ///< groups of lanes in the block
  int64_t together; ///< rows of each in a pass, a power of two
  int64_t passes;   ///< over the rows
  bool wholeRows;   ///< every row of every pass exists
  V inGroup, unit;  ///< lane within the group; the group
  V groupBase;      ///< lane 0 of the group
  V keyDotQuery;    ///< shared: [tokens of a group]; of the unit vectors

  Recurrent(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args)
      : DeltaParts(k, shape, args), group(groupOf(shape)), row(layoutOf(shape)),
        conv(k, shape, args), rows(k.shared(group * row.bytes)),
        decay(k.shared(group * shape.perKey() * 4)),
        beta(k.shared(group * shape.perKey() * 4)),
        split(shape.keyDim, 4, 16, 1, kRowLanes),
        units(k.machine.threads / split.lanes) {
    keyDotQuery = k.shared(group * 4);
    int64_t rows = shape.rows();
    together = llvm::PowerOf2Ceil(ceilDiv(rows, units));
    // Half of the registers for values of the state.
    int64_t held = (k.machine.registers + 1) / 2;
    int64_t most = std::max<int64_t>(1, held / split.floats());
    while (together > std::min(kRows, most))
      together /= 2;
    passes = ceilDiv(rows, units * together);
    wholeRows = rows == passes * units * together;
    inGroup = k.lane() & (split.lanes - 1);
    groupBase = k.lane() - inGroup;
    unit = k.thread() / split.lanes;
  }

  V queryOf(V token) { return rows + token * row.bytes; }
  V keyOf(V token) { return queryOf(token) + row.key; }
  V valuesOf(V token) { return queryOf(token) + row.value; }
  mlir::Type part() { return k.vec(split.vec, k.f32()); }
  V columnOf(int64_t j) { return (inGroup + j * split.lanes) * split.vec; }
  /// Vector j of the row of keyDim floats at \p row; zero behind its end.
  V partOf(V row, int64_t j) {
    unsigned align = split.vec * 4;
    if (split.full())
      return k.load(part(), row, columnOf(j) * 4, align);
    V inside = inRow(k, split, columnOf(j));
    V at = k.select(inside, columnOf(j), k.i64(0));
    return k.select(inside, k.load(part(), row, at * 4, align), k.zero(part()));
  }
  V rowOf(V pass, V index) { return (pass * units + unit) * together + index; }
  V exists(V row) { return row < shape.rows(); }
  V clamped(V row) {
    return wholeRows ? row : k.min(row, k.i64(shape.rows() - 1));
  }

  void convolve(V first, V count);
  SmallVector<V> loadState(V pass);
  void storeState(V pass, ArrayRef<V> state);
  SmallVector<V> step(V pass, V first, V token, ArrayRef<V> state);
  void scale(V count);
  void emit();
};
} // namespace

/// Convolution and gates of tokens [first, first + count). Meets before and
/// after it writes.
void Recurrent::convolve(V first, V count) {
  k.barrier(); // whoever still reads the group before
  conv.run(first, count, rows, row);
  int64_t perKey = shape.perKey();
  k.forThreads(count * perKey, [&](V i) {
    DeltaGate gate =
        deltaGate(k, args, first + i / perKey, firstHead + i % perKey);
    k.store(k.exp(gate.logDecay), decay, i * 4);
    k.store(gate.strength, beta, i * 4);
  });
  k.barrier();
}

/// Each warp scales q and k of whole tokens to unit length, q also by
/// keyDim^-0.5.
void Recurrent::scale(V count) {
  k.forWarps(count, [&](V token) {
    V query = queryOf(token), key = keyOf(token);
    SmallVector<V> q = loadElements(k, shape.keyDim, query);
    SmallVector<V> kk = loadElements(k, shape.keyDim, key);
    auto toUnit = [&](SmallVector<V> &values, double by) {
      V squares = k.f32(0);
      for (V value : values)
        squares = k.fma(value, value, squares);
      V factor = k.rsqrt(k.warpSum(squares) + args.qkEps) * by;
      for (V &value : values)
        value = value * factor;
    };
    toUnit(q, 1.0 / std::sqrt(static_cast<double>(shape.keyDim)));
    toUnit(kk, 1.0);
    V dot = k.f32(0);
    for (size_t i = 0; i < q.size(); ++i)
      dot = k.fma(kk[i], q[i], dot);
    dot = k.warpSum(dot);
    overElements(k, shape.keyDim, [&](V element, int64_t turn) {
      k.store(q[turn], query, element * 4);
      k.store(kk[turn], key, element * 4);
    });
    k.ifThen(k.lane() == 0, [&] { k.store(dot, keyDotQuery, token * 4); });
  });
}

SmallVector<V> Recurrent::loadState(V pass) {
  SmallVector<V> state;
  for (int64_t g = 0; g < together; ++g) {
    V row = rowOf(pass, k.i64(g));
    for (int64_t j = 0; j < split.vectors; ++j) {
      auto load = [&] {
        return k.load(part(), stateRow(row), columnOf(j) * 4, split.vec * 4);
      };
      if (wholeRows && split.full()) {
        state.push_back(load());
        continue;
      }
      // A lane without a piece must not read another's, which that one writes.
      state.push_back(k.ifElse(
          exists(row) & inRow(k, split, columnOf(j)),
          [&] { return SmallVector<V>{load()}; },
          [&] { return SmallVector<V>{k.zero(part())}; })[0]);
    }
  }
  return state;
}

void Recurrent::storeState(V pass, ArrayRef<V> state) {
  for (int64_t g = 0; g < together; ++g) {
    V row = rowOf(pass, k.i64(g));
    for (int64_t j = 0; j < split.vectors; ++j) {
      auto store = [&] {
        k.store(state[g * split.vectors + j], stateRow(row), columnOf(j) * 4,
                split.vec * 4);
      };
      if (wholeRows && split.full()) {
        store();
        continue;
      }
      k.ifThen(exists(row) & inRow(k, split, columnOf(j)), store);
    }
  }
}

/// The lane's rows after \p token of the group that begins at \p first.
SmallVector<V> Recurrent::step(V pass, V first, V token, ArrayRef<V> state) {
  SmallVector<V> key, query, recalled, read;
  for (int64_t j = 0; j < split.vectors; ++j) {
    key.push_back(partOf(keyOf(token), j));
    query.push_back(partOf(queryOf(token), j));
  }
  for (int64_t g = 0; g < together; ++g) {
    V withKey = k.zero(part()), withQuery = k.zero(part());
    for (int64_t j = 0; j < split.vectors; ++j) {
      V values = state[g * split.vectors + j];
      withKey = k.fma(values, key[j], withKey);
      withQuery = k.fma(values, query[j], withQuery);
    }
    recalled.push_back(k.sum(withKey));
    read.push_back(k.sum(withQuery));
  }
  recalled = sumShared(k, recalled, split.lanes);
  read = sumShared(k, read, split.lanes);
  // The lane has the sums of some of the group's rows.
  auto held = static_cast<int64_t>(recalled.size());
  int64_t alike = std::max<int64_t>(1, split.lanes / together);
  V firstHeld = inGroup / alike * held;
  V both = k.load(k.f32(), keyDotQuery, token * 4);
  auto gate = [&](V gates, V row) {
    return k.load(k.f32(), gates,
                  (token * shape.perKey() + headOf(clamped(row))) * 4);
  };
  SmallVector<V> writes;
  for (int64_t i = 0; i < held; ++i) {
    V row = rowOf(pass, firstHeld + i);
    V alpha = gate(decay, row),
      v = k.load(k.f32(), valuesOf(token), clamped(row) * 4);
    V write = gate(beta, row) * (v - recalled[i] * alpha);
    V out = k.fma(write, both, read[i] * alpha);
    writes.push_back(write);
    auto store = [&] { k.store(out, outOf(first + token, row)); };
    if (wholeRows && alike == 1)
      store();
    else
      k.ifThen(exists(row) & ((inGroup & (alike - 1)) == 0), store);
  }
  // The rows of a lane belong to one head where heads are whole.
  bool oneHead = shape.valueDim % together == 0;
  V alpha = gate(decay, rowOf(pass, k.i64(0)));
  SmallVector<V> next;
  for (int64_t g = 0; g < together; ++g) {
    if (!oneHead && g > 0)
      alpha = gate(decay, rowOf(pass, k.i64(g)));
    V write = split.lanes == 1 ? writes[g]
                               : k.shuffleIndex(writes[g % held],
                                                groupBase + g / held * alike);
    V writeParts = k.splat(write, split.vec);
    V alphas = k.splat(alpha, split.vec);
    for (int64_t j = 0; j < split.vectors; ++j)
      next.push_back(
          k.fma(writeParts, key[j], state[g * split.vectors + j] * alphas));
  }
  return next;
}

void Recurrent::emit() {
  conv.begin();
  k.loop(k.i64(0), args.tokens, group, [&](V first) {
    V count = k.min(args.tokens - first, k.i64(group));
    // Where one pass takes all rows, they come while tokens are prepared.
    SmallVector<V> early;
    if (passes == 1)
      early = loadState(k.i64(0));
    convolve(first, count);
    scale(count);
    k.barrier();
    auto run = [&](V pass, SmallVector<V> state) {
      state = k.fold(k.i64(0), count, 1, state, [&](V token, ArrayRef<V> so) {
        return step(pass, first, token, so);
      });
      storeState(pass, state);
    };
    if (passes == 1)
      return run(k.i64(0), early);
    k.loop(0, passes, 1, [&](V pass) { run(pass, loadState(pass)); });
  });
  conv.end();
}

void quartet::gpu::deltaRecurrent(DeviceBuilder &k, const DeltaShape &shape,
                                  const DeltaArgs &args) {
  DeviceBuilder::SharedScope scope(k);
  Recurrent(k, shape, args).emit();
}

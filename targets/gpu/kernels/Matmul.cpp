// Who does what: warps take tiles of panels and segments of columns; what the
// segments add up to meets in shared memory, in order.
#include "targets/gpu/kernels/Matmul.h"
#include "targets/gpu/kernels/TileProducts.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::SmallVector;

/// Shared memory that partial sums may take, if so much is left.
static constexpr int64_t kScratchBytes = 36 * 1024;
/// f32 totals that a lane keeps while weights are in its registers. With 128
/// registers per thread, 32 of them make an sm_90a spill.
static constexpr int64_t kMostTotals = 32, kFewRegisters = 128;
/// Lines of 16 bytes that a lane of several jobs asks for at once.
static constexpr int64_t kJobLoads = 8;
/// Between the tokens of a partial sum: their quads fall into different banks.
static constexpr int64_t kTokenPadding = 16;

namespace {
class Product {
public:
  Product(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
          const WeightsOperand &weights, int64_t mostPanels,
          const RowsOperand &rows, int64_t mostRows, V acc, V accStride,
          int parts);
  void all();
  void jobs(V count, int64_t most, llvm::function_ref<MatmulJob(V)> jobOf,
            llvm::function_ref<void(V, V)> finish);

private:
  /// Groups of unit.tokens tokens that one pass over the weights takes.
  int64_t groupsAtOnce() const;
  void block(V first, int64_t groups);
  LaneRows laneRows(const RowsOperand &rows, V first, int64_t groups) const;
  void jobPartials(V first, V end, int64_t groups, int64_t atOnce,
                   llvm::function_ref<MatmulJob(V)> jobOf);
  void tiles(V firstTile, V first, int64_t groups);
  void storePartials(llvm::ArrayRef<V> totals, int64_t groups, V slot,
                     int64_t firstToken, V tokens) const;
  V sumOfSegments(V from) const;
  void reduce(V firstTile, V first, int64_t firstToken, V tokens) const;

  int64_t tokenBytes() const { return unit.tileRows() * 4 + kTokenPadding; }
  /// Of one tile's partial sums of one warp.
  int64_t slotBytes() const { return tokensTogether * tokenBytes(); }

  DeviceBuilder &k;
  MatrixUnit unit;
  ColumnPlan plan;
  WeightsOperand weights;
  RowsOperand rows;
  int64_t mostTiles, mostRows;
  V acc, accStride;
  int parts;
  int64_t tileWarps;      ///< tiles in work at the same time
  V segment, part;        ///< the warp's
  int64_t rounds = 1;     ///< tiles of a warp between two meetings
  int64_t tokensTogether; ///< whose partial sums meet at once
  V scratch;
};
} // namespace

V quartet::gpu::rowOffset(DeviceBuilder &k, const RowsOperand &rows, V token) {
  V number = k.min(token, rows.count - 1);
  if (rows.gather)
    number = k.loadIndex(rows.gather, number);
  return number * rows.stride;
}

static MatrixElement elementOf(const PackedFormat &format) {
  return format.isInteger() ? MatrixElement::Int8 : MatrixElement::BF16;
}

Product::Product(DeviceBuilder &k, const PackedFormat &format, int64_t columns,
                 const WeightsOperand &weights, int64_t mostPanels,
                 const RowsOperand &rows, int64_t mostRows, V acc, V accStride,
                 int parts)
    : k(k), unit(k, elementOf(format)),
      plan(unit, format, columns, k.machine.warps(),
           rows.parts ? kWeightParts : parts),
      weights(weights), rows(rows),
      mostTiles(llvm::divideCeil(mostPanels, unit.tilePanels)),
      mostRows(mostRows), acc(acc), accStride(accStride), parts(parts) {
  tileWarps = k.machine.warps() / plan.segments;
  segment = k.warp() & (plan.segments - 1);
  part = k.warp() >> int(llvm::Log2_64(uint64_t(plan.segments)));
}

int64_t Product::groupsAtOnce() const {
  int64_t totals = 4 * unit.rowPlaces * unit.tokenPlaces;
  int64_t room = k.registers() <= kFewRegisters ? kMostTotals / 2 : kMostTotals;
  int64_t most = std::max<int64_t>(1, room / totals);
  int64_t wanted = llvm::divideCeil(mostRows, unit.tokens);
  return std::max<int64_t>(1, std::min(most, wanted));
}

/// Where the lane reads the rows of tokens from \p first on. Beyond the last
/// token it reads that one.
LaneRows Product::laneRows(const RowsOperand &rows, V first,
                           int64_t groups) const {
  auto row = [&](V token) { return rows.data + rowOffset(k, rows, token); };
  LaneRows lane(k, unit, plan, parts, rows.parts != 0);
  for (int64_t group = 0; group < groups; ++group) {
    V start = first + group * unit.tokens;
    lane.operands.push_back(row(start + unit.token));
    for (int64_t place = 0; place < unit.tokenPlaces; ++place)
      lane.results.push_back(unit.tokenPlaces == 1
                                 ? lane.operands.back()
                                 : row(start + unit.resultToken(place)));
  }
  return lane;
}

/// Writes the lane's \p totals of the tokens [firstToken, firstToken +
/// tokensTogether) of a pass that has \p tokens of them to slot number \p slot.
void Product::storePartials(llvm::ArrayRef<V> totals, int64_t groups, V slot,
                            int64_t firstToken, V tokens) const {
  V base = scratch + slot * slotBytes();
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
      V token = unit.resultToken(t) + group * unit.tokens;
      V inside = token < tokens;
      if (firstToken > 0)
        inside = inside & (token >= firstToken);
      if (firstToken + tokensTogether < groups * unit.tokens)
        inside = inside & (token < firstToken + tokensTogether);
      k.ifThen(inside, [&] {
        V to = base + (token - firstToken) * tokenBytes();
        for (int64_t place = 0; place < unit.rowPlaces; ++place) {
          MatrixUnit::Place at = unit.rowPlace(place);
          int64_t index = (group * unit.rowPlaces + place) * unit.tokenPlaces;
          k.store(totals[index + t], to, at.panel * 64 + at.quad * 16, 16);
        }
      });
    }
}

/// What a quad's partial sums of all segments add up to, in order; the first is
/// at \p from.
V Product::sumOfSegments(V from) const {
  mlir::Type four = k.vec(4, k.f32());
  V sum = k.load(four, from, V(), 16);
  for (int64_t s = 1; s < plan.segments; ++s)
    sum = sum + k.load(four, from, s * slotBytes(), 16);
  return sum;
}

/// Adds up the segments' partial sums of the tiles from \p firstTile on, and
/// writes them to acc.
void Product::reduce(V firstTile, V first, int64_t firstToken, V tokens) const {
  int64_t tileQuads = unit.tileRows() / 4;
  int64_t quads = rounds * tileWarps * tileQuads; // a power of two
  V here = k.min(tokens - firstToken, k.i64(tokensTogether));
  V allQuads = (weights.panels - firstTile * unit.tilePanels) * 4;
  k.forThreads(here * quads, [&](V i) {
    V token = i >> int(llvm::Log2_64(uint64_t(quads))), quad = i & (quads - 1);
    k.ifThen(quad < allQuads, [&] {
      V tile = quad >> int(llvm::Log2_64(uint64_t(tileQuads)));
      V inTile = quad & (tileQuads - 1);
      V from = scratch + tile * (plan.segments * slotBytes()) +
               token * tokenBytes() + inTile * 16;
      V sum = sumOfSegments(from);
      V to = acc + (first + token + firstToken) * accStride +
             (firstTile * (unit.tileRows() * 4) + quad * 16);
      k.store(sum, to, V(), 16);
    });
  });
}

/// The tiles from \p firstTile on that are in work between two meetings, times
/// tokens from \p first on.
void Product::tiles(V firstTile, V first, int64_t groups) {
  LaneRows lane = laneRows(rows, first, groups);
  V tokens = rows.count - first;
  auto products = [&](V tile) {
    return TileProducts(k, unit, plan, parts, weights, tile)
        .segment(segment, lane);
  };
  int64_t passTokens = std::min(groups * unit.tokens, mostRows);
  V slot = part * plan.segments + segment;
  if (passTokens <= tokensTogether) {
    V tileCount = (weights.panels + (unit.tilePanels - 1)) / unit.tilePanels;
    V end = k.min(tileCount, firstTile + rounds * tileWarps);
    k.loop(firstTile + part, end, tileWarps, [&](V tile) {
      V round = (tile - firstTile) / tileWarps;
      storePartials(products(tile), groups, round * k.machine.warps() + slot, 0,
                    tokens);
    });
    k.barrier();
    reduce(firstTile, first, 0, k.min(tokens, k.i64(groups * unit.tokens)));
    k.barrier();
    return;
  }
  SmallVector<V> totals = products(firstTile + part);
  for (int64_t t = 0; t < passTokens; t += tokensTogether) {
    storePartials(totals, groups, slot, t, tokens);
    k.barrier();
    reduce(firstTile, first, t, tokens);
    k.barrier();
  }
}

void Product::block(V first, int64_t groups) {
  // What is left of shared memory decides how often the warps meet.
  DeviceBuilder::SharedScope scope(k);
  int64_t room = std::min(kScratchBytes, k.sharedRoom());
  int64_t warps = k.machine.warps();
  int64_t passTokens = std::min(groups * unit.tokens, mostRows);
  tokensTogether =
      std::clamp<int64_t>(room / (warps * tokenBytes()), 1, passTokens);
  rounds = llvm::PowerOf2Ceil(llvm::divideCeil(mostTiles, tileWarps));
  while (rounds > 1 &&
         (rounds * warps * slotBytes() > room || tokensTogether < passTokens))
    rounds /= 2;
  scratch = k.shared(rounds * warps * slotBytes());
  int64_t tilesTogether = rounds * tileWarps;
  if (tilesTogether >= mostTiles && tokensTogether >= passTokens) {
    tiles(k.i64(0), first, groups);
    return;
  }
  V tileCount = (weights.panels + (unit.tilePanels - 1)) / unit.tilePanels;
  k.loop(k.i64(0), tileCount, tilesTogether,
         [&](V tile) { tiles(tile, first, groups); });
}

void Product::all() {
  int64_t most = groupsAtOnce() * unit.tokens;
  V done = k.i64(0);
  if (groupsAtOnce() > 1) {
    // As long as there are more tokens than one group has.
    done = (rows.count + (most - unit.tokens - 1)) / most * most;
    k.loop(k.i64(0), done, most, [&](V t) { block(t, groupsAtOnce()); });
  }
  k.loop(done, rows.count, unit.tokens, [&](V t) { block(t, 1); });
}

/// Partial sums of the tiles of jobs, counted through, from \p first on: those
/// of tile number t go to slot t - first.
void Product::jobPartials(V first, V end, int64_t groups, int64_t atOnce,
                          llvm::function_ref<MatmulJob(V)> jobOf) {
  k.loop(first + part, end, tileWarps * atOnce, [&](V start) {
    // What several tiles need is asked for before the first one is multiplied.
    SmallVector<SmallVector<V>> totals;
    SmallVector<V> numbers, tokens;
    for (int64_t i = 0; i < atOnce; ++i) {
      V number = k.min(start + i * tileWarps, end - 1);
      MatmulJob job = jobOf(number / mostTiles);
      LaneRows lane = laneRows(job.rows, k.i64(0), groups);
      totals.push_back(
          TileProducts(k, unit, plan, parts, job.weights, number % mostTiles)
              .segment(segment, lane));
      numbers.push_back(number);
      tokens.push_back(job.rows.count);
    }
    for (int64_t i = 0; i < atOnce; ++i) {
      V slot = (numbers[i] - first) * plan.segments + segment;
      k.ifThen(start + i * tileWarps < end,
               [&] { storePartials(totals[i], groups, slot, 0, tokens[i]); });
    }
  });
}

void Product::jobs(V count, int64_t most,
                   llvm::function_ref<MatmulJob(V)> jobOf,
                   llvm::function_ref<void(V, V)> finish) {
  k.barrier(); // shared memory may still be in use for something else
  DeviceBuilder::SharedScope scope(k);
  int64_t groups = llvm::divideCeil(mostRows, unit.tokens);
  tokensTogether = mostRows;
  int64_t room = std::min(kScratchBytes, k.sharedRoom());
  int64_t jobBytes = mostTiles * plan.segments * slotBytes();
  int64_t batch = std::clamp<int64_t>(room / jobBytes, 1, most);
  scratch = k.shared(batch * jobBytes);
  int64_t tileQuads = unit.tileRows() / 4, quads = mostTiles * tileQuads;
  int64_t atOnce = std::clamp<int64_t>(
      kJobLoads / (plan.segmentChunks * plan.steps * plan.unitLines * groups),
      1, llvm::divideCeil(batch * mostTiles, tileWarps));
  k.loop(k.i64(0), count, batch, [&](V first) {
    V end = k.min(first + batch, count);
    jobPartials(first * mostTiles, end * mostTiles, groups, atOnce, jobOf);
    k.barrier();
    // A thread adds up four rows of a job's token.
    k.forThreads((end - first) * (mostRows * quads), [&](V i) {
      V quad = i % quads, token = i / quads % mostRows;
      V number = i / (quads * mostRows);
      MatmulJob job = jobOf(first + number);
      V inside = (token < job.rows.count) & (quad < job.weights.panels * 4);
      k.ifThen(inside, [&] {
        V slot = (number * mostTiles + quad / tileQuads) * plan.segments;
        V from = scratch + slot * slotBytes() + token * tokenBytes() +
                 quad % tileQuads * 16;
        V sum = sumOfSegments(from);
        k.store(sum, job.acc + token * job.accStride, quad * 16, 16);
      });
    });
    k.barrier();
    finish(first, end);
  });
}

void quartet::gpu::matmulJobs(DeviceBuilder &k, PackedFormat format,
                              int64_t columns, int64_t mostPanels,
                              int64_t mostRows, V jobs, int64_t mostJobs,
                              llvm::function_ref<MatmulJob(V)> jobOf,
                              llvm::function_ref<void(V, V)> finish,
                              int parts) {
  Product(k, format, columns, WeightsOperand(), mostPanels, RowsOperand(),
          mostRows, V(), V(), parts)
      .jobs(jobs, mostJobs, jobOf, finish);
}

void quartet::gpu::matmul(DeviceBuilder &k, PackedFormat format,
                          int64_t columns, const WeightsOperand &weights,
                          int64_t mostPanels, const RowsOperand &rows,
                          int64_t mostRows, V acc, V accStride, int parts) {
  if (mostRows == 0 || mostPanels == 0)
    return;
  if (rows.parts)
    parts = rows.parts;
  Product(k, format, columns, weights, mostPanels, rows, mostRows, acc,
          accStride, parts)
      .all();
}

// While a slab is multiplied, the next one's rows and the weights of the next
// chunks are on their way into registers.
#include "targets/gpu/kernels/WideShared.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Tiles of a pass, and shares of the columns at most.
static constexpr int64_t kTiles = 2, kShares = 2;
/// Columns of a chunk of floats: of two parts and two shares more of them would
/// not leave room for the results, of which a task has 32 KiB.
static constexpr int64_t kFloatColumns = 32;
/// Lines of 16 bytes that a lane has in flight, and chunks at most.
static constexpr int64_t kLines = 8, kMostAhead = 2;
/// Of a chunk, if all of them shall be asked for before the first is used.
static constexpr int64_t kMostLines = 16;
/// With more waves of a scheduler than these, the others multiply while one
/// waits for weights, and there are no registers to spare (WMMA).
static constexpr int64_t kFewWaves = 2;

WideShared::WideShared(DeviceBuilder &k, const PackedFormat &format,
                       int64_t columns, const WeightsOperand &weights,
                       const RowsOperand &rows, int64_t tokens, V acc,
                       V accStride)
    : k(k),
      unit(k, format.isInteger() ? MatrixElement::Int8 : MatrixElement::BF16),
      parts(format.isInteger() ? 1 : k.machine.activationParts),
      plan(unit, format, columns, kShares, kWeightParts, kFloatColumns),
      weights(weights), rows(rows),
      slabs(plan, tokens, parts, k.machine.threads), acc(acc),
      accStride(accStride) {
  int64_t room = k.sharedRoom() - kSharedAlign;
  buffers = std::min({room / slabs.bytes, slabs.count, int64_t(2)});
  // Bit 0 of the wave's number is its tile, bit 1 its share, others its tokens.
  V wave = k.warp();
  int64_t tokenParts =
      std::min(k.machine.warps() / (kTiles * kShares), tokens / unit.tokens);
  waveTokens = tokens / tokenParts;
  chunksAhead = chooseAhead();
  tile = wave & (kTiles - 1);
  share = (wave >> 1) & (plan.segments - 1);
  V part = wave >> 2;
  firstOfWave = (part & (tokenParts - 1)) * waveTokens;
  V counts = part < tokenParts;
  isFirstShare = counts & (((wave >> 1) & (kShares - 1)) == 0);
  isOtherShare = counts & (((wave >> 1) & (kShares - 1)) == 1);
}

int64_t WideShared::panels() const { return kTiles * unit.tilePanels; }

/// A power of two such that some whole slabs have a multiple of it: each chunk
/// then has its registers, and no value moves while it is on its way.
int64_t WideShared::chooseAhead() const {
  if (k.machine.blocksPerUnit * k.machine.warps() >
      kFewWaves * GpuFacts::schedulers)
    return 0;
  int64_t ahead = kMostAhead;
  while (ahead > 1 && (ahead * plan.steps * plan.unitLines > kLines ||
                       plan.segmentChunks % ahead != 0))
    ahead /= 2;
  return ahead;
}

/// Adds the products of the wave's share of slab \p number, which is at \p
/// buffer. \p ahead are the next chunks, each at its number modulo theirs.
void WideShared::multiplySlab(const TileProducts &products, V number, V buffer,
                              llvm::MutableArrayRef<TileProducts::Chunk> ahead,
                              SmallVector<V> &totals) const {
  V segment = share * plan.segmentChunks;
  V last = segment + (plan.segmentChunks - 1);
  for (int64_t i = 0; i < slabs.chunks; ++i) {
    V at = segment + number * slabs.chunks + i;
    TileProducts::Chunk chunk;
    if (ahead.empty()) {
      chunk = products.load(at);
    } else {
      TileProducts::Chunk &place = ahead[size_t(i) % ahead.size()];
      chunk =
          std::exchange(place, products.load(k.min(at + chunksAhead, last)));
      chunk.number = at;
    }
    if (plan.steps * plan.unitLines <= kMostLines)
      k.issueLoads();
    SharedRows source(k, unit, plan, slabs, buffer, share, i, firstOfWave,
                      waveTokens / unit.tokens);
    products.add(chunk, source, totals);
  }
}

/// Adds the shares' sums and writes them to acc, where the second share's wait
/// for the first's: shared memory need not hold them twice.
void WideShared::finish(V firstToken, V firstPanel, ArrayRef<V> totals) {
  V tokens = rows.count - firstToken, panels = weights.panels - firstPanel;
  V base = acc + firstToken * accStride + firstPanel * (kPanelRows * 4);
  auto overQuads = [&](llvm::function_ref<void(V total, V to)> body) {
    for (int64_t i = 0; i < waveTokens / unit.tokens; ++i)
      for (int64_t t = 0; t < unit.tokenPlaces; ++t) {
        V token = firstOfWave + unit.resultToken(t) + i * unit.tokens;
        k.ifThen(token < tokens, [&] {
          for (int64_t p = 0; p < unit.rowPlaces; ++p) {
            MatrixUnit::Place place = unit.rowPlace(p);
            V panel = tile * unit.tilePanels + place.panel;
            k.ifThen(panel < panels, [&] {
              body(totals[(i * unit.rowPlaces + p) * unit.tokenPlaces + t],
                   base + token * accStride + panel * (kPanelRows * 4) +
                       place.quad * 16);
            });
          }
        });
      }
  };
  if (plan.segments > 1) {
    k.ifThen(isOtherShare, [&] {
      overQuads([&](V total, V to) { k.store(total, to, V(), 16); });
    });
    k.barrier();
  }
  k.ifThen(isFirstShare, [&] {
    overQuads([&](V total, V to) {
      if (plan.segments > 1)
        total = total + k.load(total.type(), to, V(), 16);
      k.store(total, to, V(), 16);
    });
  });
  k.barrier();
}

/// A chunk's values that go from one turn of a loop to the next.
static void append(SmallVector<V> &values, const TileProducts::Chunk &chunk) {
  values.append(chunk.lines);
  values.append(chunk.scales);
  values.append(chunk.zeros);
}

/// Takes them from the front of \p values; \p like has as many.
static TileProducts::Chunk take(ArrayRef<V> &values,
                                const TileProducts::Chunk &like) {
  TileProducts::Chunk chunk;
  auto some = [&](SmallVector<V> &to, size_t count) {
    to.append(values.begin(), values.begin() + count);
    values = values.drop_front(count);
  };
  some(chunk.lines, like.lines.size());
  some(chunk.scales, like.scales.size());
  some(chunk.zeros, like.zeros.size());
  return chunk;
}

void WideShared::pass(V firstToken, V firstPanel) {
  SlabRows mover(k, plan, slabs, rows, firstToken);
  TileProducts products(
      k, unit, plan, parts, weights,
      (firstPanel >> int(llvm::Log2_64(uint64_t(unit.tilePanels)))) + tile);
  SmallVector<V> first = mover.load(k.i64(0));
  V segment = share * plan.segmentChunks;
  SmallVector<TileProducts::Chunk> chunks;
  for (int64_t i = 0; i < chunksAhead; ++i)
    chunks.push_back(products.load(segment + i));
  mover.store(first, scratch);
  k.barrier();

  SmallVector<V> carried = products.none(size_t(waveTokens / unit.tokens));
  size_t totalCount = carried.size();
  for (const TileProducts::Chunk &chunk : chunks)
    append(carried, chunk);
  // One turn of the loop: some slabs, after which chunks have the same places.
  int64_t turn = std::max<int64_t>(1, chunksAhead / slabs.chunks);
  auto slabsOfTurn = [&](V first, ArrayRef<V> before) {
    SmallVector<V> totals(before.take_front(totalCount));
    before = before.drop_front(totalCount);
    SmallVector<TileProducts::Chunk> ahead;
    for (const TileProducts::Chunk &chunk : chunks)
      ahead.push_back(take(before, chunk));
    for (int64_t i = 0; i < turn; ++i) {
      V number = first + i;
      llvm::MutableArrayRef<TileProducts::Chunk> next = ahead;
      if (slabs.chunks < chunksAhead) // the slab's own begin at its place
        next = next.slice(size_t(i * slabs.chunks), size_t(slabs.chunks));
      V odd = turn % 2 ? number & 1 : k.i64(i % 2);
      bool twice = buffers > 1;
      V buffer = twice ? scratch + odd * slabs.bytes : scratch;
      V other = twice ? scratch + (odd ^ k.i64(1)) * slabs.bytes : scratch;
      SmallVector<V> rows;
      if (slabs.count > 1)
        rows = mover.load(k.min(number + 1, k.i64(slabs.count - 1)));
      if (chunksAhead)
        k.issueLoads(); // first: what comes later need not be waited for too
      multiplySlab(products, number, buffer, next, totals);
      if (slabs.count == 1)
        break;
      if (!twice)
        k.barrier(); // all have read it
      mover.store(rows, other);
      k.barrier();
    }
    for (const TileProducts::Chunk &chunk : ahead)
      append(totals, chunk);
    return totals;
  };
  carried = k.fold(k.i64(0), k.i64(slabs.count), turn, carried, slabsOfTurn);
  finish(firstToken, firstPanel, ArrayRef<V>(carried).take_front(totalCount));
}

void WideShared::all(int64_t mostPanels) {
  DeviceBuilder::SharedScope scope(k);
  scratch = k.shared(buffers * slabs.bytes);
  k.loop(k.i64(0), rows.count, slabs.tokens, [&](V token) {
    if (mostPanels <= panels()) {
      k.ifThen(weights.panels > k.i64(0), [&] { pass(token, k.i64(0)); });
      return;
    }
    k.loop(k.i64(0), weights.panels, panels(),
           [&](V panel) { pass(token, panel); });
  });
}

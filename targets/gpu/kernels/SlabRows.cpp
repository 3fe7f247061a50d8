// A row in shared memory is padded by what a lane reads at once, so that
// neither the tokens of an instruction nor its places in K meet in a bank.
#include "targets/gpu/kernels/SlabRows.h"
#include "targets/gpu/kernels/WeightFragments.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::gpu;
using llvm::ArrayRef;
using llvm::SmallVector;

/// Columns of a share in a slab, if chunks are shorter: between two meetings of
/// the block a wave has some 500 to 2,000 cycles of matrix instructions.
static constexpr int64_t kIntegerColumns = 64, kFloatColumns = 32;
/// Of a row in memory that a thread brings at once, in bytes.
static constexpr int64_t kPieceBytes = 16;

static int shiftOf(int64_t power) {
  return int(llvm::Log2_64(uint64_t(power)));
}

Slabs::Slabs(const ColumnPlan &plan, int64_t tokens, int parts, int64_t threads)
    : tokens(tokens), parts(parts), shares(plan.segments) {
  bool integer = plan.format.isInteger();
  int64_t wanted = integer ? kIntegerColumns : kFloatColumns;
  chunks = std::max<int64_t>(1, wanted / plan.chunkColumns);
  while (plan.segmentChunks % chunks) // a slab is of one share's columns
    chunks /= 2;
  count = plan.segmentChunks / chunks;
  columns = chunks * plan.chunkColumns;
  groups = integer ? chunks * plan.chunkGroups : 0;
  unitBytes = plan.unitWords * 4;
  laneBytes = plan.steps * unitBytes;
  chunkBytes = plan.kLanes * laneBytes;
  rowBytes = chunks * chunkBytes + std::min(kPieceBytes, laneBytes);
  partBytes = shares * tokens * rowBytes;
  factorsAt = parts * partBytes;
  int64_t words = int64_t(llvm::alignTo(shares * groups * tokens, threads)) * 4;
  sumsAt = factorsAt + words;
  bytes = tile::alignTo64(sumsAt +
                          (plan.format.zero == ZeroKind::None ? 0 : words));
}

int64_t SlabRows::pieceCount() const {
  return slabs.shares * slabs.tokens *
         (slabs.columns * (integer ? 1 : 4) / kPieceBytes);
}

V SlabRows::numberOf(int64_t i, int64_t count) const {
  return count < k.machine.threads ? k.thread() & (count - 1) : k.thread() + i;
}

SlabRows::SlabRows(DeviceBuilder &k, const ColumnPlan &plan, const Slabs &slabs,
                   const RowsOperand &rows, V firstToken)
    : k(k), plan(plan), slabs(slabs),
      layout(plan.format.activationGroup(), plan.layout.paddedColumns),
      integer(plan.format.isInteger()),
      hasSums(integer && plan.format.zero != ZeroKind::None) {
  int64_t pieceColumns = kPieceBytes / (integer ? 1 : 4);
  int64_t rowPieces = slabs.columns / pieceColumns;
  int64_t pieceUnits = pieceColumns / plan.unitColumns;
  int64_t chunkUnits = plan.steps * plan.kLanes;
  int tokenBits = shiftOf(slabs.tokens), pieceBits = shiftOf(rowPieces);
  auto rowOf = [&](V token) {
    return rows.data + rowOffset(k, rows, firstToken + token);
  };
  for (int64_t i = 0; i < pieceCount(); i += k.machine.threads) {
    V all = numberOf(i, pieceCount());
    V inRow = all & (rowPieces - 1), row = all >> pieceBits; // of all shares
    Piece piece;
    piece.row = rowOf(row & (slabs.tokens - 1));
    piece.column =
        (row >> tokenBits) * (plan.segmentChunks * plan.chunkColumns) +
        inRow * pieceColumns;
    piece.to = row * slabs.rowBytes;
    for (int64_t j = 0; j < pieceUnits; ++j) {
      V number = inRow * pieceUnits + j, inChunk = number & (chunkUnits - 1);
      piece.at.push_back((number >> shiftOf(chunkUnits)) * slabs.chunkBytes +
                         (inChunk & (plan.kLanes - 1)) * slabs.laneBytes +
                         (inChunk >> shiftOf(plan.kLanes)) * slabs.unitBytes);
    }
    pieces.push_back(piece);
  }
  for (int64_t i = 0; i < wordCount(); i += k.machine.threads) {
    V all = numberOf(i, wordCount());
    V group = all >> tokenBits; // of all shares
    words.push_back({rowOf(all & (slabs.tokens - 1)),
                     (group >> shiftOf(slabs.groups)) *
                             (plan.segmentChunks * plan.chunkGroups) +
                         (group & (slabs.groups - 1)),
                     (k.thread() + i) * 4});
  }
}

SmallVector<V> SlabRows::load(V number) const {
  SmallVector<V> loaded;
  // What is beyond the columns reads the first ones, and is 0.
  auto inside = [&](V &index, int64_t end) {
    V is = index < end;
    index = k.select(is, index, k.i64(0));
    return is;
  };
  Type four = k.vec(4, integer ? k.i32() : k.f32());
  for (const Piece &piece : pieces) {
    V column = piece.column + number * slabs.columns, is;
    if (plan.ragged)
      is = inside(column, layout.paddedColumns);
    V value = k.load(four, piece.row, column * (integer ? 1 : 4), kPieceBytes);
    loaded.push_back(is ? k.select(is, value, k.zero(four)) : value);
  }
  for (const Word &word : words) {
    V group = word.group + number * slabs.groups, is;
    if (plan.ragged)
      is = inside(group, plan.layout.groups);
    auto bring = [&](Type type, int64_t at) {
      V value = k.load(type, word.row + at, group * 4, 4);
      loaded.push_back(is ? k.select(is, value, k.zero(type)) : value);
    };
    bring(k.f32(), layout.scales);
    if (hasSums)
      bring(k.i32(), layout.sums);
  }
  return loaded;
}

void SlabRows::store(ArrayRef<V> loaded, V buffer) const {
  auto next = [&] {
    V value = loaded.front();
    loaded = loaded.drop_front();
    return value;
  };
  auto storePieces = [&] {
    for (const Piece &piece : pieces) {
      V value = next(), to = buffer + piece.to;
      if (integer) {
        for (auto [i, at] : llvm::enumerate(piece.at))
          k.store(k.slice(value, int64_t(i) * plan.unitWords, plan.unitWords),
                  to, at, unsigned(slabs.unitBytes));
        continue;
      }
      for (auto [part, words] :
           llvm::enumerate(bf16Words(k, value, slabs.parts))) {
        V pair = k.zero(k.vec(2, k.i32()));
        for (int64_t i = 0; i < 2; ++i)
          pair = k.insert(words[i], pair, i);
        k.store(pair, to + int64_t(part) * slabs.partBytes, piece.at[0], 8);
      }
    }
  };
  if (pieceCount() < k.machine.threads)
    k.ifThen(k.thread() < pieceCount(), storePieces);
  else
    storePieces();
  // All threads have a place for these: a condition would draw the loads to
  // where it stands, behind the products.
  for (const Word &word : words) {
    k.store(next(), buffer + slabs.factorsAt, word.at, 4);
    if (hasSums)
      k.store(next(), buffer + slabs.sumsAt, word.at, 4);
  }
}

SharedRows::SharedRows(DeviceBuilder &k, const MatrixUnit &unit,
                       const ColumnPlan &plan, const Slabs &slabs, V buffer,
                       V share, int64_t chunk, V firstToken, int64_t count)
    : k(k), unit(unit), plan(plan), slabs(slabs), chunk(chunk), count(count) {
  operand = buffer +
            (share * slabs.tokens + firstToken + unit.token) * slabs.rowBytes +
            unit.kLane * slabs.laneBytes;
  results = buffer + (share * (slabs.groups * slabs.tokens) + firstToken) * 4;
}

SmallVector<SmallVector<V>> SharedRows::words(size_t tokens, V) const {
  SmallVector<SmallVector<V>> words;
  for (int part = 0; part < slabs.parts; ++part) {
    int64_t at = int64_t(tokens) * unit.tokens * slabs.rowBytes +
                 part * slabs.partBytes + chunk * slabs.chunkBytes;
    words.push_back(
        k.loadWords(operand, k.i64(at), slabs.laneBytes / 4,
                    unsigned(std::min(kPieceBytes, slabs.laneBytes))));
  }
  return words;
}

V SharedRows::wordAt(Type type, size_t tokens, int64_t place, int64_t group,
                     int64_t at) const {
  int64_t first = (chunk * plan.chunkGroups + group) * slabs.tokens +
                  int64_t(tokens) * unit.tokens;
  return k.load(type, results + unit.resultToken(place) * 4, first * 4 + at, 4);
}

V SharedRows::factor(size_t tokens, int64_t place, V, int64_t group) const {
  return wordAt(k.f32(), tokens, place, group, slabs.factorsAt);
}

V SharedRows::sum(size_t tokens, int64_t place, V, int64_t group) const {
  return wordAt(k.i32(), tokens, place, group, slabs.sumsAt);
}

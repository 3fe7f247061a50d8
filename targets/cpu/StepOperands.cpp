// Addresses: fields of the step's arguments, buffers, weights, states, local
// memory, and which tokens a coordinate means.
#include "dialects/Tile/TileSizes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Lower/EntryLayout.h"
#include "targets/cpu/StepLowering.h"
#include "targets/cpu/kernels/Stage.h"

using namespace mlir;
using namespace quartet;
using namespace quartet::cpu;

V StepLowering::field(StringRef name) {
  const auto *found = llvm::find(kStepFields, name);
  assert(found != std::end(kStepFields) && "not a field of quartet_step_args");
  int64_t place = found - std::begin(kStepFields);
  Type type = place < kNumCounts ? k.i64() : k.ptr();
  return k.load(type, args, place * 8);
}

V StepLowering::element32(V array, V i) {
  return k.signExtend(k.load(k.i32(), array, i * 4), k.i64());
}

V StepLowering::localMemory(int64_t bytes) {
  V memory = k.gep(local, k.i64(localUsed));
  localUsed += tile::alignTo64(bytes);
  result.localBytes = std::max(result.localBytes, localUsed);
  return memory;
}

int64_t StepLowering::rowBytesOf(Type type) {
  if (auto rows = dyn_cast<tile::RowsType>(type))
    return stagedRowBytes(rows.getGroup(), rows.getColumns());
  auto memref = cast<MemRefType>(type);
  int64_t bytes = memref.getElementTypeBitWidth() / 8;
  for (int64_t size : memref.getShape().drop_front())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return bytes;
}

StepLowering::Buffer StepLowering::buffer(StringRef symbol) {
  auto op = cast<tile::BufferOp>(
      SymbolTable::lookupSymbolIn(step.getOperation(), symbol));
  V data = scratch + bufferOffsets.lookup(symbol);
  if (auto pages = op.getPiecePages()) { // behind the static ones, per piece
    int64_t pieces = *pages;
    V count = (tableWidth + (pieces - 1)) / pieces;
    data = scratch + tile::dynamicBase(step) +
           count * bufferOffsets.lookup(symbol);
  }
  return {data, op.getType(), rowBytesOf(op.getType())};
}

V StepLowering::weightData(StringRef symbol) {
  Operation *op = SymbolTable::lookupSymbolIn(program.getOperation(), symbol);
  int64_t bytes, repeat;
  if (auto matrix = dyn_cast<tile::MatrixOp>(op)) {
    PanelLayout layout(matrix.getPackedFormat(), matrix.getColumns());
    bytes = layout.bytes * panelCount(matrix.getRows()) * matrix.getExperts();
    repeat = matrix.getRepeat();
  } else {
    auto vector = cast<tile::VectorOp>(op);
    auto type = cast<RankedTensorType>(vector.getType());
    bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
    repeat = vector.getRepeat();
  }
  V base = k.load(k.ptr(), field("weights"),
                  int64_t(weightPlaces.lookup(symbol)) * 8);
  return repeat == 1 ? base : base + layer * bytes;
}

V StepLowering::stateData(StringRef symbol, int64_t *entryBytes) {
  auto op = cast<tile::StateOp>(
      SymbolTable::lookupSymbolIn(program.getOperation(), symbol));
  auto type = cast<RankedTensorType>(op.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  for (int64_t size : type.getShape().drop_front())
    bytes *= size;
  if (entryBytes)
    *entryBytes = bytes;
  V base =
      k.load(k.ptr(), field("states"), int64_t(statePlaces.lookup(symbol)) * 8);
  if (op.getRepeat() == 1)
    return base;
  V entries =
      field(op.getDim() == tile::StateDim::Slots ? "num_slots" : "num_pages");
  return base + layer * entries * bytes;
}

V StepLowering::columnsOfTile(V index, int64_t tile, int64_t columns) {
  if (columns % tile == 0)
    return k.i64(tile);
  return k.min(k.i64(columns) - index * tile, k.i64(tile));
}

V StepLowering::coordinate(Value value) { return coordinates.lookup(value); }

StepLowering::TokenRange StepLowering::tokensOf(Value value, int64_t tile,
                                                bool chosen) {
  V all = chosen ? numRows : numTokens;
  if (!value)
    return {k.i64(0), all};
  V first = coordinate(value) * tile;
  return {first, k.min(all - first, k.i64(tile))};
}

V StepLowering::placeOf(V token) {
  V sequence = element32(field("token_seq"), token);
  return element32(field("seq_past"), sequence) + token -
         element32(field("seq_start"), sequence);
}

V StepLowering::rangesOf(V tokensInSequence, int64_t pages) {
  int64_t tokens = pages * 64;
  return (tokensInSequence + (tokens - 1)) / tokens;
}

void StepLowering::overRuns(TokenRange tokens,
                            llvm::function_ref<void(SequenceRun)> body) {
  V end = tokens.first + tokens.count;
  k.whileLoop(
      {tokens.first}, [&](llvm::ArrayRef<V> at) { return at[0] < end; },
      [&](llvm::ArrayRef<V> at) {
        V first = at[0];
        V sequence = element32(field("token_seq"), first);
        V starts = field("seq_start");
        V stop = k.min(element32(starts, sequence + 1), end);
        V past = element32(field("seq_past"), sequence) + first -
                 element32(starts, sequence);
        V slot = element32(field("seq_slot"), sequence);
        body({sequence, first, stop - first, past, slot});
        return llvm::SmallVector<V>{stop};
      });
}

// The steps of the chunked form of the gated delta rule, and the memory that
// they share: DeltaChunked.cpp says what is computed.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTACHUNK_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTACHUNK_H
#include "targets/gpu/kernels/DeltaParts.h"
#include "targets/gpu/kernels/DeltaProducts.h"

namespace quartet::gpu {

/// How much is in shared memory at once.
struct ChunkSizes {
  int64_t chunk, panel; ///< tokens; rows of the state
  int64_t keyPad;       ///< keyDim in full inner units
  int64_t inner;        ///< the chunk's tokens in full inner units
  int64_t stateRow;     ///< bytes of a row of the state, split
  int64_t rawRow;       ///< bytes of a token's products with keys, f32
  int64_t readRow;      ///< bytes of a token's factors of d, split
  int64_t line;         ///< bytes of a panel's words of a pair of tokens
  DeltaRow row;         ///< q and k are f32 first and then split, in place

  ChunkSizes(const DeviceBuilder &k, const DeltaShape &shape, int64_t chunk,
             int64_t panel);
  int64_t lines() const { return inner / 2 * line; }
  int64_t bytes(const DeltaShape &shape) const;

  /// The chunk does not depend on the parts, since it shows in the bits; then
  /// the largest panel that fits.
  static ChunkSizes of(const DeviceBuilder &k, const DeltaShape &shape);
};

struct DeltaChunk : DeltaParts {
  using Sums = llvm::SmallVector<DeltaProducts::Sum>;
  /// A run of the product of row \p row of [K; S] and token \p token of [K; Q].
  using Sink = llvm::function_ref<void(V row, V token, V run)>;

  ChunkSizes at;
  DeltaProducts products;
  int64_t chunk, panel;
  int64_t half; ///< of the chunk: tokens w and half + w are one word
  /// Which warp has what of the state: pairs of tiles of runs (along the key,
  /// even columns and odd ones), tiles of singles (rows).
  DeltaShare share;
  bool oneHead;  ///< the part's rows belong to one value head
  bool resident; ///< they are one panel, which stays in registers
  V zero;        ///< see DeltaProducts::hidePlaces
  V state;       ///< shared: [panel] rows of the state, split
  V raw;         ///< shared: [2 chunk][chunk]: k_i . k_j, then q_i . k_j
  V lower;       ///< shared: [i][-beta_i E_ij k_i.k_j], rows as of raw
  V reads;       ///< shared: [i][E_ij q_i.k_j], split
  V recalled;    ///< shared: [chunk][panel]: what d_i begins with, then d_i
  V readout;     ///< shared: [chunk][panel]: exp(c_i) S q_i
  /// Shared, [word of tokens][panel]: high parts of d, low ones, high and low
  /// parts of d that decayed to the chunk's end.
  V lines;
  /// Shared, [perKey][chunk]: sums of log decays, what they lack (of both kinds
  /// of the pair), exp of the sum, exp of what follows to the chunk's end.
  V logs, rests, factors, remains;

  DeltaChunk(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
             const ChunkSizes &sizes);

  mlir::Type four() { return k.vec(4, k.f32()); }
  V scalar(V from, V index) { return k.load(k.f32(), from, index * 4); }
  V thread() { return k.thread() + zero; }
  V warp() { return k.warp() + zero; }
  V inHead(V head, V token) { return head * chunk + token; }

  void emit();
  void clear(V from, int64_t bytes);
  void sumLogs(V count);
  V exponent(V head, V later, V earlier);
  void makeTriangles(V head);
  Sums runPanel(V head, V first, V count, V token, V tokens, Sums sums);

  // DeltaVectors.cpp: q and k of a chunk, and their products.
  void splitVectors(V count);
  void dots(int64_t firstTile, int64_t tiles, Sink sink);
  void keyDots(V row, V token, V run);
  void stateDots(V head, V first, V count, V row, V token, V run);

  // DeltaSolve.cpp: d of a panel.
  void solve(V head);
  void substitute(int64_t from);
  void joinBlocks();
  void storeLines(V head);

  // DeltaState.cpp: the panel's state and what is read with d.
  Sums loadState(V first, V count);
  void storeState(V first, V count, llvm::ArrayRef<DeltaProducts::Sum> sums);
  void splitState(llvm::ArrayRef<DeltaProducts::Sum> sums);
  void update(V head, Sums &sums);
  void read(V first, V count, V token, V tokens);

private:
  /// A run of the state in one lane: of even columns and of odd ones.
  using Piece = llvm::function_ref<void(V row, V word, V ours, size_t even,
                                        size_t odd, int64_t place)>;
  void eachPiece(Piece piece);
  DeltaProducts::Words lineWords(V from, llvm::ArrayRef<V> elements);
  std::array<DeltaProducts::Words, 2> keyWords(V pair);
};

} // namespace quartet::gpu
#endif

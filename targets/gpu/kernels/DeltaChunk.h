// The steps of the chunked form of the gated delta rule that need the state,
// and the memory that they share: DeltaChunked.cpp says what is computed.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTACHUNK_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTACHUNK_H
#include "targets/gpu/kernels/ConvChunk.h"
#include "targets/gpu/kernels/DeltaParts.h"
#include "targets/gpu/kernels/DeltaProducts.h"

namespace quartet::gpu {

/// How much is in shared memory at once.
struct ChunkSizes {
  int64_t panel; ///< rows of the state
  bool resident; ///< the part is one panel of one value head, in registers
  bool ahead;    ///< a chunk comes while the one before is computed
  tile::PreparedRow row;
  int64_t vectorRow; ///< bytes of a row of q, of k and of the state, split
  int64_t wordRow;   ///< of a row of T or of what is read with d
  int64_t line;      ///< of a panel's words of a pair of tokens

  ChunkSizes(const DeltaShape &shape, int64_t panel, bool ahead);
  int64_t vectors() const { return kDeltaChunk * vectorRow; }
  int64_t words() const { return kDeltaChunk * wordRow; }
  int64_t lines() const { return kDeltaChunk / 2 * line; }
  /// Of k, T, what is read with d, factors, remains and strengths.
  int64_t stage() const { return vectors() + 2 * words() + kDeltaChunk * 12; }
  /// Of q, and of d where it takes q's place.
  int64_t queries() const;
  bool sharesQueries() const { return resident && !ahead; }
  int64_t bytes() const;
  bool fits(const DeviceBuilder &k) const;

  /// The best that fits; the results do not depend on it.
  static ChunkSizes of(const DeviceBuilder &k, const DeltaShape &shape);
};

struct DeltaChunk : DeltaParts {
  using Sums = llvm::SmallVector<DeltaProducts::Sum>;

  ChunkSizes at;
  DeltaProducts products;
  ConvChunk conv;
  int64_t panel, runTiles;
  /// Which warp has what of the state: pairs of tiles of runs (along the key,
  /// even columns and odd ones), tiles of singles (rows).
  DeltaShare share;
  V zero;     ///< see DeltaProducts::hidePlaces
  V queries;  ///< shared: [chunk] q, split
  V stages;   ///< shared: one or two of keys, triangles, reads, gates
  V keys;     ///< [chunk] k, split
  V triangle; ///< [chunk] rows of T, split
  V reads;    ///< [i][E_ij q_i.k_j], split
  /// [chunk] factors: exp(c_i), then remains: exp(c_last - c_i), then
  /// strengths.
  V gates;
  V state; ///< shared: [panel] rows of the state, split
  /// Shared, [word of tokens][panel]: the chunk's values, f32, those of the
  /// first half and then of the second; in their place high parts of what T is
  /// multiplied with, and low ones.
  V recalled;
  /// Shared, [word of tokens][panel]: high parts of d, low ones, high and low
  /// parts of d that decayed to the chunk's end.
  V lines;

  DeltaChunk(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
             const ChunkSizes &sizes);
  void emit();

private:
  mlir::Type four() { return k.vec(4, k.f32()); }
  V thread() { return k.thread() + zero; }
  V warp() { return k.warp() + zero; }
  V factor(V token) { return k.load(k.f32(), gates, token * 4); }
  V remain(V token) {
    return k.load(k.f32(), gates, token * 4 + kDeltaChunk * 4);
  }
  V strength(V token) {
    return k.load(k.f32(), gates, token * 4 + kDeltaChunk * 8);
  }
  void useStage(V stage);
  Sums emitResident();
  void emitPanels();
  Sums runPanel(V first, V count, V token, V tokens, Sums sums,
                llvm::function_ref<void()> behindDots,
                llvm::function_ref<void()> behindSolve);
  void writeWindow();

  // DeltaCopies.cpp: what comes into shared memory.
  struct Image {
    V to, from;    ///< of the chunk's first token
    int64_t bytes; ///< of a row, a multiple of 16
    int64_t toRow; ///< from a row to the next
  };
  V preparedRow(V token);
  void bringRows(llvm::ArrayRef<Image> images, V tokens);
  void bringGates(V from, V to, V tokens);
  void bringQueries(V token, V tokens);
  void bringKeys(V token, V tokens, V stage);
  void bringTriangles(V head, V token, V tokens, V stage);
  void awaitCopies();
  /// What the thread's values are made of: of one element of a panel some
  /// tokens of the chunk.
  struct Values {
    llvm::SmallVector<V> inputs, taps;
  };
  Values valueInputs(V first, V count, V token);
  void storeValues(const Values &values);

  // DeltaState.cpp: the panel's state and what is read with d.
  struct Job {
    V tile;              ///< of runs
    V ofKeys, ofQueries; ///< the warp's part in dots()
  };
  Job job();
  V elementOf(V tile) {
    return tile * products.runTile + products.firstOfRun();
  }
  V tokenOf(int64_t half, int64_t place) {
    return products.singleRow(place) + half * products.singleTile;
  }
  Sums dots(const Job &job);
  Sums recall(const Job &job, llvm::ArrayRef<DeltaProducts::Sum> sums);
  void solve(const Job &job, Sums begin);
  void read(const Job &job, V first, V count, V token, V tokens, Sums sums);
  Sums timesTokens(V words, V rows, V tile, Sums sums);
  Sums loadState(V first, V count);
  void storeState(V first, V count, llvm::ArrayRef<DeltaProducts::Sum> sums);
  void splitState(llvm::ArrayRef<DeltaProducts::Sum> sums);
  void update(V tokens, Sums &sums);
  /// A run of the state in one lane: of even columns and of odd ones.
  using Piece = llvm::function_ref<void(V row, V word, V ours, size_t even,
                                        size_t odd, int64_t place)>;
  void eachPiece(Piece piece);
  DeltaProducts::Words lineWords(V from, llvm::ArrayRef<V> elements);
  std::array<DeltaProducts::Words, 2> keyWords(V pair);
};

} // namespace quartet::gpu
#endif

// Attention of many tokens on the matrix units: what attend() emits where rows
// of queries share the keys and values of a tile.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ATTENDTILE_H
#define QUARTET_TARGETS_GPU_KERNELS_ATTENDTILE_H
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/RowFragments.h"

namespace quartet::gpu {

/// How much is in shared memory at once.
struct AttendSizes {
  int64_t rows = 0, keys = 0; ///< of queries and of the cache; powers of two
  bool apart = false;         ///< keys and values don't share their memory
  /// Bytes of a row of queries, of a row of keys, of eight values of all
  /// columns, and of a row of scores.
  int64_t query = 0, key = 0, value = 0, score = 0;

  int64_t cacheBytes() const;
  int64_t bytes() const;
  /// The largest that fit; none where the shape is not for the matrix units:
  /// widths of 32 columns each, caches that bf16 holds exactly (bf16, int8).
  static std::optional<AttendSizes> of(const DeviceBuilder &k, int64_t width,
                                       mlir::Type cacheType);
};

/// A row of queries is a head of a token. For each tile of keys: scores of all
/// rows, a softmax by threads that have a row together, and the values by all
/// warps, each some columns for all rows. Queries and probabilities are sums of
/// as many bf16 as the machine's facts say: with two, products are as exact as
/// the cache's type.
class AttendTile {
public:
  /// Takes shared memory.
  AttendTile(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
             mlir::Type cacheType, const AttendSizes &sizes,
             const AttendArgs &args);

  /// Rows [first, first + sizes.rows) of those of all tokens. Meets.
  void run(V first);

private:
  using Sum = MatrixUnit::Sum;
  /// What a tile adds to: sums [group of columns][group of rows], and of the
  /// thread's row the largest score and its part of the sum.
  struct State {
    llvm::SmallVector<Sum> sums;
    V largest, sum;
  };
  struct Record {
    V inside, at; ///< whether there is such a row; its record
  };
  V rowCount() { return args.tokens * heads; }
  V tokenOf(V row) { return k.min(row, rowCount() - 1) / heads; }
  Record recordOf(V row);
  V pageOf(V base, V tile);
  V firstInPage(V tile) { return tile % (kPageTokens / at.keys) * at.keys; }
  void stageQueries(V first);
  void stageKeys(V tile);
  void stageScales(V page, V tile, V scales);
  void stageValues(V tile);
  void scores();
  void softmax(V tile, V own, State &state);
  void addValues(State &state);
  State addTile(const State &before, V tile, V next, V own);
  void write(const State &state, V first);
  llvm::SmallVector<V> pack(const State &state);
  State unpack(llvm::ArrayRef<V> values);

  DeviceBuilder &k;
  RowFragments fragments;
  int64_t width, heads;
  mlir::Type cacheType;
  AttendSizes at;
  AttendArgs args;
  bool int8;
  int64_t rowGroups;        ///< of unit.tokens rows of queries
  int64_t columnGroups;     ///< of 16 columns that a warp has
  V columnGroup(int64_t i); ///< the warp's i-th; the last where there is none
  V queries, keys, values, weights; ///< shared
  V factors;                        ///< shared: of a row's sums, f32
  V keyScales, valueScales;         ///< shared: of int8
  V rowThread, part;                ///< the thread's row, and part of it
};

} // namespace quartet::gpu
#endif

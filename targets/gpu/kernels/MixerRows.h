// What the mixers' kernels share: rows of any width spread over the lanes of a
// warp, with the widest accesses that their alignment allows, and sums of many
// values at once across lanes.
#ifndef QUARTET_TARGETS_GPU_KERNELS_MIXERROWS_H
#define QUARTET_TARGETS_GPU_KERNELS_MIXERROWS_H
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }
/// Bytes of one element.
int64_t byteWidth(mlir::Type type);
/// The largest power of two, up to 16, that divides \p bytes.
int64_t accessBytes(int64_t bytes);

/// A row of `width` elements over `lanes` neighbouring lanes of a warp (a
/// group): lane l has `vectors` vectors of `vec` elements, vector j from
/// element (j * lanes + l) * vec on.
struct RowSplit {
  int64_t width, vec, lanes, vectors;

  /// For rows of \p elementBytes wide elements, each row aligned to \p align
  /// bytes, over at least \p leastLanes and at most \p mostLanes lanes.
  RowSplit(int64_t width, int64_t elementBytes, int64_t align,
           int64_t leastLanes, int64_t mostLanes);
  /// Whether every lane has elements in each of its vectors.
  bool full() const { return lanes * vectors * vec == width; }
  int64_t floats() const { return vectors * vec; } ///< of a lane
};

/// Whether the vector at \p column begins inside of the row, as an i1.
V inRow(DeviceBuilder &k, const RowSplit &split, V column);

/// \p count elements of \p type (f32, bf16, f16 or signed i8) at \p pointer +
/// \p offset, aligned to their size together, as words for widen(); one load.
V loadRaw(DeviceBuilder &k, mlir::Type type, int64_t count, V pointer,
          V offset);
/// What loadRaw() read as a vector of \p count f32.
V widen(DeviceBuilder &k, V raw, mlir::Type type, int64_t count);

/// Sums over the lanes of each group of \p lanes of \p values (as many as a
/// power of two, after which zeros are assumed), shared out: with N values,
/// lane l of the group gets the sums of values l * N / lanes .. (l + 1) * N /
/// lanes, or, where there are fewer values than lanes, that of value l * N /
/// lanes. Every sum has the same order: a tree over the lanes.
llvm::SmallVector<V> sumShared(DeviceBuilder &k, llvm::ArrayRef<V> values,
                               int64_t lanes);
/// The same for the lanes that differ in bits below \p lanes and not below
/// \p least: a part of the tree.
llvm::SmallVector<V> sumShared(DeviceBuilder &k, llvm::ArrayRef<V> values,
                               int64_t lanes, int64_t least);

/// \p value of each lane joined with those of the lanes that differ from it in
/// the bits least .. lanes / 2.
V acrossLanes(DeviceBuilder &k, V value, int64_t least, int64_t lanes,
              llvm::function_ref<V(V, V)> join);

/// Runs \p body for elements e = lane, lane + lanes, ... of [0, width), with
/// the number of the turn; all lanes in all turns but the last, which is
/// guarded.
void overElements(DeviceBuilder &k, int64_t width,
                  llvm::function_ref<void(V element, int64_t turn)> body);
/// The elements of row[0, width) that overElements() visits, f32; 0 behind the
/// row.
llvm::SmallVector<V> loadElements(DeviceBuilder &k, int64_t width, V row);

} // namespace quartet::gpu
#endif

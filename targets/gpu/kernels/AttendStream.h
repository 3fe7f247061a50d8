// Attention as a stream of keys and values: what attend() emits for one token
// and some of its heads.
#ifndef QUARTET_TARGETS_GPU_KERNELS_ATTENDSTREAM_H
#define QUARTET_TARGETS_GPU_KERNELS_ATTENDSTREAM_H
#include "targets/gpu/kernels/Attend.h"
#include "targets/gpu/kernels/MixerRows.h"

namespace quartet::gpu {

/// Every warp takes some places of each slice of a page, straight from memory
/// to registers, and a softmax of its own over them; the warps' results are
/// joined at the end. A row of the cache is spread over a group of lanes; a
/// warp has one group or several, each with other places.
struct AttendStream {
  DeviceBuilder &k;
  mlir::Type cacheType;
  AttendArgs args;
  RowSplit split;
  int64_t heads; ///< taken at once
  bool int8;
  int64_t rowBytes;      ///< of a row of a page
  int64_t groups;        ///< of lanes in a warp
  int64_t places;        ///< of a slice that a group takes, a power of two
  int64_t slice;         ///< places of a page that the block takes at once
  int64_t padded;        ///< heads, rounded up to a power of two
  int64_t lanesPerHead;  ///< of a group; the lanes that have a head's scores
  int64_t headsPerLane;  ///< 1, or more where a group has fewer lanes
  int64_t placesPerLane; ///< scores of each of its heads that a lane has
  int64_t alike;         ///< neighbouring lanes that have the same scores
  V inGroup, groupBase;  ///< lane within its group; lane 0 of the group
  V group;               ///< number of the group in its warp
  int64_t round;         ///< heads whose sums are joined at once
  V shares, stats;       ///< shared: [warp][round][width]; [warp][padded][2]

  /// Takes shared memory.
  AttendStream(DeviceBuilder &k, int64_t width, int64_t headsPerKv,
               mlir::Type cacheType, const AttendArgs &args);

  /// Token \p token and heads [head, head + heads). Meets.
  void run(V token, V head);

private:
  /// Of a group: the rows of its places, and their scales.
  struct Rows {
    llvm::SmallVector<V> raw, scales;
  };
  /// Per lane: sums [heads][vectors], largest and sum [headsPerLane].
  struct State {
    llvm::SmallVector<V> sums, largest, sum;
  };
  /// Where place \p i of the group is in the slice.
  V placeOf(int64_t i);
  V columnOf(int64_t j) { return (inGroup + j * split.lanes) * split.vec; }
  V columnIn(int64_t j);
  Rows loadRows(V base, V number, V count);
  llvm::SmallVector<V> loadQuery(V token, V head);
  llvm::SmallVector<V> scoresOf(llvm::ArrayRef<V> query, const Rows &keys);
  /// The lane that has what belongs to \p head and place \p i, and where there.
  V laneOf(int64_t head, int64_t i);
  V headValue(llvm::ArrayRef<V> perHead, int64_t head);
  V placeOfLane(int64_t i);
  State absorb(const State &state, llvm::ArrayRef<V> scores, const Rows &values,
               V count);
  void joinGroups(State &state);
  void joinWarps(State &state, V token, V head);
};

} // namespace quartet::gpu
#endif

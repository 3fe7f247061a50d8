// One task of tile.delta_scan: convolution, unit length, gates and the gated
// delta rule of one key head of one sequence, by one block, or by several that
// share out the value elements; and of tile.delta_prepare, which does ahead
// what of a chunk of tokens does not depend on the state.
#ifndef QUARTET_TARGETS_GPU_KERNELS_DELTA_H
#define QUARTET_TARGETS_GPU_KERNELS_DELTA_H
#include "dialects/Tile/PreparedRow.h"
#include "targets/gpu/DeviceBuilder.h"

namespace quartet::gpu {

using tile::kDeltaChunk;

struct DeltaShape {
  int64_t keyHeads, valueHeads; ///< the latter a multiple of the former
  int64_t keyDim, valueDim;
  int64_t taps;          ///< of the convolution, 2 or more
  mlir::Type windowType; ///< bf16, f16 or f32
  /// Blocks that share a key head: part p has the value elements
  /// [p * rows(), (p + 1) * rows()) of its value heads, counted through.
  /// Divides valueHeads / keyHeads * valueDim.
  int64_t parts = 1;

  int64_t perKey() const { return valueHeads / keyHeads; }
  int64_t rows() const { return perKey() * valueDim / parts; }
  int64_t firstValue() const { return 2 * keyHeads * keyDim; } ///< channel
  int64_t channels() const { return firstValue() + valueHeads * valueDim; }
  /// Channels of a part: q, k, its values.
  int64_t width() const { return 2 * keyDim + rows(); }
};

/// Pointers are global. Rows of tokens are those of the sequence's tokens of
/// this step, from the first one on; strides in bytes between them. Pointers of
/// all heads: the kernel adds where its head is.
struct DeltaArgs {
  V input, inputStride; ///< f32 [tokens][channels]: q, k, v before convolution
  V taps;               ///< f32 [channels][taps]
  V window; ///< of the sequence's slot: [taps - 1][channels] of windowType
  V a, b, controlStride; ///< f32 [tokens][valueHeads] each, one stride
  V aLog, dtBias;        ///< f32 [valueHeads]
  V qkEps;               ///< f32
  V state; ///< of the slot: f32 [valueHeads][valueDim][keyDim], 16-byte aligned
  V out, outStride; ///< f32 [tokens][valueHeads * valueDim]
  V head;           ///< the key head
  V tokens;         ///< 1 or more
  V place;          ///< of the first token in its sequence; null: 0
  V part;           ///< with parts > 1: the part of this block
  /// Recurrent with parts > 1: an i32 in global memory for this sequence and
  /// key head, 0 before and after. The parts count there who has read the
  /// window of q and k; the last one writes it. No part waits for another.
  V readers;
  /// Chunked: a tile::PreparedRow for each token and key head, 16-byte aligned.
  V prepared, preparedStride;
};

/// Updates `window` and `state`, writes `out`. The whole block comes with the
/// same values; control flow is the same for all threads where they meet. The
/// recurrent form gives the same bits for any cut of the tokens into calls, the
/// chunked one for cuts at multiples of kDeltaChunk tokens of the sequence, and
/// both for any number of parts. Shared memory that it uses may still be read
/// by other threads of the block when it ends: meet before using it again.
/// Chunked: needs the rows that deltaPrepare() has written for all chunks of
/// the step, and takes no controls.
void deltaScan(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args,
               bool chunked);

/// Writes what deltaScan() takes of tokens [first, first + count) of the step:
/// one chunk, which ends where the sequence's chunks or the step do. Reads the
/// window. Meets first.
void deltaPrepare(DeviceBuilder &k, const DeltaShape &shape,
                  const DeltaArgs &args, V first, V count);

/// Where the chunk that begins at token \p first of the step ends.
V endOfChunk(DeviceBuilder &k, const DeltaArgs &args, V first);

/// Bytes of shared memory that the two need at least.
int64_t deltaSharedBytes(const DeviceBuilder &k, const DeltaShape &shape);

} // namespace quartet::gpu
#endif

// The convolution of chunks of tokens. Nothing is kept between them: rows in
// front of a chunk are read where they are, in the input or in the window.
#ifndef QUARTET_TARGETS_GPU_KERNELS_CONVCHUNK_H
#define QUARTET_TARGETS_GPU_KERNELS_CONVCHUNK_H
#include "targets/gpu/kernels/Delta.h"

namespace quartet::gpu {

/// The sums that Conv.h describes. Channels are numbers among all of a token.
class ConvChunk {
public:
  ConvChunk(DeviceBuilder &k, const DeltaShape &shape, const DeltaArgs &args);

  /// Of the key head: channel \p c of q, and of k behind them.
  V vectorChannel(V c);
  /// Of the part's value element \p row.
  V valueChannel(V row);

  /// What \p length tokens from \p first of the step on need of \p channel: the
  /// taps - 1 rows in front of them, then theirs. \p whole: they are there,
  /// else the last token stands for those behind it.
  llvm::SmallVector<V> inputs(V channel, V first, int64_t length, bool whole);
  llvm::SmallVector<V> taps(V channel);
  /// The tokens of those inputs, convolved.
  llvm::SmallVector<V> outputs(llvm::ArrayRef<V> taps,
                               llvm::ArrayRef<V> inputs);

  /// q and k of tokens [first, first + count), up to a chunk, into the shared
  /// \p rows, f32, \p rowBytes apart, k \p keyAt bytes behind q. Threads share
  /// them out evenly; \p thread is this one.
  void vectors(V thread, V first, V count, V rows, int64_t keyAt,
               int64_t rowBytes);

  /// Writes the window of \p channel behind all tokens of the step; one thread.
  void writeWindow(V channel);

private:
  V held(V channel, V index);
  V input(V channel, V index);

  DeviceBuilder &k;
  DeltaShape shape;
  DeltaArgs args;
};

} // namespace quartet::gpu
#endif

// Where the values of weights come from: a checkpoint (safetensors, GGUF), or a
// generator. Checkpoints that are quantized themselves also give what they
// store, so that it can be packed without a second rounding.
#ifndef QUARTET_COMPILER_IMPORT_WEIGHTSOURCE_H
#define QUARTET_COMPILER_IMPORT_WEIGHTSOURCE_H
#include "compiler/import/Safetensors.h"
#include "compiler/import/quant/QuantizedRows.h"

namespace quartet {

/// Gives the source values of a weight. Called from one thread at a time, not
/// always the same one, unless isConcurrent().
class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// Fills \p out with elements [begin, begin + out.size() / elementSize) of
  /// \p weight, already converted to weight.dtype (round to nearest even).
  virtual llvm::Error read(const Weight &weight, int64_t begin,
                           llvm::MutableArrayRef<uint8_t> out) = 0;

  /// Elements [begin, begin + out.size()) of \p weight as f32, whatever its
  /// dtype. The default calls read() with a copy of \p weight of type F32.
  virtual llvm::Error readF32(const Weight &weight, int64_t begin,
                              llvm::MutableArrayRef<float> out);

  /// The format that holds the source's own quantized values of all of
  /// \p weight exactly; nothing for a weight that is not quantized, or whose
  /// parts are so in several ways.
  virtual std::optional<PackedFormat> ownFormat(const Weight &) const {
    return std::nullopt;
  }
  /// Can readOwn give \p weight in \p format?
  virtual bool owns(const Weight &weight, const PackedFormat &format) const {
    return ownFormat(weight) == format;
  }
  /// Rows [firstRow, firstRow + rows) of \p weight, counted over all leading
  /// dimensions, as stored. The caller has called
  /// out.reset(format, rows, columns) with a format that owns() accepts; all of
  /// out.values, out.scales and out.zeros is written.
  virtual llvm::Error readOwn(const Weight &weight, int64_t firstRow,
                              int64_t rows, QuantizedRows &out);

  /// May several threads call at once?
  virtual bool isConcurrent() const { return false; }
};

/// Reads runs from \p checkpoint, which must outlive the source. A value that
/// overflows the target type (F16) is an error that names the tensor.
std::unique_ptr<WeightSource> checkpointSource(const Checkpoint &checkpoint);

/// Random weights by role, a pure function of (seed, weight name, index):
/// matrices N(0, 1/sqrt(fan_in)), norms near 0 (gated near 1), a_log = log
/// U(1,16), dt_bias around softplus^-1(0.001..0.1); fast enough for gigabytes
/// per second. It owns every format of integers and fp8: such a matrix is drawn
/// as integers and scales, with the same deviation, which makes synthetic
/// packed weights a model of their own, not the f32 weights rounded. What the
/// reference lowering needs to compute the same model is fakeQuantize of it.
std::unique_ptr<WeightSource> syntheticSource(uint64_t seed);

} // namespace quartet
#endif

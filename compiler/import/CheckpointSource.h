// The values of weights out of a safetensors checkpoint, plain or quantized.
#ifndef QUARTET_COMPILER_IMPORT_CHECKPOINTSOURCE_H
#define QUARTET_COMPILER_IMPORT_CHECKPOINTSOURCE_H
#include "compiler/import/RunSource.h"
#include "compiler/import/quantized/QuantTensors.h"

namespace quartet {

/// checkpointSource (WeightSource.h) for a plan whose runs name matrices of
/// \p tensors, which must be analyzed; both arguments must outlive the source.
std::unique_ptr<RunSource> quantizedSource(const Checkpoint &checkpoint,
                                           const QuantTensors &tensors);

} // namespace quartet
#endif

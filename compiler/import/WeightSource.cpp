// What most sources have in common: f32 through their own conversion, and no
// quantized values.
#include "compiler/import/WeightSource.h"

using namespace llvm;
using namespace quartet;

Error WeightSource::readF32(const Weight &weight, int64_t begin,
                            MutableArrayRef<float> out) {
  MutableArrayRef<uint8_t> bytes(reinterpret_cast<uint8_t *>(out.data()),
                                 out.size() * sizeof(float));
  if (weight.dtype == Dtype::F32)
    return read(weight, begin, bytes);
  Weight wide = weight;
  wide.dtype = Dtype::F32;
  return read(wide, begin, bytes);
}

Error WeightSource::readOwn(const Weight &weight, int64_t, int64_t,
                            QuantizedRows &) {
  return createStringError("weight '" + weight.name +
                           "': its source has no quantized values");
}

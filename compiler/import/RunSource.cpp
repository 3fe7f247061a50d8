// Cuts what is asked for into pieces of runs.
#include "compiler/import/RunSource.h"
#include <algorithm>

using namespace llvm;
using namespace quartet;

Error RunSource::read(const Weight &weight, int64_t begin,
                      MutableArrayRef<uint8_t> out) {
  int64_t size = byteSize(weight.dtype);
  int64_t skip = begin, left = int64_t(out.size()) / size;
  uint8_t *next = out.data();
  for (const Run &run : weight.runs) {
    if (left == 0)
      break;
    if (skip >= run.count) {
      skip -= run.count;
      continue;
    }
    int64_t count = std::min(run.count - skip, left);
    if (Error error = readRun(weight, run, skip, count, next))
      return error;
    next += count * size;
    left -= count;
    skip = 0;
  }
  if (left != 0)
    return createStringError("weight '" + weight.name + "': " + Twine(left) +
                             " elements have no tensor in the checkpoint, "
                             "expected none");
  return Error::success();
}

StringRef RunSource::largest(Dtype dtype) {
  return dtype == Dtype::F16 ? "65504 (use --dtype bf16)"
                             : "3.39e38 (use --dtype f32)";
}

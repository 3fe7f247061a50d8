// Gives the values of weights out of a checkpoint: walks a weight's runs and
// converts each piece from the tensor's type to the weight's.
#include "compiler/import/Convert.h"
#include "compiler/import/Pack.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringSwitch.h"
#include <algorithm>

using namespace llvm;

namespace quartet {
namespace {

class CheckpointSource final : public WeightSource {
public:
  explicit CheckpointSource(const Checkpoint &checkpoint)
      : checkpoint(checkpoint) {}

  Error read(const Weight &weight, int64_t begin,
             MutableArrayRef<uint8_t> out) override {
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

private:
  const Checkpoint &checkpoint;

  Error readRun(const Weight &weight, const Run &run, int64_t skip,
                int64_t count, uint8_t *out) {
    const StoredTensor *tensor = checkpoint.find(run.tensor);
    if (!tensor)
      return createStringError("weight '" + weight.name + "': tensor '" +
                               printable(run.tensor) +
                               "' not found in the checkpoint, expected it");
    auto fail = [&](const Twine &message) {
      return createStringError(checkpoint.fileOf(*tensor) + ": tensor '" +
                               printable(run.tensor) + "': " + message);
    };
    auto dtype = StringSwitch<std::optional<Dtype>>(tensor->dtype)
                     .Case("F32", Dtype::F32)
                     .Case("F16", Dtype::F16)
                     .Case("BF16", Dtype::BF16)
                     .Default(std::nullopt);
    if (!dtype)
      return fail("type " + tensor->dtype +
                  " found, expected F32, F16 or BF16");
    uint64_t size = uint64_t(byteSize(*dtype));
    uint64_t begin = uint64_t(run.offset + skip);
    if (run.offset < 0 || uint64_t(run.offset) > tensor->bytes / size ||
        uint64_t(run.count) > tensor->bytes / size - uint64_t(run.offset))
      return fail("has " + Twine(tensor->bytes / size) +
                  " elements, expected at least " +
                  Twine(run.offset + run.count) + " for weight '" +
                  weight.name + "'");
    const uint8_t *in = checkpoint.data(run.tensor).data() + begin * size;
    int64_t bad = convertElements(*dtype, in, weight.dtype, out, count);
    if (bad >= 0)
      return fail("element " + Twine(begin + uint64_t(bad)) +
                  " is too large for " + stringify(weight.dtype) +
                  ", expected values up to " +
                  (weight.dtype == Dtype::F16 ? "65504 (use --dtype bf16)"
                                              : "3.39e38 (use --dtype f32)"));
    checkpoint.release(run.tensor, begin * size,
                       (begin + uint64_t(count)) * size);
    return Error::success();
  }
};

} // namespace

std::unique_ptr<WeightSource> checkpointSource(const Checkpoint &checkpoint) {
  return std::make_unique<CheckpointSource>(checkpoint);
}

} // namespace quartet

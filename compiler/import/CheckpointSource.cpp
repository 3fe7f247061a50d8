// Gives the values of weights out of a checkpoint: converts each piece from the
// tensor's type to the weight's.
#include "compiler/import/Convert.h"
#include "compiler/import/RunSource.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace quartet {
namespace {

class CheckpointSource final : public RunSource {
public:
  explicit CheckpointSource(const Checkpoint &checkpoint)
      : checkpoint(checkpoint) {}

private:
  const Checkpoint &checkpoint;

  Error readRun(const Weight &weight, const Run &run, int64_t skip,
                int64_t count, uint8_t *out) override {
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
                  ", expected values up to " + largest(weight.dtype));
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

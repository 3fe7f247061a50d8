// Sums that mirror what is allocated, and a search for the context that fits.
#include "runtime/src/engine/DeviceMemory.h"
#include <algorithm>
#include <cstdio>

namespace quartet::rt {

namespace {
/// Bits per parameter of `quartetc build --quant`, with scales, rounded up.
constexpr struct {
  const char *name;
  double bits;
} quantizations[] = {{"int8", 8.5}, {"int6", 6.6}, {"int4", 4.6}};

uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX / 8 : product;
}

EngineOptions withContext(EngineOptions options, int64_t context) {
  options.context = context;
  options.pages = 0;
  return options;
}
} // namespace

std::string gigabytes(uint64_t bytes) {
  char text[32];
  double value = double(bytes);
  if (value < 1e6)
    snprintf(text, sizeof(text), "%.1f kB", value / 1e3);
  else if (value < 1e9)
    snprintf(text, sizeof(text), "%.1f MB", value / 1e6);
  else
    snprintf(text, sizeof(text), "%.1f GB", value / 1e9);
  return text;
}

DeviceNeed deviceNeed(const Manifest &manifest, const quartet_program &program,
                      const EngineOptions &options, int64_t workers) {
  int64_t context = options.context ? options.context : manifest.maxPositions;
  StepSizes sizes;
  sizes.slots = options.sequences;
  sizes.tableWidth = pagesFor(context);
  sizes.vocab = manifest.vocab;
  sizes.hidden = manifest.hidden;
  sizes.mtp = program.num_mtp_buckets > 0;
  uint64_t pages = options.pages ? uint64_t(options.pages)
                                 : times(uint64_t(options.sequences),
                                         uint64_t(sizes.tableWidth));
  DeviceNeed need;
  need.weights = manifest.weightsBytes;
  need.slots =
      times(uint64_t(options.sequences), uint64_t(manifest.bytesPerSlot()));
  need.pages = times(pages, uint64_t(manifest.bytesPerPage()));
  need.steps = std::min(uint64_t(deviceStepBytes(program, sizes, workers)),
                        UINT64_MAX / 8);
  need.logits = times(uint64_t(options.sequences), uint64_t(sizes.vocab) * 4);
  return need;
}

/// The longest context, a multiple of a page, that fits; 0 when none does.
static int64_t fittingContext(uint64_t free, const Manifest &manifest,
                              const quartet_program &program,
                              const EngineOptions &options, int64_t workers) {
  int64_t low = 0, high = manifest.maxPositions / QUARTET_PAGE_TOKENS;
  while (low < high) {
    int64_t middle = (low + high + 1) / 2;
    DeviceNeed need =
        deviceNeed(manifest, program,
                   withContext(options, middle * QUARTET_PAGE_TOKENS), workers);
    if (need.total() <= free)
      low = middle;
    else
      high = middle - 1;
  }
  return low * QUARTET_PAGE_TOKENS;
}

/// A quantization with which the model would fit, as part of a sentence.
static std::string otherWeights(uint64_t free, const Manifest &manifest,
                                const DeviceNeed &least) {
  uint64_t others = least.total() - least.weights;
  if (manifest.parameters > 0 && free > others)
    for (const auto &choice : quantizations) {
      double bytes = double(manifest.parameters) * choice.bits / 8;
      if (bytes < double(manifest.weightsBytes) &&
          bytes < double(free - others))
        return std::string("; compile the model with weights of fewer bits "
                           "(quartetc build --quant ") +
               choice.name + ")";
    }
  return "; a device with more memory is needed";
}

std::string whyNotMemory(const DeviceInfo &info, uint64_t free,
                         const Manifest &manifest,
                         const quartet_program &program,
                         const EngineOptions &options, int64_t workers) {
  DeviceNeed need = deviceNeed(manifest, program, options, workers);
  if (need.total() <= free)
    return "";
  int64_t context = options.context ? options.context : manifest.maxPositions;
  std::string text =
      info.name + " has not enough memory: " + gigabytes(need.total()) +
      " are needed (weights " + gigabytes(need.weights) + ", " +
      (options.sequences > 1 ? std::to_string(options.sequences) + " contexts"
                             : std::string("a context")) +
      " of " + std::to_string(context) + " tokens " +
      gigabytes(need.slots + need.pages) + ", steps " +
      gigabytes(need.steps + need.logits) + "), " + gigabytes(free) +
      " are free, " + gigabytes(need.total() - free) + " are missing";
  if (options.sequences > 1)
    text += "; fewer sequences at once need less (--batch of bench)";
  int64_t fitting = fittingContext(free, manifest, program, options, workers);
  if (fitting > 0)
    return text + "; a context of " + std::to_string(fitting) +
           " tokens fits (--context " + std::to_string(fitting) + ")";
  return text +
         otherWeights(free, manifest,
                      deviceNeed(manifest, program,
                                 withContext(options, QUARTET_PAGE_TOKENS),
                                 workers));
}

} // namespace quartet::rt

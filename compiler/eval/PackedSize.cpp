// Adds up panels.
#include "compiler/eval/PackedSize.h"

using namespace quartet;

static uint64_t sizeOf(const Weight &weight,
                       const std::optional<PackedFormat> &format) {
  uint64_t elements = 1;
  for (int64_t extent : weight.shape)
    elements *= uint64_t(extent);
  if (!format)
    return elements * (weight.dtype == Dtype::F32 ? 4 : 2);
  int64_t columns = weight.shape.back();
  int64_t rows = weight.shape[weight.shape.size() - 2];
  uint64_t matrices = elements / uint64_t(rows * columns);
  return matrices * uint64_t(panelCount(rows)) *
         uint64_t(PanelLayout(*format, columns).bytes);
}

uint64_t quartet::packedSize(const WeightPlan &plan, const Recipe &recipe,
                             const WeightSource &source) {
  uint64_t bytes = 0;
  for (const Weight &weight : plan.weights) {
    std::optional<WeightClass> known = classOf(weight.name);
    std::optional<PackedFormat> format;
    if (known && *known != WeightClass::Embedding && weight.shape.size() >= 2) {
      format = recipe.formatOf(*known);
      if (!format)
        format = source.ownFormat(weight);
    }
    bytes += sizeOf(weight, format);
  }
  return bytes;
}

uint64_t quartet::plainSize(const WeightPlan &plan) {
  uint64_t bytes = 0;
  for (const Weight &weight : plan.weights)
    bytes += sizeOf(weight, std::nullopt);
  return bytes;
}

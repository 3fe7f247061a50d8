// Cuts what is asked for into pieces of runs.
#include "compiler/import/RunSource.h"
#include "compiler/import/quantized/WidenRows.h"
#include "llvm/ADT/StringSet.h"
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

static bool mayBeQuantized(const Weight &weight) {
  return weight.role == WeightRole::Matrix ||
         weight.role == WeightRole::Embedding;
}

std::optional<PackedFormat>
RunSource::findOwnFormat(const Weight &weight) const {
  if (!mayBeQuantized(weight) || weight.runs.empty())
    return std::nullopt;
  int64_t columns = weight.shape.back();
  std::optional<PackedFormat> result;
  for (const Run &run : weight.runs) {
    std::optional<OwnTensor> own = ownTensor(run.tensor);
    if (!own || run.offset % columns != 0 || run.count % columns != 0)
      return std::nullopt;
    result = result ? joinFormats(*result, own->format) : own->format;
    if (!result)
      return std::nullopt;
  }
  return result;
}

std::optional<PackedFormat> RunSource::ownFormat(const Weight &weight) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto [it, inserted] = formats.try_emplace(weight.name);
  if (inserted)
    it->second = findOwnFormat(weight);
  return it->second;
}

bool RunSource::owns(const Weight &weight, const PackedFormat &format) const {
  std::optional<PackedFormat> own = ownFormat(weight);
  return own && holdsFormat(format, *own);
}

Error RunSource::readOwn(const Weight &weight, int64_t firstRow, int64_t rows,
                         QuantizedRows &out) {
  int64_t columns = weight.shape.back();
  if (!owns(weight, out.format) || out.rows != rows || out.columns != columns)
    return createStringError("weight '" + weight.name + "': rows of " +
                             out.format.str() +
                             " asked for, expected a format that holds its "
                             "quantized values");
  int64_t skip = firstRow, done = 0;
  QuantizedRows stored, wide;
  for (const Run &run : weight.runs) {
    int64_t count = run.count / columns;
    if (done == rows)
      break;
    if (skip >= count) {
      skip -= count;
      continue;
    }
    count = std::min(count - skip, rows - done);
    if (Error error =
            readOwnRows(run.tensor, run.offset / columns + skip, count, stored))
      return error;
    wide.reset(out.format, count, columns);
    if (!widenRows(stored, wide))
      return createStringError("tensor '" + run.tensor +
                               "': a scale is too large for " +
                               out.format.str() +
                               ", expected one that its "
                               "type of scales holds");
    // Formats without scales or zero points have none to put anywhere.
    auto place = [](const auto &from, auto &to, int64_t offset) {
      if (!from.empty())
        std::copy(from.begin(), from.end(), to.begin() + offset);
    };
    place(wide.values, out.values, done * columns);
    place(wide.scales, out.scales, done * out.groups);
    place(wide.zeros, out.zeros, done * out.groups);
    done += count;
    skip = 0;
  }
  if (done != rows)
    return createStringError("weight '" + weight.name + "': rows " +
                             Twine(firstRow) + " to " + Twine(firstRow + rows) +
                             " asked for, which it does not have");
  return Error::success();
}

Error RunSource::readOwnRows(StringRef tensor, int64_t, int64_t,
                             QuantizedRows &) {
  return createStringError("tensor '" + tensor + "' is not quantized");
}

std::string RunSource::ownNote(const WeightPlan &plan) const {
  // Counts by what is said about a tensor, each tensor once.
  std::map<std::string, int64_t> counts;
  StringSet<> seen;
  for (const Weight &weight : plan.weights) {
    std::optional<PackedFormat> own = ownFormat(weight);
    for (const Run &run : weight.runs) {
      std::optional<OwnTensor> tensor = ownTensor(run.tensor);
      if (!tensor || !seen.insert(run.tensor).second)
        continue;
      std::string dtype = StringRef(stringify(weight.dtype)).lower();
      if (!mayBeQuantized(weight))
        ++counts[tensor->kind + " widened to " + dtype];
      else if (!own)
        ++counts[tensor->kind + " widened to " + dtype +
                 ": no packed format for weights of such a mix (" +
                 weight.name + ")"];
      else if (!tensor->loss.empty())
        ++counts[tensor->kind + " as " + own->str() + " (" + tensor->loss +
                 ")"];
      else
        ++counts[tensor->kind + " exactly as " + own->str()];
    }
  }
  std::string text;
  for (const auto &[what, count] : counts)
    text += (text.empty() ? "quantized tensors: " : "; ") +
            std::to_string(count) + " of " + what;
  return text;
}

StringRef RunSource::largest(Dtype dtype) {
  return dtype == Dtype::F16 ? "65504 (use --dtype bf16)"
                             : "3.39e38 (use --dtype f32)";
}

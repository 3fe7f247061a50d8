// Opens the parts of a GGUF model and proves that they belong together.
#include "compiler/import/gguf/GgufModel.h"
#include "compiler/import/MappedFile.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace quartet {
namespace {

constexpr int64_t maxParts = 99999;

std::string partSuffix(int64_t number, int64_t count) {
  std::string text;
  raw_string_ostream(text) << format("-%05d-of-%05d.gguf", int(number),
                                     int(count));
  return text;
}

/// A scalar of a header, for values that must be there.
int64_t integerOf(const GgufHeader &header, StringRef key, int64_t ifMissing) {
  auto it = header.metadata.find(key);
  bool found =
      it != header.metadata.end() && it->second.is(GgufValue::Kind::Integer);
  return found ? it->second.integers.front() : ifMissing;
}

} // namespace

Expected<GgufHeader> GgufModel::addFile(const std::string &path) {
  auto file = mapFile(path);
  if (!file)
    return file.takeError();
  return addBuffer(std::move(*file), path);
}

Expected<GgufHeader> GgufModel::addBuffer(std::unique_ptr<MemoryBuffer> buffer,
                                          const std::string &path) {
  Expected<GgufHeader> header =
      parseGguf(arrayRefFromStringRef(buffer->getBuffer()), path);
  if (!header)
    return header.takeError();
  for (GgufTensor &tensor : header->tensors) {
    tensor.file = unsigned(buffers.size());
    all.push_back(std::move(tensor));
  }
  paths.push_back(path);
  buffers.push_back(std::move(buffer));
  return header;
}

Error GgufModel::addParts(int64_t count) {
  const std::string first = paths.front();
  if (count > maxParts)
    return createStringError(first + ": metadata 'split.count' is " +
                             Twine(count) + ", expected at most " +
                             Twine(maxParts));
  StringRef stem = first;
  if (!stem.consume_back(partSuffix(1, count)))
    return createStringError(first + ": this is the first of " + Twine(count) +
                             " parts, expected a name that ends in " +
                             partSuffix(1, count) + ", beside the other parts");
  for (int64_t part = 1; part < count; ++part) {
    std::string path = stem.str() + partSuffix(part + 1, count);
    if (!sys::fs::exists(path))
      return createStringError(path + ": missing, expected beside " + first +
                               " because that is one of " + Twine(count) +
                               " parts (is the download complete?)");
    Expected<GgufHeader> header = addFile(path);
    if (!header)
      return header.takeError();
    for (auto [key, expected] :
         {std::pair("split.no", part), std::pair("split.count", count)})
      if (int64_t found = integerOf(*header, key, -1); found != expected)
        return createStringError(path + ": metadata '" + key + "' is " +
                                 (found < 0 ? Twine("missing") : Twine(found)) +
                                 ", expected " + Twine(expected) +
                                 " by the file's name");
  }
  return Error::success();
}

Error GgufModel::index() {
  for (size_t i = 0; i < all.size(); ++i) {
    auto [place, inserted] = byName.try_emplace(all[i].name, i);
    if (!inserted)
      return createStringError(
          fileOf(all[i]) + ": tensor '" + printable(all[i].name) +
          "': found here and in " + fileOf(all[place->second]) +
          ", expected in one file");
  }
  return Error::success();
}

Expected<GgufModel> GgufModel::open(StringRef path) {
  GgufModel model;
  Expected<GgufHeader> header = model.addFile(path.str());
  if (!header)
    return header.takeError();
  model.metadata = std::move(header->metadata);
  Expected<std::optional<int64_t>> count = model.integer("split.count");
  if (!count)
    return count.takeError();
  if (count->value_or(0) > 1) {
    Expected<std::optional<int64_t>> number = model.integer("split.no");
    if (!number)
      return number.takeError();
    if (number->value_or(0) != 0)
      return createStringError(path + ": this is part " +
                               Twine(number->value() + 1) + " of " +
                               Twine(**count) +
                               ", expected the first one: "
                               "name NAME" +
                               partSuffix(1, **count));
    if (Error error = model.addParts(**count))
      return std::move(error);
    Expected<std::optional<int64_t>> announced =
        model.integer("split.tensors.count");
    if (!announced)
      return announced.takeError();
    if (*announced && **announced != int64_t(model.all.size()))
      return createStringError(path + ": the " + Twine(**count) +
                               " parts have " + Twine(model.all.size()) +
                               " tensors, expected " + Twine(**announced) +
                               " as 'split.tensors.count' says");
  }
  if (Error error = model.index())
    return std::move(error);
  return std::move(model);
}

Expected<GgufModel> GgufModel::fromBuffer(std::unique_ptr<MemoryBuffer> buffer,
                                          StringRef path) {
  GgufModel model;
  Expected<GgufHeader> header = model.addBuffer(std::move(buffer), path.str());
  if (!header)
    return header.takeError();
  model.metadata = std::move(header->metadata);
  if (Error error = model.index())
    return std::move(error);
  return std::move(model);
}

std::string GgufModel::name() const {
  StringRef stem = sys::path::filename(path());
  stem.consume_back(".gguf");
  if (buffers.size() > 1)
    stem = stem.drop_back(StringRef("-00001-of-00002").size());
  return stem.str();
}

const GgufTensor *GgufModel::find(StringRef name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : &all[found->second];
}

ArrayRef<uint8_t> GgufModel::data(const GgufTensor &tensor) const {
  return arrayRefFromStringRef(buffers[tensor.file]->getBuffer())
      .slice(tensor.offset, tensor.bytes);
}

void GgufModel::release(const GgufTensor &tensor, uint64_t begin,
                        uint64_t end) const {
  releasePages(*buffers[tensor.file], data(tensor), begin, end);
}

const GgufValue *GgufModel::value(StringRef key) const {
  auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : &found->second;
}

Error GgufModel::wrongKind(StringRef key, StringRef expected) const {
  const GgufValue *found = value(key);
  StringRef kind = "missing";
  if (found) {
    switch (found->kind) {
    case GgufValue::Kind::Integer:
      kind = found->isArray ? "an array of integers" : "an integer";
      break;
    case GgufValue::Kind::Number:
      kind = found->isArray ? "an array of numbers" : "a number";
      break;
    case GgufValue::Kind::Bool:
      kind = found->isArray ? "an array of booleans" : "a boolean";
      break;
    case GgufValue::Kind::String:
      kind = found->isArray ? "an array of strings" : "a string";
      break;
    }
  }
  return createStringError(path() + ": metadata '" + key + "' is " + kind +
                           ", expected " + expected);
}

Expected<std::optional<int64_t>> GgufModel::integer(StringRef key) const {
  const GgufValue *found = value(key);
  if (!found)
    return std::nullopt;
  if (!found->is(GgufValue::Kind::Integer))
    return wrongKind(key, "an integer");
  return found->integers.front();
}

Expected<std::optional<double>> GgufModel::number(StringRef key) const {
  const GgufValue *found = value(key);
  if (!found)
    return std::nullopt;
  if (found->is(GgufValue::Kind::Integer))
    return double(found->integers.front());
  if (!found->is(GgufValue::Kind::Number))
    return wrongKind(key, "a number");
  return found->numbers.front();
}

Expected<std::optional<bool>> GgufModel::boolean(StringRef key) const {
  const GgufValue *found = value(key);
  if (!found)
    return std::nullopt;
  if (!found->is(GgufValue::Kind::Bool))
    return wrongKind(key, "a boolean");
  return found->integers.front() != 0;
}

Expected<std::optional<std::string>> GgufModel::string(StringRef key) const {
  const GgufValue *found = value(key);
  if (!found)
    return std::nullopt;
  if (!found->is(GgufValue::Kind::String))
    return wrongKind(key, "a string");
  return found->strings.front().str();
}

} // namespace quartet

// The tensors of a checkpoint directory, in one file or in shards: proves that
// the index and the shards say the same, and gives access to the mapped data.
#include "compiler/import/MappedFile.h"
#include "compiler/import/Safetensors.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace llvm;

namespace quartet {
namespace {

constexpr uint64_t maxIndexBytes = 100'000'000;
constexpr unsigned maxSkippedDepth = 16;

/// A shard name comes from a file that we do not trust: it must not lead out of
/// the directory.
bool isPlainName(StringRef name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of("/\\") == StringRef::npos &&
         llvm::none_of(name, [](unsigned char c) { return c < 0x20; });
}

/// Reads weight_map; other members (metadata) are skipped.
class IndexEvents final : public JsonEvents {
public:
  std::map<std::string, std::string> shardOf;
  bool hasMap = false;

private:
  enum class Place { Document, Top, Map, Skipped };
  Place place = Place::Document;
  unsigned depth = 0; // open objects and arrays of the skipped member
  std::set<std::string> members;
  std::string name; // the latest key of Top or Map

  bool unexpected(StringRef found) override {
    if (place == Place::Skipped)
      return true;
    if (place == Place::Top && name != "weight_map")
      return true;
    if (place == Place::Map)
      return fail("tensor '" + printable(name) + "': " + found +
                  " found in weight_map, expected a file name");
    return fail(Twine(place == Place::Top ? "weight_map" : "the index") +
                " is " + found + ", expected an object");
  }
  bool skip() {
    place = Place::Skipped;
    if (++depth > maxSkippedDepth)
      return fail("member nested deeper than " + Twine(maxSkippedDepth) +
                  " levels, expected at most that");
    return true;
  }
  bool unskip() {
    if (--depth == 0)
      place = Place::Top;
    return true;
  }

  bool start_object(std::size_t) override {
    if (place == Place::Document)
      place = Place::Top;
    else if (place == Place::Top && name == "weight_map")
      place = Place::Map;
    else if (place == Place::Map)
      return unexpected("an object");
    else
      return skip();
    return true;
  }
  bool start_array(std::size_t) override {
    bool skipped = place == Place::Skipped ||
                   (place == Place::Top && name != "weight_map");
    return skipped ? skip() : unexpected("an array");
  }
  bool end_array() override { return unskip(); }
  bool end_object() override {
    if (place == Place::Skipped)
      return unskip();
    place = place == Place::Map ? Place::Top : Place::Document;
    return true;
  }
  bool key(string_t &text) override {
    if (place == Place::Skipped)
      return true;
    name = text;
    if (place == Place::Map) {
      if (shardOf.count(name))
        return fail("tensor '" + printable(name) +
                    "': found twice in weight_map, expected once");
      return true;
    }
    hasMap |= name == "weight_map";
    if (!members.insert(name).second)
      return fail("member '" + printable(name) +
                  "' found twice, expected once");
    return true;
  }
  bool string(string_t &text) override {
    if (place != Place::Map)
      return unexpected("a string");
    if (!isPlainName(text))
      return fail("tensor '" + printable(name) + "': shard '" +
                  printable(text) +
                  "' found, expected the name of a file beside the index");
    shardOf[name] = text;
    return true;
  }
};

/// Names the weight files of other kinds in \p directory, to help the user.
std::string describeOthers(StringRef directory) {
  std::set<std::string> names;
  bool shards = false, other = false;
  std::error_code code;
  for (sys::fs::directory_iterator it(directory, code), end; !code && it != end;
       it.increment(code)) {
    StringRef name = sys::path::filename(it->path());
    bool safetensors = name.ends_with(".safetensors");
    bool foreign = name.ends_with(".gguf") || name.ends_with(".bin") ||
                   name.ends_with(".pth") || name.ends_with(".pt");
    if (!safetensors && !foreign)
      continue;
    names.insert(name.str());
    shards |= safetensors && name.contains("-of-");
    other |= foreign;
  }
  if (names.empty())
    return "";
  std::string text = "; found ";
  size_t listed = 0;
  for (const std::string &name : names) {
    if (listed == 4) {
      text += " and " + std::to_string(names.size() - listed) + " more";
      break;
    }
    text += (listed++ ? ", " : "") + printable(name, 80);
  }
  if (shards)
    return text + " (shards without their index: download "
                  "model.safetensors.index.json too)";
  if (other)
    return text + " (of a directory only safetensors are read; give a .gguf "
                  "file by its own path)";
  return text;
}

} // namespace

Expected<std::map<std::string, std::string>>
parseShardIndex(StringRef text, StringRef fileName) {
  if (text.size() > maxIndexBytes)
    return createStringError(fileName + ": found " + Twine(text.size()) +
                             " bytes, expected at most " +
                             Twine(maxIndexBytes));
  IndexEvents events;
  if (!parseStrictJson(text, events))
    return createStringError(fileName + ": " + events.error);
  if (!events.hasMap || events.shardOf.empty())
    return createStringError(fileName + ": " +
                             (events.hasMap ? "empty" : "no") +
                             " weight_map found, expected tensor names with "
                             "their files");
  return std::move(events.shardOf);
}

Error Checkpoint::addFile(StringRef path) {
  Expected<std::unique_ptr<MemoryBuffer>> file = mapFile(path);
  if (!file)
    return file.takeError();
  return addBuffer(std::move(*file), path);
}

Error Checkpoint::addBuffer(std::unique_ptr<MemoryBuffer> file,
                            StringRef path) {
  Expected<SafetensorsHeader> header =
      parseSafetensors(arrayRefFromStringRef(file->getBuffer()), path);
  if (!header)
    return header.takeError();
  for (StoredTensor &tensor : header->tensors) {
    tensor.file = unsigned(files.size());
    auto [place, inserted] = byName.try_emplace(tensor.name, stored.size());
    if (!inserted)
      return createStringError(path + ": tensor '" + printable(tensor.name) +
                               "': found here and in " +
                               fileOf(stored[place->second]) +
                               ", expected in one file");
    stored.push_back(std::move(tensor));
  }
  dataStarts.push_back(header->dataStart);
  files.push_back(std::move(file));
  return Error::success();
}

Expected<Checkpoint>
Checkpoint::fromBuffer(std::unique_ptr<MemoryBuffer> file) {
  Checkpoint checkpoint;
  std::string path = file->getBufferIdentifier().str();
  if (Error error = checkpoint.addBuffer(std::move(file), path))
    return std::move(error);
  return std::move(checkpoint);
}

Expected<Checkpoint> Checkpoint::open(StringRef directory) {
  auto inDirectory = [&](StringRef name) {
    SmallString<256> path(directory);
    sys::path::append(path, name);
    return path.str().str();
  };
  if (!sys::fs::is_directory(directory))
    return createStringError(
        directory + (sys::fs::exists(directory)
                         ? ": not a directory, expected a checkpoint directory"
                         : ": no such directory"));
  Checkpoint checkpoint;
  std::string single = inDirectory("model.safetensors");
  if (sys::fs::exists(single)) {
    if (Error error = checkpoint.addFile(single))
      return std::move(error);
    return std::move(checkpoint);
  }

  std::string indexPath = inDirectory("model.safetensors.index.json");
  if (!sys::fs::exists(indexPath))
    return createStringError(
        directory +
        ": neither model.safetensors nor "
        "model.safetensors.index.json found, expected one of them" +
        describeOthers(directory));
  Expected<std::unique_ptr<MemoryBuffer>> index = mapFile(indexPath);
  if (!index)
    return index.takeError();
  Expected<std::map<std::string, std::string>> shardOf =
      parseShardIndex((*index)->getBuffer(), indexPath);
  if (!shardOf)
    return shardOf.takeError();

  std::set<std::string> shards;
  for (const auto &[tensor, shard] : *shardOf) {
    if (shards.insert(shard).second && !sys::fs::exists(inDirectory(shard)))
      return createStringError(indexPath + ": tensor '" + printable(tensor) +
                               "': its file " + printable(shard) +
                               " is missing, expected in " + directory +
                               " (is the download complete?)");
  }
  for (const std::string &shard : shards)
    if (Error error = checkpoint.addFile(inDirectory(shard)))
      return std::move(error);

  for (const auto &[name, shard] : *shardOf) {
    const StoredTensor *tensor = checkpoint.find(name);
    if (!tensor)
      return createStringError(
          inDirectory(shard) + ": tensor '" + printable(name) +
          "': not found here, expected because " + indexPath + " lists it");
    StringRef path = checkpoint.fileOf(*tensor);
    if (sys::path::filename(path) != shard)
      return createStringError(path + ": tensor '" + printable(name) +
                               "': found here, expected in " +
                               printable(shard) + " because " + indexPath +
                               " lists it there");
  }
  for (const StoredTensor &tensor : checkpoint.stored)
    if (!shardOf->count(tensor.name))
      return createStringError(
          checkpoint.fileOf(tensor) + ": tensor '" + printable(tensor.name) +
          "': found here, expected only tensors that " + indexPath + " lists");
  return std::move(checkpoint);
}

Expected<TensorTable> Checkpoint::table(bool mtp) const {
  TensorTable table;
  const StoredTensor *first = nullptr;
  size_t others = 0;
  for (const StoredTensor &tensor : stored) {
    auto dtype = StringSwitch<std::optional<Dtype>>(tensor.dtype)
                     .Case("F32", Dtype::F32)
                     .Case("F16", Dtype::F16)
                     .Case("BF16", Dtype::BF16)
                     .Default(std::nullopt);
    if (!dtype && setAsideByName(tensor.name, mtp).empty()) {
      ++others;
      first = first ? first : &tensor;
      continue;
    }
    table[tensor.name] = {dtype.value_or(Dtype::BF16), tensor.shape};
  }
  if (!first)
    return std::move(table);
  std::string more =
      others > 1 ? ", as in " + std::to_string(others - 1) + " more" : "";
  return createStringError(
      fileOf(*first) + ": tensor '" + printable(first->name) + "': type " +
      first->dtype + " found" + more +
      ", expected F32, F16 or BF16, as config.json has no quantization_config "
      "(for a quantized checkpoint, download its config.json too)");
}

const StoredTensor *Checkpoint::find(StringRef tensor) const {
  auto found = byName.find(tensor);
  return found == byName.end() ? nullptr : &stored[found->second];
}

StringRef Checkpoint::fileOf(const StoredTensor &tensor) const {
  return files[tensor.file]->getBufferIdentifier();
}

ArrayRef<uint8_t> Checkpoint::data(StringRef tensor) const {
  const StoredTensor *found = find(tensor);
  if (!found)
    return {};
  return arrayRefFromStringRef(files[found->file]->getBuffer())
      .slice(dataStarts[found->file] + found->offset, found->bytes);
}

void Checkpoint::release(StringRef tensor, uint64_t begin, uint64_t end) const {
  if (const StoredTensor *found = find(tensor))
    releasePages(*files[found->file], data(tensor), begin, end);
}

} // namespace quartet

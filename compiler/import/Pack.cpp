// Lays out and writes the weight file, which is itself a safetensors file. The
// next chunk is read and converted while the last is hashed and written.
#include "compiler/import/Pack.h"
#include "compiler/import/Progress.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include <algorithm>
#include <fcntl.h>
#include <future>
#include <numeric>
#include <sys/statvfs.h>
#include <unistd.h>

using namespace llvm;

namespace quartet {
namespace {

constexpr uint64_t alignment = 64;        // a cache line, the widest vector
constexpr uint64_t dataAlignment = 4096;  // a page: the file is mapped
constexpr uint64_t chunkBytes = 16 << 20; // two of them are in memory

std::string toHexText(const BLAKE3Result<> &digest) {
  return toHex(ArrayRef<uint8_t>(digest.data(), digest.size()),
               /*LowerCase=*/true);
}

/// Indices of the weights in the order of the file.
std::vector<size_t> fileOrder(const WeightLayout &layout) {
  std::vector<size_t> order(layout.weights.size());
  std::iota(order.begin(), order.end(), size_t(0));
  // Empty weights share the offset of their successor and come first.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const PackedWeight &x = layout.weights[a], &y = layout.weights[b];
    return std::tie(x.offset, x.bytes, a) < std::tie(y.offset, y.bytes, b);
  });
  return order;
}

/// The file's first bytes: length, JSON, spaces up to the data. The weights_id
/// is not known yet; 64 zeros stand for it.
struct FileHeader {
  std::string bytes;
  uint64_t weightsIdOffset = 0;
};

std::string jsonString(StringRef text) {
  using Json = nlohmann::json;
  return Json(text.str())
      .dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

FileHeader makeHeader(const WeightLayout &layout, StringRef modelName) {
  FileHeader header;
  std::string &text = header.bytes;
  text.assign(8, '\0');
  text += R"({"__metadata__":{"format":"quartet","quartet.weights_id":")";
  header.weightsIdOffset = text.size();
  text += std::string(64, '0') + R"(","quartet.layout_id":)" +
          jsonString(layout.layoutId) + R"(,"quartet.model":)" +
          jsonString(modelName) + "}";
  for (size_t index : fileOrder(layout)) {
    const PackedWeight &weight = layout.weights[index];
    text += "," + jsonString(weight.name) + R"(:{"dtype":")" +
            stringify(weight.dtype).str() + R"(","shape":[)" +
            join(map_range(weight.shape,
                           [](int64_t d) { return std::to_string(d); }),
                 ",") +
            R"(],"data_offsets":[)" + std::to_string(weight.offset) + "," +
            std::to_string(weight.offset + weight.bytes) + "]}";
  }
  text += "}";
  text.resize(alignTo(text.size(), dataAlignment), ' ');
  support::endian::write64le(text.data(), text.size() - 8);
  return header;
}

/// The file under its temporary name. Unless kept, it is removed when this goes
/// out of scope or when a signal ends the process.
class OutputFile {
public:
  explicit OutputFile(StringRef path)
      : path(path.str()),
        temporary(
            (path + ".tmp-" + Twine(sys::Process::getProcessId())).str()) {}
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  ~OutputFile() {
    if (descriptor >= 0)
      ::close(descriptor);
    if (!created)
      return;
    ::unlink(temporary.c_str());
    sys::DontRemoveFileOnSignal(temporary);
  }

  Error create() {
    // A process of the same number may have died and left one.
    ::unlink(temporary.c_str());
    descriptor = ::open(temporary.c_str(),
                        O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor < 0)
      return systemError(temporary + ": cannot create the file");
    created = true;
    sys::RemoveFileOnSignal(temporary);
    return Error::success();
  }

  Error write(ArrayRef<uint8_t> bytes, uint64_t offset) {
    while (!bytes.empty()) {
      ssize_t count =
          ::pwrite(descriptor, bytes.data(), bytes.size(), off_t(offset));
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return systemError(path + ": cannot write at byte " +
                           std::to_string(offset));
      bytes = bytes.drop_front(size_t(count));
      offset += uint64_t(count);
    }
    return Error::success();
  }

  /// Gives the finished file its name. Syncs first, so that neither a late
  /// write error nor a power cut leaves a bad file under that name.
  Error keep() {
    if (::fsync(descriptor) != 0)
      return systemError(path + ": cannot write the data to disk");
    int closed = ::close(descriptor);
    descriptor = -1;
    if (closed != 0)
      return systemError(path + ": cannot close the file");
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      return systemError(path + ": cannot rename " + temporary + " to it");
    created = false;
    sys::DontRemoveFileOnSignal(temporary);
    return Error::success();
  }

private:
  std::string path, temporary;
  int descriptor = -1;
  bool created = false;

  static Error systemError(const std::string &what) {
    std::error_code code(errno, std::generic_category());
    return createStringError(code, what + ": " + code.message());
  }
};

/// A target that cannot be replaced, or a full disk, is better found before
/// gigabytes are read.
Error checkTarget(StringRef path, uint64_t bytes) {
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path))
    return createStringError(path + ": exists and is not a regular file, "
                                    "expected a file or nothing");
  SmallString<256> directory(path);
  sys::path::remove_filename(directory);
  if (directory.empty())
    directory = ".";
  struct statvfs disk;
  if (::statvfs(directory.c_str(), &disk) != 0) {
    std::error_code code(errno, std::generic_category());
    return createStringError(code, path + ": cannot use the directory " +
                                       directory + ": " + code.message());
  }
  uint64_t free = SaturatingMultiply<uint64_t>(disk.f_bavail, disk.f_frsize);
  if (free < bytes)
    return createStringError(path + ": " + formatBytes(bytes) + " needed, " +
                             formatBytes(free) + " available in " + directory +
                             " (free some space or write to another disk)");
  return Error::success();
}

struct Chunk {
  const Weight *weight;
  int64_t begin; // element
  uint64_t bytes;
};

std::vector<Chunk> makeChunks(const WeightPlan &plan,
                              const WeightLayout &layout) {
  std::vector<Chunk> chunks;
  for (size_t index : fileOrder(layout)) {
    const Weight &weight = plan.weights[index];
    uint64_t size = uint64_t(byteSize(weight.dtype));
    uint64_t bytes = layout.weights[index].bytes;
    for (uint64_t done = 0; done < bytes; done += chunkBytes)
      chunks.push_back(
          {&weight, int64_t(done / size), std::min(chunkBytes, bytes - done)});
  }
  return chunks;
}

/// Fills \p buffer on another thread.
std::future<Error> startRead(WeightSource &source, const Chunk &chunk,
                             std::vector<uint8_t> &buffer) {
  buffer.resize(chunk.bytes);
  return std::async(std::launch::async, [&source, &chunk, &buffer] {
    return source.read(*chunk.weight, chunk.begin, buffer);
  });
}

} // namespace

WeightLayout layoutWeights(const WeightPlan &plan) {
  WeightLayout layout;
  for (const Weight &weight : plan.weights) {
    uint64_t bytes = uint64_t(byteSize(weight.dtype));
    for (int64_t dimension : weight.shape)
      bytes = SaturatingMultiply(bytes, uint64_t(dimension));
    layout.weights.push_back(
        {weight.name, weight.dtype, weight.shape, /*offset=*/0, bytes});
  }
  // Without gaps, a weight starts where the sizes before it end. With the sizes
  // that 64 divides first, then those that 32 divides, and so on, every weight
  // is aligned as far as its own size allows, so at least to its element.
  auto evenness = [&](size_t index) {
    return MinAlign(layout.weights[index].bytes, alignment);
  };
  std::vector<size_t> order(layout.weights.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    uint64_t x = evenness(a), y = evenness(b);
    return x != y ? x > y : a < b;
  });
  // The order of the file is hashed, since offsets follow from it.
  BLAKE3 hash;
  for (size_t index : order) {
    PackedWeight &weight = layout.weights[index];
    weight.offset = layout.dataBytes;
    layout.dataBytes = SaturatingAdd(layout.dataBytes, weight.bytes);
    std::string line = weight.name + " " + stringify(weight.dtype).str();
    for (int64_t dimension : weight.shape)
      line += " " + std::to_string(dimension);
    hash.update(line + "\n");
  }
  layout.layoutId = toHexText(hash.final());
  return layout;
}

Expected<std::string> writeWeights(const WeightPlan &plan,
                                   const WeightLayout &layout,
                                   WeightSource &source, StringRef path,
                                   const PackOptions &options) {
  assert(plan.weights.size() == layout.weights.size() &&
         "the layout is of another plan");
  FileHeader header = makeHeader(layout, options.modelName);
  if (Error error = checkTarget(
          path, SaturatingAdd(layout.dataBytes, header.bytes.size())))
    return std::move(error);
  OutputFile file(path);
  if (Error error = file.create())
    return std::move(error);
  if (Error error = file.write(arrayRefFromStringRef(header.bytes), 0))
    return std::move(error);

  std::vector<Chunk> chunks = makeChunks(plan, layout);
  std::vector<uint8_t> buffers[2];
  Progress progress("packing", layout.dataBytes, options.progress);
  BLAKE3 hash;
  uint64_t done = 0;
  std::future<Error> reading;
  if (!chunks.empty())
    reading = startRead(source, chunks[0], buffers[0]);
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (Error error = reading.get())
      return std::move(error);
    if (i + 1 < chunks.size())
      reading = startRead(source, chunks[i + 1], buffers[(i + 1) % 2]);
    const std::vector<uint8_t> &buffer = buffers[i % 2];
    hash.update(buffer);
    if (Error error = file.write(buffer, header.bytes.size() + done)) {
      // The reader uses a buffer of this frame: wait; its error comes second.
      if (reading.valid())
        consumeError(reading.get());
      return std::move(error);
    }
    done += buffer.size();
    progress.update(done);
  }

  std::string weightsId = toHexText(hash.final());
  if (Error error =
          file.write(arrayRefFromStringRef(weightsId), header.weightsIdOffset))
    return std::move(error);
  if (Error error = file.keep())
    return std::move(error);
  return weightsId;
}

} // namespace quartet

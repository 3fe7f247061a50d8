// Opens and checks the weight file. Layout of safetensors: 8 bytes header
// length (little endian), a JSON header, then the data that header offsets
// count from.
#include "runtime/src/engine/WeightFile.h"
#include "runtime/src/engine/Json.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quartet::rt {

namespace {
/// The safetensors format's own limit.
constexpr uint64_t maxHeader = 100'000'000;
constexpr const char *embeddedName = "the embedded weights";

std::string quote(const std::string &text) { return "'" + text + "'"; }

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i != shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string idText(const std::string &id) {
  return id.empty() ? "no id" : id.size() <= 80 ? id : id.substr(0, 77) + "...";
}

/// Says what differs between a tensor of the header and the manifest's, or
/// returns an empty string when it is the tensor that we expect.
std::string whyNotTensor(const Json &found, const WeightInfo &expected) {
  std::string dtype;
  if (!getString(found, "dtype", dtype) || dtype != expected.dtype)
    return "dtype is " + describe(find(found, "dtype")) + ", expected \"" +
           expected.dtype + "\"";
  const Json *shape = find(found, "shape");
  bool same =
      shape && shape->is_array() && shape->size() == expected.shape.size();
  for (size_t i = 0; same && i != expected.shape.size(); ++i) {
    int64_t extent = 0;
    same = getCount((*shape)[i], extent) && extent == expected.shape[i];
  }
  if (!same)
    return "shape is " + describe(shape) + ", expected " +
           shapeText(expected.shape);
  const Json *place = find(found, "data_offsets");
  int64_t begin = 0, end = 0;
  if (!place || !place->is_array() || place->size() != 2 ||
      !getCount((*place)[0], begin) || !getCount((*place)[1], end) ||
      uint64_t(begin) != expected.offset ||
      uint64_t(end) != expected.offset + expected.bytes)
    return "data_offsets is " + describe(place) + ", expected [" +
           std::to_string(expected.offset) + "," +
           std::to_string(expected.offset + expected.bytes) + "]";
  return "";
}

/// Checks that the file is the one the executable was compiled with.
std::string whyNotOurs(const Json &header, const Manifest &manifest,
                       const std::string &file, const std::string &executable) {
  const Json *metadata = find(header, "__metadata__");
  bool byLayout = manifest.weightsId.empty();
  const char *key = byLayout ? "quartet.layout_id" : "quartet.weights_id";
  const std::string &expected =
      byLayout ? manifest.layoutId : manifest.weightsId;
  std::string found;
  if (metadata)
    getString(*metadata, key, found);
  if (found == expected && !expected.empty())
    return "";
  return "weight file " + file + " does not belong to executable " +
         quote(executable) + ": its " + key + " is " + idText(found) +
         ", expected " + idText(expected) +
         "; pass the weight file that was written with the executable "
         "(--weights FILE), or compile the model again";
}
} // namespace

std::string executablePath(const char *argv0) {
  std::string path(4096, '\0');
  ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0 || size_t(length) == path.size())
    return argv0 ? argv0 : "";
  path.resize(size_t(length));
  return path;
}

std::string weightPath(const Manifest &manifest, const std::string &option,
                       const std::string &executable) {
  if (!option.empty())
    return option;
  size_t slash = executable.rfind('/');
  return slash == std::string::npos
             ? manifest.weightsFile
             : executable.substr(0, slash + 1) + manifest.weightsFile;
}

bool WeightFile::check(const std::string &file, const Manifest &manifest,
                       const std::string &executable, std::string *error) {
  auto fail = [&](const std::string &message) {
    if (error)
      *error = message;
    return false;
  };
  uint64_t length = 0;
  if (size < 8)
    return fail("weight file " + file + " has " + std::to_string(size) +
                " bytes, too few for a safetensors header");
  for (int i = 7; i >= 0; --i)
    length = length << 8 | data[i];
  if (length > maxHeader || length > size - 8)
    return fail("weight file " + file + " is no safetensors file: header of " +
                std::to_string(length) + " bytes in a file of " +
                std::to_string(size));
  const char *text = reinterpret_cast<const char *>(data + 8);
  Json header = Json::parse(text, text + length, nullptr,
                            /*allow_exceptions=*/false);
  if (!header.is_object())
    return fail("weight file " + file +
                " is no safetensors file: its header is not a JSON object");
  std::string problem = whyNotOurs(header, manifest, file, executable);
  if (!problem.empty())
    return fail(problem);

  uint64_t dataStart = 8 + length, dataBytes = size - dataStart;
  if (dataBytes != manifest.weightsBytes)
    return fail(
        "weight file " + file + " is damaged: " + std::to_string(dataBytes) +
        " bytes of data, expected " + std::to_string(manifest.weightsBytes) +
        "; copy it again or compile the model again");
  for (const WeightInfo &weight : manifest.weights) {
    const Json *found = find(header, weight.name.c_str());
    if (!found)
      return fail("weight file " + file + ": tensor " + quote(weight.name) +
                  " is missing");
    problem = whyNotTensor(*found, weight);
    if (!problem.empty())
      return fail("weight file " + file + ": tensor " + quote(weight.name) +
                  ": " + problem);
    const uint8_t *base = data + dataStart + weight.offset;
    int64_t element = elementBytes(weight.dtype);
    if (reinterpret_cast<uintptr_t>(base) % uintptr_t(element) != 0)
      return fail("weight file " + file + ": tensor " + quote(weight.name) +
                  " starts at byte " +
                  std::to_string(dataStart + weight.offset) +
                  ", expected a multiple of " + std::to_string(element));
    bases.push_back(const_cast<uint8_t *>(base));
  }
  size_t known = manifest.weights.size() + header.count("__metadata__");
  if (header.size() != known)
    return fail("weight file " + file + " has " +
                std::to_string(header.size() - header.count("__metadata__")) +
                " tensors, expected " +
                std::to_string(manifest.weights.size()));
  return true;
}

std::unique_ptr<WeightFile> WeightFile::open(const std::string &path,
                                             const Manifest &manifest,
                                             const std::string &executable,
                                             std::string *error) {
  auto fail = [&](const std::string &message) {
    if (error)
      *error = message;
    return nullptr;
  };
  // O_NONBLOCK: a pipe without a writer is refused below and not waited for.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail("cannot open weight file " + quote(path) + ": " +
                strerror(errno) +
                "; put the weight file beside the executable or name it with "
                "--weights FILE");
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return fail("weight file " + quote(path) + " is not a regular file");
  }
  if (info.st_size < 8) {
    close(fd);
    return fail("weight file " + quote(path) + " has " +
                std::to_string(info.st_size) +
                " bytes, too few for a safetensors header");
  }
  void *memory =
      mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_SHARED, fd, 0);
  int mapError = errno;
  close(fd);
  if (memory == MAP_FAILED)
    return fail("cannot map weight file " + quote(path) + " (" +
                std::to_string(info.st_size) +
                " bytes): " + strerror(mapError));
  std::unique_ptr<WeightFile> file(new WeightFile);
  file->data = static_cast<const uint8_t *>(memory);
  file->size = uint64_t(info.st_size);
  file->mapped = true;
  if (!file->check(quote(path), manifest, executable, error))
    return nullptr;
  return file;
}

std::unique_ptr<WeightFile>
WeightFile::fromMemory(const void *data, uint64_t size,
                       const Manifest &manifest, const std::string &executable,
                       std::string *error) {
  std::unique_ptr<WeightFile> file(new WeightFile);
  file->data = static_cast<const uint8_t *>(data);
  file->size = data ? size : 0;
  if (!file->check(embeddedName, manifest, executable, error))
    return nullptr;
  return file;
}

WeightFile::~WeightFile() {
  if (mapped)
    munmap(const_cast<uint8_t *>(data), size);
}

} // namespace quartet::rt

// Builds GGUF files for the tests, good ones and broken ones.
#ifndef QUARTET_TEST_COMPILER_IMPORT_GGUF_GGUFTESTING_H
#define QUARTET_TEST_COMPILER_IMPORT_GGUF_GGUFTESTING_H
#include "../ImportTesting.h"
#include <cstring>
#include <vector>

namespace quartet::testing {

/// Bytes of an integer or a float, little-endian.
template <typename T> std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string text(llvm::StringRef value) {
  return raw<uint64_t>(value.size()) + value.str();
}

/// Entries and tensors in order; bytes() puts them together.
struct GgufBuilder {
  struct Tensor {
    std::string name;
    std::vector<uint64_t> dims; ///< fastest first, as in the file
    uint32_t type;
    std::string data;
    std::optional<uint64_t> offset = {}; ///< another than the right one
  };
  uint32_t version = 3;
  std::vector<std::string> entries;
  std::vector<Tensor> tensors;
  uint64_t alignment = 32;

  void entry(llvm::StringRef key, uint32_t type, const std::string &value) {
    entries.push_back(text(key) + raw(type) + value);
  }
  void set(llvm::StringRef key, uint32_t value) { entry(key, 4, raw(value)); }
  void set(llvm::StringRef key, float value) { entry(key, 6, raw(value)); }
  void set(llvm::StringRef key, const char *value) {
    entry(key, 8, text(value));
  }
  void strings(llvm::StringRef key, const std::vector<std::string> &values) {
    std::string bytes = raw<uint32_t>(8) + raw<uint64_t>(values.size());
    for (const std::string &value : values)
      bytes += text(value);
    entry(key, 9, bytes);
  }
  void integers(llvm::StringRef key, const std::vector<int32_t> &values) {
    std::string bytes = raw<uint32_t>(5) + raw<uint64_t>(values.size());
    for (int32_t value : values)
      bytes += raw(value);
    entry(key, 9, bytes);
  }
  void floats(llvm::StringRef name, std::vector<uint64_t> dims,
              const std::vector<float> &values) {
    std::string data;
    for (float value : values)
      data += raw(value);
    tensors.push_back({name.str(), std::move(dims), 0, std::move(data)});
  }

  std::string bytes() const {
    std::string file = "GGUF" + raw(version) + raw<uint64_t>(tensors.size()) +
                       raw<uint64_t>(entries.size());
    for (const std::string &entry : entries)
      file += entry;
    uint64_t offset = 0;
    std::string data;
    auto pad = [&](std::string &part) {
      part.resize((part.size() + alignment - 1) / alignment * alignment);
    };
    for (const Tensor &tensor : tensors) {
      file += text(tensor.name) + raw(uint32_t(tensor.dims.size()));
      for (uint64_t extent : tensor.dims)
        file += raw(extent);
      file += raw(tensor.type) + raw(tensor.offset.value_or(offset));
      data += tensor.data;
      pad(data);
      offset = data.size();
    }
    pad(file);
    return file + data;
  }
};

} // namespace quartet::testing
#endif

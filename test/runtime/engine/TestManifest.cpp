// The manifest and the weight file that the runtime's tests start from.
#include "TestManifest.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace quartet::rt::test {

nlohmann::ordered_json manifestJson() {
  return nlohmann::ordered_json::parse(R"({
    "abi": 6, "quartet": "0.1.0", "name": "test",
    "target": {"triple": "x86_64-unknown-linux-gnu", "cpu": "x86-64-v3"},
    "model": {"family": "qwen3_5_moe", "layers": 8, "blocks": 2, "hidden": 8,
              "vocab": 16, "token_limit": 12, "max_positions": 300,
              "experts": {"count": 4, "per_token": 2}},
    "dtype": "bf16", "kv_dtype": "f32", "quantization": "bf16",
    "buckets": ["any"], "page_tokens": 64,
    "weights_id": "aaaa", "layout_id": "bbbb",
    "weights_file": "test.safetensors", "weights_bytes": 28,
    "weights": [
      {"name": "b", "dtype": "F32", "shape": [4], "offset": 0, "bytes": 16},
      {"name": "a", "dtype": "BF16", "shape": [2, 3], "offset": 16, "bytes": 12}],
    "states": [{"name": "conv", "dtype": "F32", "shape": [2, "slots", 3]},
               {"name": "delta", "dtype": "F32", "shape": ["slots", 5]},
               {"name": "key", "dtype": "F32", "shape": [2, "pages", 64]}],
    "generation": {"do_sample": true, "temperature": 0.5, "top_k": 20,
                   "top_p": 0.95, "min_p": 0.0, "repetition_penalty": 1.0,
                   "presence_penalty": 0.0, "stop_ids": [11]}})");
}

Manifest parse(const nlohmann::ordered_json &json) {
  std::string error;
  std::optional<Manifest> manifest = parseManifest(json.dump(), &error);
  EXPECT_TRUE(manifest) << error;
  return manifest.value_or(Manifest());
}

nlohmann::ordered_json weightHeader() {
  return nlohmann::ordered_json::parse(R"({
    "__metadata__": {"quartet.weights_id": "aaaa", "quartet.layout_id": "bbbb"},
    "b": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [16, 28]}})");
}

std::string weightImage(const nlohmann::ordered_json &header,
                        size_t dataBytes) {
  std::string text = header.dump();
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  std::string image;
  for (int i = 0; i != 8; ++i)
    image += char(text.size() >> (8 * i) & 0xff);
  image += text;
  for (size_t i = 0; i != dataBytes; ++i)
    image += char(i);
  return image;
}

TempDir::TempDir() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "quartet-test-XXXXXX").string();
  path = mkdtemp(pattern.data());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::string TempDir::write(const std::string &name,
                           const std::string &content) const {
  std::ofstream(path + "/" + name, std::ios::binary) << content;
  return path + "/" + name;
}

std::string TempDir::read(const std::string &path) {
  std::stringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

} // namespace quartet::rt::test

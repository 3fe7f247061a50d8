// A small valid manifest and weight file for tests, which change what they
// test.
#ifndef QUARTET_TEST_RUNTIME_TESTMANIFEST_H
#define QUARTET_TEST_RUNTIME_TESTMANIFEST_H
#include "quartet/abi.h"
#include "runtime/src/engine/Manifest.h"
#include <nlohmann/json.hpp>

namespace quartet::rt::test {

/// Vocabulary 16 (12 tokens), 300 positions, weights "a" BF16 [2,3] and "b" F32
/// [4], states "conv" [2, slots, 3], "delta" [slots, 5] and "key" [2, pages,
/// 64].
nlohmann::ordered_json manifestJson();

/// A program that needs no features, with \p buckets; by default one that runs
/// any step with \p run in one thread.
struct TestProgram {
  explicit TestProgram(decltype(quartet_bucket::run) run)
      : TestProgram(std::vector<quartet_bucket>{
            {INT64_MAX, INT64_MAX, 0, 0, 0, 0, 0, run, nullptr, 0}}) {}
  explicit TestProgram(std::vector<quartet_bucket> list)
      : buckets(std::move(list)), program{
                                      "test",         "",
                                      buckets.data(), int64_t(buckets.size()),
                                      nullptr,        0,
                                      nullptr} {}
  TestProgram(const TestProgram &) = delete;
  TestProgram &operator=(const TestProgram &) = delete;

  std::vector<quartet_bucket> buckets;
  quartet_program program;
};

/// The parsed manifest; a failure of the test when it is not valid.
Manifest parse(const nlohmann::ordered_json &json);

/// The header that the weight file of manifestJson() has.
nlohmann::ordered_json weightHeader();

/// A safetensors file: \p header, padded to 64 bytes, and \p dataBytes bytes
/// that count up.
std::string weightImage(const nlohmann::ordered_json &header,
                        size_t dataBytes = 28);

/// A fresh folder under the system's temporary one, removed at the end.
struct TempDir {
  TempDir();
  ~TempDir();
  std::string write(const std::string &name, const std::string &content) const;
  static std::string read(const std::string &path);
  std::string path;
};

} // namespace quartet::rt::test
#endif

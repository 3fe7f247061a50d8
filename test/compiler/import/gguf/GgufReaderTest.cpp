// The header parser: what a good file gives, and one bad file per rule, whose
// message must name the file, the part, what was found and what was expected.
#include "compiler/import/gguf/GgufReader.h"
#include "GgufTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

std::string problemOf(const std::string &bytes) {
  std::string found =
      message(parseGguf(arrayRefFromStringRef(bytes), "m.gguf"));
  StringRef rest = found;
  EXPECT_TRUE(rest.consume_front("m.gguf: ")) << found;
  return rest.str();
}

/// A file with two tensors.
GgufBuilder twoTensors() {
  GgufBuilder file;
  file.set("general.architecture", "qwen35");
  file.tensors.push_back({"a", {2, 3}, 0, std::string(24, 'x')});
  file.tensors.push_back({"b", {32, 2}, 8, std::string(68, 'x')});
  return file;
}

TEST(GgufReader, ReadsEntriesAndTensors) {
  GgufBuilder file = twoTensors();
  file.set("count", 7u);
  file.set("eps", 0.5f);
  file.entry("flag", 7, raw<uint8_t>(1));
  file.entry("small", 1, raw<int8_t>(-3));
  file.entry("wide", 10, raw<uint64_t>(UINT64_MAX));
  file.strings("words", {"x", "", "yz"});
  file.integers("none", {});
  std::string bytes = file.bytes();
  auto header = parseGguf(arrayRefFromStringRef(bytes), "m.gguf");
  ASSERT_TRUE(bool(header)) << message(std::move(header));
  auto &values = header->metadata;
  EXPECT_EQ(values.at("general.architecture").strings[0], "qwen35");
  EXPECT_EQ(values.at("count").integers[0], 7);
  EXPECT_EQ(values.at("eps").numbers[0], 0.5);
  EXPECT_TRUE(values.at("flag").is(GgufValue::Kind::Bool));
  EXPECT_EQ(values.at("small").integers[0], -3);
  EXPECT_EQ(values.at("wide").integers[0], INT64_MAX);
  EXPECT_TRUE(values.at("words").isArrayOf(GgufValue::Kind::String));
  EXPECT_EQ(values.at("words").strings[2], "yz");
  EXPECT_TRUE(values.at("none").isArrayOf(GgufValue::Kind::Integer));
  ASSERT_EQ(header->tensors.size(), 2u);
  const GgufTensor &b = header->tensors[1];
  EXPECT_EQ(b.shape, (std::vector<int64_t>{2, 32})); // slowest first
  EXPECT_EQ(b.bytes, 68u);
  EXPECT_EQ(b.offset, header->dataStart + 32);
}

TEST(GgufReader, ReadsVersion2AndOtherAlignments) {
  GgufBuilder file = twoTensors();
  file.version = 2;
  file.set("general.alignment", 64u);
  file.alignment = 64;
  std::string bytes = file.bytes();
  auto header = parseGguf(arrayRefFromStringRef(bytes), "m.gguf");
  ASSERT_TRUE(bool(header)) << message(std::move(header));
  EXPECT_EQ(header->tensors[1].offset, header->dataStart + 64);
}

TEST(GgufReader, RejectsEveryTruncation) {
  std::string bytes = twoTensors().bytes();
  for (size_t size = 0; size < bytes.size() - 28; ++size)
    EXPECT_NE(problemOf(bytes.substr(0, size)), "success") << size;
}

TEST(GgufReader, RejectsOtherFiles) {
  EXPECT_TRUE(contains(problemOf("GGML...."), "starts with 'GGML', expected"));
  EXPECT_TRUE(contains(problemOf("version https://git-lfs.github.com/spec/v1"),
                       "Git LFS pointer"));
  GgufBuilder file;
  file.version = 1;
  EXPECT_TRUE(contains(problemOf(file.bytes()), "version 1 found, expected 2"));
  file.version = 0x03000000;
  EXPECT_TRUE(contains(problemOf(file.bytes()), "big-endian"));
}

TEST(GgufReader, RejectsCountsAndLengthsBeyondTheFile) {
  std::string bytes = twoTensors().bytes();
  std::string broken = bytes;
  broken.replace(8, 8, raw<uint64_t>(uint64_t(1) << 60));
  EXPECT_TRUE(contains(problemOf(broken), "tensors found, expected at most"));
  broken = bytes;
  broken.replace(16, 8, raw<uint64_t>(UINT64_MAX));
  EXPECT_TRUE(contains(problemOf(broken), "metadata entries found"));
  broken = bytes;
  broken.replace(24, 8, raw<uint64_t>(UINT64_MAX));
  EXPECT_TRUE(contains(problemOf(broken), "a metadata key has a length of"));
  GgufBuilder file;
  file.entry("list", 9, raw<uint32_t>(4) + raw<uint64_t>(1u << 30));
  EXPECT_TRUE(contains(problemOf(file.bytes()),
                       "metadata 'list' has 1073741824 elements"));
}

TEST(GgufReader, RejectsBadEntries) {
  GgufBuilder file;
  file.set("", 1u);
  EXPECT_TRUE(contains(problemOf(file.bytes()), "key of 0 bytes"));
  file = {};
  file.set("twice", 1u);
  file.set("twice", 1u);
  EXPECT_TRUE(contains(problemOf(file.bytes()), "'twice' found twice"));
  file = {};
  file.entry("odd", 13, raw<uint64_t>(0));
  EXPECT_TRUE(contains(problemOf(file.bytes()), "value type 13"));
  file = {};
  file.entry("deep", 9, raw<uint32_t>(9) + raw<uint64_t>(1) + raw<uint64_t>(0));
  EXPECT_TRUE(contains(problemOf(file.bytes()), "an array of arrays"));
  file = {};
  file.entry("flag", 7, raw<uint8_t>(2) + std::string(8, '\0'));
  EXPECT_TRUE(contains(problemOf(file.bytes()), "a boolean of value 2"));
}

TEST(GgufReader, RejectsBadAlignment) {
  for (uint32_t alignment : {0u, 3u, 1u << 21}) {
    GgufBuilder file;
    file.set("general.alignment", alignment);
    EXPECT_TRUE(contains(problemOf(file.bytes()),
                         "expected a power of two up to 1048576"));
  }
  GgufBuilder file;
  file.set("general.alignment", "32");
  EXPECT_TRUE(contains(problemOf(file.bytes()), "is not an integer"));
}

/// The problem of a file whose second tensor was changed.
template <typename F> std::string changed(F change) {
  GgufBuilder file = twoTensors();
  change(file.tensors[1]);
  return problemOf(file.bytes());
}
using Tensor = GgufBuilder::Tensor;

TEST(GgufReader, RejectsBadTensors) {
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.name = "a"; }),
                       "tensor 'a': found twice"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.name = ""; }),
                       "a tensor name of 0 bytes"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.dims = {}; }),
                       "'b': 0 dimensions found, expected 1 to 4"));
  EXPECT_TRUE(contains(changed([](Tensor &t) {
                         t.dims = {1, 1, 1, 1, 1};
                       }),
                       "5 dimensions"));
  EXPECT_TRUE(contains(changed([](Tensor &t) {
                         t.dims = {32, 0};
                       }),
                       "dimension 0 found"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.dims[1] = UINT64_MAX; }),
                       "dimension 18446744073709551615 found"));
  EXPECT_TRUE(
      contains(changed([](Tensor &t) {
                 t.dims = {uint64_t(1) << 40, uint64_t(1) << 40};
               }),
               "size of shape [1099511627776, 1099511627776] overflows"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.type = 16; }),
                       "tensor 'b': type IQ2_XXS found, expected one of F32"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.type = 999; }),
                       "tensor 'b': type 999 found"));
  EXPECT_TRUE(contains(changed([](Tensor &t) {
                         t.dims = {33, 2};
                       }),
                       "rows of 33 elements found, expected a multiple of 32"));
}

TEST(GgufReader, RejectsBadOffsets) {
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.offset = 33; }),
                       "offset 33 found, expected a multiple of 32"));
  EXPECT_TRUE(
      contains(changed([](Tensor &t) { t.offset = 0; }), "overlaps tensor"));
  EXPECT_TRUE(contains(changed([](Tensor &t) {
                         t.dims = {32, 1};
                         t.offset = 64;
                       }),
                       "expected 32: bytes before it belong to no tensor"));
  EXPECT_TRUE(contains(changed([](Tensor &t) { t.offset = 1 << 20; }),
                       "where the file ends"));
  EXPECT_TRUE(
      contains(changed([](Tensor &t) { t.offset = UINT64_MAX / 32 * 32; }),
               "where the file ends"));
  EXPECT_TRUE(contains(problemOf(twoTensors().bytes() + std::string(32, 'x')),
                       "bytes after the last tensor"));
}

} // namespace

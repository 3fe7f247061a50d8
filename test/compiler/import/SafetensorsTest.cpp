// The header parser: what a good file gives, and one bad file per rule, whose
// message must name the file, the tensor, what was found and what was expected.
#include "compiler/import/Safetensors.h"
#include "ImportTesting.h"

using namespace llvm;
using namespace quartet;
using namespace quartet::testing;

namespace {

Expected<SafetensorsHeader> parse(StringRef bytes) {
  return parseSafetensors(arrayRefFromStringRef(bytes), "w.safetensors");
}

/// The message for a file of \p header and \p dataBytes of data.
std::string problem(StringRef header, size_t dataBytes = 0) {
  std::string text =
      message(parse(safetensors(header, std::string(dataBytes, 'x'))));
  StringRef rest = text;
  EXPECT_TRUE(rest.consume_front("w.safetensors: ")) << text;
  return rest.str();
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  std::string file = safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[6,10]},)"
      R"("a":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]},)"
      R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[6,6]}}   )",
      "0123456789");
  Expected<SafetensorsHeader> header = parse(file);
  ASSERT_TRUE(bool(header)) << message(std::move(header));
  EXPECT_EQ(header->dataStart, file.size() - 10);
  EXPECT_EQ(header->metadata.at("format"), "pt");
  ASSERT_EQ(header->tensors.size(), 3u);
  EXPECT_EQ(header->tensors[0].name, "a"); // in the order of the data
  EXPECT_EQ(header->tensors[0].dtype, "BF16");
  EXPECT_EQ(header->tensors[0].shape, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(header->tensors[1].name, "none");
  EXPECT_EQ(header->tensors[2].name, "b");
  EXPECT_EQ(header->tensors[2].offset, 6u);
  EXPECT_EQ(header->tensors[2].bytes, 4u);
  EXPECT_TRUE(header->tensors[2].shape.empty());
}

TEST(Safetensors, ReadsAFileWithoutTensors) {
  Expected<SafetensorsHeader> header = parse(safetensors("{}", ""));
  ASSERT_TRUE(bool(header)) << message(std::move(header));
  EXPECT_TRUE(header->tensors.empty());
}

TEST(Safetensors, KnowsTheSizeOfEachType) {
  const std::pair<const char *, int> bits[] = {
      {"BOOL", 8},        {"U8", 8},         {"I8", 8},      {"F8_E4M3", 8},
      {"F8_E5M2", 8},     {"F8_E8M0", 8},    {"I16", 16},    {"U16", 16},
      {"F16", 16},        {"BF16", 16},      {"I32", 32},    {"U32", 32},
      {"F32", 32},        {"I64", 64},       {"U64", 64},    {"F64", 64},
      {"C64", 64},        {"F4", 4},         {"F6_E2M3", 6}, {"F6_E3M2", 6},
      {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
  for (auto [dtype, size] : bits) {
    std::string header = R"({"t":{"dtype":")" + std::string(dtype) +
                         R"(","shape":[8],"data_offsets":[0,)" +
                         std::to_string(size) + "]}}";
    EXPECT_EQ(message(parse(safetensors(header, std::string(size, 'x')))),
              "success")
        << dtype;
  }
}

TEST(Safetensors, RejectsEmptyAndShortFiles) {
  EXPECT_TRUE(contains(message(parse("")), "w.safetensors: found 0 bytes"));
  EXPECT_TRUE(contains(message(parse("1234567")), "found 7 bytes"));
}

TEST(Safetensors, RejectsALengthBeyondTheFile) {
  std::string file = safetensors("{}", "");
  file[0] = 3;
  EXPECT_TRUE(contains(message(parse(file)),
                       "header length 3 found, expected at most 2"));
}

TEST(Safetensors, RejectsAHugeLength) {
  std::string file = safetensors("{}", "");
  support::endian::write64le(file.data(), 100'000'001);
  EXPECT_TRUE(
      contains(message(parse(file)),
               "header length 100000001 found, expected at most 100000000"));
  support::endian::write64le(file.data(), UINT64_MAX);
  EXPECT_TRUE(contains(message(parse(file)), "18446744073709551615 found"));
}

TEST(Safetensors, RejectsAGitLfsPointer) {
  EXPECT_TRUE(contains(message(parse("version https://git-lfs.github.com/spec/"
                                     "v1\noid sha256:00\nsize 1\n")),
                       "git lfs pull"));
}

TEST(Safetensors, RejectsAHeaderThatIsNoObject) {
  EXPECT_TRUE(contains(problem("[1]"), "starts with '[1]', expected '{'"));
  EXPECT_TRUE(contains(problem(""), "expected '{'"));
}

TEST(Safetensors, RejectsBadJson) {
  EXPECT_TRUE(contains(problem("{"), "invalid JSON at byte"));
  EXPECT_TRUE(contains(problem("{} x"), "invalid JSON at byte"));
  EXPECT_TRUE(contains(problem("{}{}"), "invalid JSON at byte"));
  EXPECT_TRUE(contains(problem("{\"a\":1,}"), "expected an object"));
  EXPECT_TRUE(contains(problem("{/**/}"), "invalid JSON at byte"));
}

TEST(Safetensors, RejectsNulAfterTheHeader) {
  EXPECT_TRUE(contains(problem(StringRef("{}\0{", 4)), "NUL byte at byte 2"));
}

TEST(Safetensors, RejectsStringsThatAreNotUtf8) {
  EXPECT_TRUE(
      contains(problem("{\"__metadata__\":{\"a\":\"\xff\"}}"), "invalid JSON"));
  EXPECT_TRUE(contains(problem("{\"\xc0\x80\":{}}"), "invalid JSON"));
}

TEST(Safetensors, EscapesNamesInMessages) {
  std::string text = problem("{\"a\\u001b[2J\\u009b\":null}");
  EXPECT_TRUE(contains(text, "tensor 'a\\x1b[2J\\xc2\\x9b'"));
  EXPECT_LT(problem("{\"" + std::string(10000, 'n') + "\":null}").size(), 400u);
}

TEST(Safetensors, RejectsADuplicateTensor) {
  EXPECT_EQ(problem(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                    R"("t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                    1),
            "tensor 't': found twice in the header, expected once");
}

TEST(Safetensors, RejectsADuplicateField) {
  EXPECT_EQ(problem(R"({"t":{"dtype":"U8","dtype":"U8"}})"),
            "tensor 't': field 'dtype' found twice, expected once");
}

TEST(Safetensors, RejectsADuplicateMetadataKey) {
  EXPECT_EQ(problem(R"({"__metadata__":{"k":"1","k":"1"}})"),
            "__metadata__: key 'k' found twice, expected once");
}

TEST(Safetensors, RejectsMetadataThatAreNoStrings) {
  EXPECT_EQ(problem(R"({"__metadata__":{"k":1}})"),
            "__metadata__: value of 'k' is a number, expected a string");
  EXPECT_EQ(problem(R"({"__metadata__":{"k":{}}})"),
            "__metadata__: value of 'k' is an object, expected a string");
  EXPECT_EQ(problem(R"({"__metadata__":[]})"),
            "__metadata__ is an array, expected an object");
}

TEST(Safetensors, RejectsUnknownAndMissingFields) {
  EXPECT_EQ(problem(R"({"t":{"type":"U8"}})"),
            "tensor 't': field 'type' found, expected dtype, shape and "
            "data_offsets");
  EXPECT_EQ(problem(R"({"t":{"shape":[],"data_offsets":[0,1]}})", 1),
            "tensor 't': no dtype found, expected dtype, shape and "
            "data_offsets");
  EXPECT_TRUE(contains(
      problem(R"({"t":{"dtype":"U8","data_offsets":[0,1]}})", 1), "no shape"));
  EXPECT_TRUE(contains(problem(R"({"t":{"dtype":"U8","shape":[]}})", 1),
                       "no data_offsets"));
}

TEST(Safetensors, RejectsValuesOfTheWrongKind) {
  EXPECT_EQ(problem(R"({"t":[]})"),
            "tensor 't': found an array, expected an object");
  EXPECT_EQ(problem(R"({"t":{"dtype":7}})"),
            "tensor 't': dtype is a number, expected a string");
  EXPECT_EQ(problem(R"({"t":{"dtype":["U8"]}})"),
            "tensor 't': dtype is an array, expected a string");
  EXPECT_EQ(problem(R"({"t":{"shape":"[1]"}})"),
            "tensor 't': shape is a string, expected an array");
  EXPECT_EQ(problem(R"({"t":{"shape":[[1]]}})"),
            "tensor 't': shape has an array, expected non-negative integers");
  EXPECT_EQ(problem(R"({"t":{"data_offsets":{"0":1}}})"),
            "tensor 't': data_offsets is an object, expected an array");
}

TEST(Safetensors, RejectsAnUnknownType) {
  EXPECT_TRUE(contains(problem(R"({"t":{"dtype":"bf16"}})"),
                       "tensor 't': dtype 'bf16' found, expected"));
}

TEST(Safetensors, RejectsBadDimensions) {
  EXPECT_TRUE(contains(problem(R"({"t":{"shape":[-1]}})"),
                       "shape has a negative number, expected non-negative"));
  EXPECT_TRUE(contains(problem(R"({"t":{"shape":[1.0]}})"),
                       "shape has the number 1.0, expected non-negative"));
  EXPECT_TRUE(contains(problem(R"({"t":{"shape":[9223372036854775808]}})"),
                       "dimension 9223372036854775808 found"));
  EXPECT_TRUE(contains(problem(R"({"t":{"shape":[18446744073709551616]}})"),
                       "shape has the number 18446744073709551616"));
  std::string ones = "1";
  for (int i = 0; i < 64; ++i)
    ones += ",1";
  EXPECT_TRUE(contains(problem("{\"t\":{\"shape\":[" + ones + "]}}"),
                       "more than 64 dimensions"));
}

TEST(Safetensors, RejectsASizeThatOverflows) {
  // 2^32 * 2^32 * 8 bits is 0 modulo 2^64.
  EXPECT_TRUE(contains(
      problem(
          R"({"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
      "size of shape [4294967296, 4294967296] overflows, expected 0 bytes"));
}

TEST(Safetensors, RejectsASizeThatDiffersFromTheOffsets) {
  EXPECT_EQ(
      problem(R"({"t":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,6]}})",
              6),
      "tensor 't': data_offsets give 6 bytes, expected 12 for BF16 [2, 3]");
  // Three 4-bit elements are no whole number of bytes.
  EXPECT_TRUE(contains(
      problem(R"({"t":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1),
      "give 1 bytes, expected 2 for F4 [3]"));
}

TEST(Safetensors, RejectsBadOffsets) {
  EXPECT_EQ(
      problem(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}})", 1),
      "tensor 't': data_offsets [1, 0] found, expected begin <= end");
  EXPECT_TRUE(contains(problem(R"({"t":{"data_offsets":[0]}})"),
                       "has 1 numbers, expected 2"));
  EXPECT_TRUE(contains(problem(R"({"t":{"data_offsets":[0,1,2]}})"),
                       "more than 2 numbers, expected 2"));
  EXPECT_TRUE(contains(problem(R"({"t":{"data_offsets":[0,-1]}})"),
                       "data_offsets has a negative number"));
}

TEST(Safetensors, RejectsATruncatedFile) {
  EXPECT_TRUE(contains(
      problem(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3),
      "tensor 't': ends at byte 4 of the data, expected at most 3"));
}

TEST(Safetensors, RejectsTrailingBytes) {
  EXPECT_EQ(
      problem(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5),
      "the data has 5 bytes, expected 4: bytes after the last tensor");
}

TEST(Safetensors, RejectsAnOverlap) {
  EXPECT_EQ(problem(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                    R"("u":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                    7),
            "tensor 'u': starts at byte 3 of the data, expected 4: it overlaps "
            "tensor 't'");
}

TEST(Safetensors, RejectsAGap) {
  EXPECT_EQ(problem(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                    R"("u":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
                    9),
            "tensor 'u': starts at byte 5 of the data, expected 4: bytes "
            "between belong to no tensor");
}

TEST(Safetensors, RejectsDeepNestingWithoutRecursion) {
  std::string deep = "{\"t\":";
  for (int i = 0; i < 1000000; ++i)
    deep += "[";
  EXPECT_EQ(problem(deep), "tensor 't': found an array, expected an object");
}

} // namespace

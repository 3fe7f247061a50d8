// Parses and checks the header of a safetensors file: 8 bytes of length, JSON,
// data. Nothing in it is believed before it is compared with the file's size.
// Source: https://github.com/huggingface/safetensors (README, "Format").
#include "compiler/import/Safetensors.h"
#include "compiler/import/StrictJson.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace llvm;

namespace quartet {
namespace {

/// The limit of the reference implementation.
constexpr uint64_t maxHeaderBytes = 100'000'000;
/// More dimensions than any framework has; bounds the memory of a bad header.
constexpr size_t maxRank = 64;

/// Bits per element; 0 for an unknown type. Some types are smaller than a byte.
unsigned bitSize(StringRef dtype) {
  return StringSwitch<unsigned>(dtype)
      .Case("F4", 4)
      .Cases({"F6_E2M3", "F6_E3M2"}, 6)
      .Cases({"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"}, 8)
      .Cases({"F8_E4M3FNUZ", "F8_E5M2FNUZ"}, 8)
      .Cases({"I16", "U16", "F16", "BF16"}, 16)
      .Cases({"I32", "U32", "F32"}, 32)
      .Cases({"I64", "U64", "F64", "C64"}, 64)
      .Default(0);
}

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Collects the tensors of a header. Depth is bounded by the places there are.
class HeaderEvents final : public JsonEvents {
public:
  SafetensorsHeader header;

private:
  enum class Place { Document, Top, Metadata, Tensor, Shape, Offsets };
  Place place = Place::Document;
  StringSet<> names;
  StoredTensor tensor;
  std::string field; // key of the member whose value comes next
  bool hasDtype = false, hasShape = false, hasOffsets = false;
  std::vector<uint64_t> offsets;

  bool failTensor(const Twine &message) {
    return fail("tensor '" + printable(tensor.name) + "': " + message);
  }

  bool unexpected(StringRef found) override {
    switch (place) {
    case Place::Document:
      return fail("the header is " + found + ", expected an object");
    case Place::Top:
      if (tensor.name == "__metadata__")
        return fail("__metadata__ is " + found + ", expected an object");
      return failTensor("found " + found + ", expected an object");
    case Place::Metadata:
      return fail("__metadata__: value of '" + printable(field) + "' is " +
                  found + ", expected a string");
    case Place::Tensor:
      return failTensor(field + " is " + found + ", expected " +
                        (field == "dtype" ? "a string" : "an array"));
    case Place::Shape:
    case Place::Offsets:
      return failTensor(field + " has " + found +
                        ", expected non-negative integers");
    }
    return fail("unexpected " + found);
  }

  bool start_object(std::size_t) override {
    if (place == Place::Document) {
      place = Place::Top;
      return true;
    }
    if (place != Place::Top)
      return unexpected("an object");
    bool metadata = tensor.name == "__metadata__";
    place = metadata ? Place::Metadata : Place::Tensor;
    hasDtype = hasShape = hasOffsets = false;
    offsets.clear();
    return true;
  }

  bool key(string_t &text) override {
    if (place == Place::Top) {
      if (!names.insert(text).second)
        return fail("tensor '" + printable(text) +
                    "': found twice in the header, expected once");
      tensor = StoredTensor();
      tensor.name = text;
      return true;
    }
    field = text;
    if (place == Place::Metadata) {
      if (header.metadata.count(text))
        return fail("__metadata__: key '" + printable(text) +
                    "' found twice, expected once");
      return true;
    }
    bool *seen = text == "dtype"          ? &hasDtype
                 : text == "shape"        ? &hasShape
                 : text == "data_offsets" ? &hasOffsets
                                          : nullptr;
    if (!seen)
      return failTensor("field '" + printable(text) +
                        "' found, expected dtype, shape and data_offsets");
    if (*seen)
      return failTensor("field '" + text + "' found twice, expected once");
    *seen = true;
    return true;
  }

  bool string(string_t &text) override {
    if (place == Place::Metadata) {
      header.metadata[field] = text;
      return true;
    }
    if (place != Place::Tensor || field != "dtype")
      return unexpected("a string");
    if (bitSize(text) == 0)
      return failTensor("dtype '" + printable(text) +
                        "' found, expected one of safetensors (BF16, F16, "
                        "F32, ...)");
    tensor.dtype = text;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place != Place::Tensor || field == "dtype")
      return unexpected("an array");
    place = field == "shape" ? Place::Shape : Place::Offsets;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place == Place::Offsets) {
      if (offsets.size() == 2)
        return failTensor("data_offsets has more than 2 numbers, expected 2");
      offsets.push_back(value);
      return true;
    }
    if (place != Place::Shape)
      return unexpected("a number");
    if (value > uint64_t(INT64_MAX))
      return failTensor("dimension " + Twine(value) +
                        " found in shape, expected at most " +
                        Twine(INT64_MAX));
    if (tensor.shape.size() == maxRank)
      return failTensor("shape has more than " + Twine(maxRank) +
                        " dimensions, expected at most that");
    tensor.shape.push_back(int64_t(value));
    return true;
  }

  bool end_array() override {
    if (place == Place::Offsets && offsets.size() != 2)
      return failTensor("data_offsets has " + Twine(offsets.size()) +
                        " numbers, expected 2");
    place = Place::Tensor;
    return true;
  }

  bool end_object() override {
    if (place == Place::Tensor && !finishTensor())
      return false;
    place = place == Place::Top ? Place::Document : Place::Top;
    return true;
  }

  bool finishTensor() {
    if (!hasDtype || !hasShape || !hasOffsets)
      return failTensor(Twine("no ") +
                        (!hasDtype   ? "dtype"
                         : !hasShape ? "shape"
                                     : "data_offsets") +
                        " found, expected dtype, shape and data_offsets");
    if (offsets[0] > offsets[1])
      return failTensor("data_offsets [" + Twine(offsets[0]) + ", " +
                        Twine(offsets[1]) + "] found, expected begin <= end");
    tensor.offset = offsets[0];
    tensor.bytes = offsets[1] - offsets[0];
    uint64_t bits = bitSize(tensor.dtype);
    for (int64_t dimension : tensor.shape) {
      bool overflowed = false;
      bits = SaturatingMultiply(bits, uint64_t(dimension), &overflowed);
      if (overflowed)
        return failTensor("size of shape " + shapeText(tensor.shape) +
                          " overflows, expected " + Twine(tensor.bytes) +
                          " bytes as data_offsets say");
    }
    if (bits % 8 != 0 || bits / 8 != tensor.bytes)
      return failTensor("data_offsets give " + Twine(tensor.bytes) +
                        " bytes, expected " + Twine(divideCeil(bits, 8)) +
                        " for " + tensor.dtype + " " + shapeText(tensor.shape));
    header.tensors.push_back(std::move(tensor));
    return true;
  }
};

/// The tensors must tile [0, dataBytes) exactly. \returns what is wrong.
std::string checkCoverage(std::vector<StoredTensor> &tensors,
                          uint64_t dataBytes) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor &a, const StoredTensor &b) {
              return std::tie(a.offset, a.bytes, a.name) <
                     std::tie(b.offset, b.bytes, b.name);
            });
  uint64_t end = 0;
  const StoredTensor *previous = nullptr;
  for (const StoredTensor &tensor : tensors) {
    std::string who = "tensor '" + printable(tensor.name) + "': ";
    auto next = std::to_string(tensor.offset), want = std::to_string(end);
    if (tensor.offset + tensor.bytes > dataBytes)
      return who + "ends at byte " +
             std::to_string(tensor.offset + tensor.bytes) +
             " of the data, expected at most " + std::to_string(dataBytes) +
             ", where the file ends (truncated? download it again)";
    if (tensor.offset < end)
      return who + "starts at byte " + next + " of the data, expected " + want +
             ": it overlaps tensor '" + printable(previous->name) + "'";
    if (tensor.offset > end)
      return who + "starts at byte " + next + " of the data, expected " + want +
             ": bytes between belong to no tensor";
    end = tensor.offset + tensor.bytes;
    previous = &tensor;
  }
  if (end != dataBytes)
    return "the data has " + std::to_string(dataBytes) + " bytes, expected " +
           std::to_string(end) + ": bytes after the last tensor";
  return "";
}

} // namespace

Expected<SafetensorsHeader> parseSafetensors(ArrayRef<uint8_t> bytes,
                                             StringRef fileName) {
  auto fail = [&](const Twine &message) {
    return createStringError(fileName + ": " + message);
  };
  if (toStringRef(bytes).starts_with("version https://git-lfs"))
    return fail("found a Git LFS pointer, expected safetensors data (run `git "
                "lfs pull` in the checkpoint)");
  if (bytes.size() < 8)
    return fail("found " + Twine(bytes.size()) +
                " bytes, expected a safetensors file of at least 10 "
                "(truncated? download it again)");
  uint64_t length = support::endian::read64le(bytes.data());
  if (length > maxHeaderBytes)
    return fail("header length " + Twine(length) + " found, expected at most " +
                Twine(maxHeaderBytes) + " (not a safetensors file?)");
  if (length > bytes.size() - 8)
    return fail("header length " + Twine(length) + " found, expected at most " +
                Twine(bytes.size() - 8) +
                ", where the file ends (truncated? download it again)");
  StringRef text = toStringRef(bytes.slice(8, length));
  if (!text.starts_with("{"))
    return fail("header starts with '" + printable(text.take_front(8)) +
                "', expected '{' (not a safetensors file?)");
  HeaderEvents events;
  if (!parseStrictJson(text, events))
    return fail(events.error);
  events.header.dataStart = 8 + length;
  std::string problem = checkCoverage(events.header.tensors,
                                      bytes.size() - events.header.dataStart);
  if (!problem.empty())
    return fail(problem);
  return std::move(events.header);
}

} // namespace quartet

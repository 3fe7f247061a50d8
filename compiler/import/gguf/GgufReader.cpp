// A cursor that cannot leave the file, and on top of it the parts of the
// header: counts, metadata, tensor infos.
#include "compiler/import/gguf/GgufReader.h"
#include "compiler/import/StrictJson.h"
#include "compiler/import/gguf/GgufBlocks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace llvm;

namespace quartet {
namespace {

constexpr uint64_t maxKeyBytes = 65535; // the format's own limit
constexpr uint64_t maxNameBytes = 1024;
constexpr uint32_t maxRank = 4;
constexpr uint64_t maxAlignment = 1 << 20;
constexpr uint64_t defaultAlignment = 32;
// The least bytes of a metadata entry and of a tensor info: they bound counts.
constexpr uint64_t minEntryBytes = 8 + 4 + 1, minTensorBytes = 8 + 4 + 8 + 12;

enum ValueType : uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Boolean,
  String,
  Array,
  U64,
  I64,
  F64,
};

/// Bytes of a value, the least for a string; 0 for arrays and unknown types.
uint64_t valueBytes(uint32_t type) {
  static const uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};
  return type < std::size(sizes) ? sizes[type] : 0;
}

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" +
         join(map_range(shape, [](int64_t d) { return std::to_string(d); }),
              ", ") +
         "]";
}

class HeaderReader {
public:
  HeaderReader(ArrayRef<uint8_t> bytes, StringRef fileName)
      : bytes(bytes), fileName(fileName) {}

  Expected<GgufHeader> run();

private:
  ArrayRef<uint8_t> bytes;
  StringRef fileName;
  uint64_t position = 0;
  GgufHeader header;

  uint64_t left() const { return bytes.size() - position; }
  Error fail(const Twine &message) const {
    return createStringError(fileName + ": " + message);
  }
  Error truncated(const Twine &what) const {
    return fail("the file ends at byte " + Twine(bytes.size()) + ", in " +
                what + ", expected more (truncated? download it again)");
  }
  /// Moves over a little-endian integer that is known to be in the file.
  template <typename T> T take() {
    T value =
        support::endian::read<T, endianness::little>(bytes.data() + position);
    position += sizeof(T);
    return value;
  }
  template <typename T> Error read(T &value, const Twine &what) {
    if (left() < sizeof(T))
      return truncated(what);
    value = take<T>();
    return Error::success();
  }
  Error readString(StringRef &text, const Twine &what);
  Error readStart(uint64_t &tensorCount, uint64_t &entryCount);
  Error readEntry();
  Error readValue(uint32_t type, GgufValue &value, const Twine &what);
  Error readTensor(StringSet<> &names);
  Error placeTensors();
};

} // namespace

Error HeaderReader::readString(StringRef &text, const Twine &what) {
  uint64_t length = 0;
  if (Error error = read(length, what))
    return error;
  if (length > left())
    return fail(what + " has a length of " + Twine(length) +
                " bytes, expected at most " + Twine(left()) +
                ", where the file ends (truncated? download it again)");
  text = toStringRef(bytes.slice(position, length));
  position += length;
  return Error::success();
}

Error HeaderReader::readStart(uint64_t &tensorCount, uint64_t &entryCount) {
  if (toStringRef(bytes).starts_with("version https://git-lfs"))
    return fail("found a Git LFS pointer, expected GGUF data (run `git lfs "
                "pull` where it came from)");
  if (!toStringRef(bytes).starts_with("GGUF"))
    return fail("starts with '" + printable(toStringRef(bytes.take_front(4))) +
                "', expected 'GGUF' (not a GGUF file?)");
  position = 4;
  if (Error error = read(header.version, "the version"))
    return error;
  if (header.version != 2 && header.version != 3) {
    bool swapped = header.version != 0 && (header.version & 0xffff) == 0;
    return fail("version " + Twine(header.version) + " found, expected 2 or 3" +
                (swapped ? " (a big-endian file? they are not read)"
                         : " (convert the model again with a current tool)"));
  }
  if (Error error = read(tensorCount, "the number of tensors"))
    return error;
  if (Error error = read(entryCount, "the number of metadata entries"))
    return error;
  if (entryCount > left() / minEntryBytes)
    return fail(Twine(entryCount) +
                " metadata entries found, expected at most " +
                Twine(left() / minEntryBytes) + " in a file of " +
                Twine(bytes.size()) + " bytes");
  if (tensorCount > left() / minTensorBytes)
    return fail(Twine(tensorCount) + " tensors found, expected at most " +
                Twine(left() / minTensorBytes) + " in a file of " +
                Twine(bytes.size()) + " bytes");
  return Error::success();
}

Error HeaderReader::readValue(uint32_t type, GgufValue &value,
                              const Twine &what) {
  using Kind = GgufValue::Kind;
  if (type == String) {
    StringRef text;
    if (Error error = readString(text, what))
      return error;
    value.kind = Kind::String;
    value.strings.push_back(text);
    return Error::success();
  }
  if (left() < valueBytes(type))
    return truncated(what);
  auto integer = [&](int64_t number) {
    value.kind = Kind::Integer;
    value.integers.push_back(number);
  };
  auto number = [&](double found) {
    value.kind = Kind::Number;
    value.numbers.push_back(found);
  };
  switch (type) {
  case U8:
    integer(take<uint8_t>());
    break;
  case I8:
    integer(take<int8_t>());
    break;
  case U16:
    integer(take<uint16_t>());
    break;
  case I16:
    integer(take<int16_t>());
    break;
  case U32:
    integer(take<uint32_t>());
    break;
  case I32:
    integer(take<int32_t>());
    break;
  case U64:
    integer(int64_t(std::min<uint64_t>(take<uint64_t>(), INT64_MAX)));
    break;
  case I64:
    integer(take<int64_t>());
    break;
  case F32:
    number(bit_cast<float>(take<uint32_t>()));
    break;
  case F64:
    number(bit_cast<double>(take<uint64_t>()));
    break;
  case Boolean: {
    unsigned found = take<uint8_t>();
    if (found > 1)
      return fail(what + " is a boolean of value " + Twine(found) +
                  ", expected 0 or 1");
    value.kind = Kind::Bool;
    value.integers.push_back(found);
    break;
  }
  }
  return Error::success();
}

Error HeaderReader::readEntry() {
  StringRef key;
  if (Error error = readString(key, "a metadata key"))
    return error;
  if (key.empty() || key.size() > maxKeyBytes)
    return fail("a metadata key of " + Twine(key.size()) +
                " bytes found, expected 1 to " + Twine(maxKeyBytes));
  std::string what = "metadata '" + printable(key) + "'";
  uint32_t type = 0;
  if (Error error = read(type, what))
    return error;
  if (header.metadata.count(key))
    return fail(what + " found twice, expected once");
  GgufValue value;
  uint64_t count = 1;
  if (type == Array) {
    value.isArray = true;
    if (Error error = read(type, what))
      return error;
    if (Error error = read(count, what))
      return error;
    if (type == Array)
      return fail(what + " is an array of arrays, expected an array of values");
  }
  uint64_t size = valueBytes(type);
  if (size == 0)
    return fail(what + " has value type " + Twine(type) +
                ", expected one of GGUF's (0 to 12)");
  if (count > left() / size)
    return value.isArray
               ? fail(what + " has " + Twine(count) +
                      " elements, expected at most " + Twine(left() / size) +
                      ", where the file ends (truncated? download it again)")
               : truncated(what);
  if (count == 0) // the kind of an empty array
    value.kind = type == String               ? GgufValue::Kind::String
                 : type == Boolean            ? GgufValue::Kind::Bool
                 : type == F32 || type == F64 ? GgufValue::Kind::Number
                                              : GgufValue::Kind::Integer;
  for (uint64_t i = 0; i < count; ++i)
    if (Error error = readValue(type, value, what))
      return error;
  header.metadata.emplace(key.str(), std::move(value));
  return Error::success();
}

Error HeaderReader::readTensor(StringSet<> &names) {
  StringRef name;
  if (Error error = readString(name, "a tensor name"))
    return error;
  if (name.empty() || name.size() > maxNameBytes)
    return fail("a tensor name of " + Twine(name.size()) +
                " bytes found, expected 1 to " + Twine(maxNameBytes));
  std::string what = "tensor '" + printable(name) + "'";
  if (!names.insert(name).second)
    return fail(what + ": found twice in the header, expected once");
  GgufTensor tensor;
  tensor.name = name.str();
  uint32_t rank = 0;
  if (Error error = read(rank, what))
    return error;
  if (rank < 1 || rank > maxRank)
    return fail(what + ": " + Twine(rank) +
                " dimensions found, expected 1 to " + Twine(maxRank));
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t extent = 0;
    if (Error error = read(extent, what))
      return error;
    if (extent < 1 || extent > uint64_t(INT64_MAX))
      return fail(what + ": dimension " + Twine(extent) +
                  " found, expected 1 to " + Twine(INT64_MAX));
    tensor.shape.insert(tensor.shape.begin(), int64_t(extent));
  }
  if (Error error = read(tensor.type, what))
    return error;
  if (Error error = read(tensor.offset, what))
    return error;
  const GgufType *type = ggufType(tensor.type);
  if (!type)
    return fail(what + ": type " + ggufTypeName(tensor.type) +
                " found, expected one of " + decodedGgufTypes() +
                " (use a file of another quantization)");
  if (tensor.rowLength() % type->blockElements != 0)
    return fail(what + ": rows of " + Twine(tensor.rowLength()) +
                " elements found, expected a multiple of " +
                Twine(type->blockElements) + ", the block of " + type->name);
  tensor.bytes = uint64_t(tensor.rowLength() / type->blockElements);
  bool overflowed = false, any = false;
  tensor.bytes =
      SaturatingMultiply(tensor.bytes, uint64_t(type->blockBytes), &overflowed);
  any |= overflowed;
  // The elements too must be countable, also where a block has half a byte for
  // each.
  uint64_t elements = uint64_t(tensor.rowLength());
  for (int64_t extent : ArrayRef(tensor.shape).drop_back()) {
    tensor.bytes =
        SaturatingMultiply(tensor.bytes, uint64_t(extent), &overflowed);
    any |= overflowed;
    elements = SaturatingMultiply(elements, uint64_t(extent), &overflowed);
    any |= overflowed;
  }
  if (any || elements > uint64_t(INT64_MAX))
    return fail(what + ": size of shape " + shapeText(tensor.shape) +
                " overflows, expected at most the file's " +
                Twine(bytes.size()) + " bytes");
  header.tensors.push_back(std::move(tensor));
  return Error::success();
}

/// Offsets become those in the file, and are proved to tile the data.
Error HeaderReader::placeTensors() {
  uint64_t alignment = defaultAlignment;
  if (auto it = header.metadata.find("general.alignment");
      it != header.metadata.end()) {
    if (!it->second.is(GgufValue::Kind::Integer))
      return fail("metadata 'general.alignment' is not an integer, expected "
                  "one");
    int64_t found = it->second.integers.front();
    if (found < 1 || uint64_t(found) > maxAlignment ||
        !isPowerOf2_64(uint64_t(found)))
      return fail("metadata 'general.alignment' is " + Twine(found) +
                  ", expected a power of two up to " + Twine(maxAlignment));
    alignment = uint64_t(found);
  }
  header.dataStart = alignTo(position, alignment);
  if (header.dataStart > bytes.size()) {
    if (header.tensors.empty()) { // a file of metadata may end without padding
      header.dataStart = bytes.size();
      return Error::success();
    }
    return truncated("the padding before the tensors' data");
  }
  uint64_t dataBytes = bytes.size() - header.dataStart;
  std::vector<GgufTensor *> order;
  for (GgufTensor &tensor : header.tensors)
    order.push_back(&tensor);
  std::sort(
      order.begin(), order.end(), [](const GgufTensor *a, const GgufTensor *b) {
        return std::tie(a->offset, a->name) < std::tie(b->offset, b->name);
      });
  uint64_t end = 0;
  const GgufTensor *previous = nullptr;
  for (GgufTensor *tensor : order) {
    std::string what = "tensor '" + printable(tensor->name) + "'";
    if (tensor->offset % alignment != 0)
      return fail(what + ": offset " + Twine(tensor->offset) +
                  " found, expected a multiple of " + Twine(alignment) +
                  ", the alignment");
    if (tensor->offset > dataBytes ||
        tensor->bytes > dataBytes - tensor->offset)
      return fail(what + ": " + Twine(tensor->bytes) + " bytes at " +
                  Twine(tensor->offset) +
                  " of the data found, expected at most " + Twine(dataBytes) +
                  ", where the file ends (truncated? download it again)");
    if (tensor->offset < end)
      return fail(what + ": offset " + Twine(tensor->offset) +
                  " found, expected at least " + Twine(end) +
                  ": it overlaps tensor '" + printable(previous->name) + "'");
    if (tensor->offset > alignTo(end, alignment))
      return fail(what + ": offset " + Twine(tensor->offset) +
                  " found, expected " + Twine(alignTo(end, alignment)) +
                  ": bytes before it belong to no tensor");
    end = tensor->offset + tensor->bytes;
    previous = tensor;
  }
  if (dataBytes > alignTo(end, alignment))
    return fail("the data has " + Twine(dataBytes) + " bytes, expected " +
                Twine(end) + ": bytes after the last tensor");
  for (GgufTensor &tensor : header.tensors)
    tensor.offset += header.dataStart;
  return Error::success();
}

Expected<GgufHeader> HeaderReader::run() {
  uint64_t tensorCount = 0, entryCount = 0;
  if (Error error = readStart(tensorCount, entryCount))
    return std::move(error);
  for (uint64_t i = 0; i < entryCount; ++i)
    if (Error error = readEntry())
      return std::move(error);
  StringSet<> names;
  for (uint64_t i = 0; i < tensorCount; ++i)
    if (Error error = readTensor(names))
      return std::move(error);
  if (Error error = placeTensors())
    return std::move(error);
  return std::move(header);
}

int64_t GgufTensor::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

Expected<GgufHeader> parseGguf(ArrayRef<uint8_t> bytes, StringRef fileName) {
  return HeaderReader(bytes, fileName).run();
}

} // namespace quartet

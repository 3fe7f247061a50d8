// Feeds arbitrary bytes to the readers of checkpoint files: they must answer
// with tensors that lie within the file, or with an error that is safe to
// print.
#include "compiler/import/Safetensors.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace quartet;

static void check(bool condition) {
  if (!condition)
    __builtin_trap();
}

/// Messages end up on a terminal.
static void checkMessage(Error error) {
  std::string text = toString(std::move(error));
  check(!text.empty() && text.size() < 4096);
  for (unsigned char byte : text)
    check(byte >= 0x20 && byte != 0x7f);
}

static void parseFile(ArrayRef<uint8_t> bytes) {
  Expected<SafetensorsHeader> header = parseSafetensors(bytes, "fuzz");
  if (!header)
    return checkMessage(header.takeError());
  check(header->dataStart <= bytes.size());
  uint64_t end = 0;
  for (const StoredTensor &tensor : header->tensors) {
    check(tensor.offset == end);
    end += tensor.bytes;
    for (int64_t dimension : tensor.shape)
      check(dimension >= 0);
  }
  check(end == bytes.size() - header->dataStart);
}

static void parseIndex(StringRef text) {
  Expected<std::map<std::string, std::string>> index =
      parseShardIndex(text, "fuzz");
  if (!index)
    return checkMessage(index.takeError());
  for (const auto &[tensor, shard] : *index)
    check(!shard.empty() && shard.find('/') == std::string::npos);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ArrayRef<uint8_t> bytes(data, size);
  parseFile(bytes);
  parseIndex(toStringRef(bytes));
  return 0;
}

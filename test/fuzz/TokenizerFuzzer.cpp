// Feeds arbitrary bytes to both ends of the tokenizer: to the importer as
// tokenizer.json NUL tokenizer_config.json NUL text, or, when they start with
// the blob's magic, to the runtime as the blob of a damaged executable.
#include "compiler/import/Tokenizer.h"
#include "runtime/src/text/StreamDecoder.h"
#include "runtime/src/text/Utf8.h"
#include "llvm/ADT/ArrayRef.h"

using namespace llvm;
using namespace quartet;

static void check(bool condition) {
  if (!condition)
    __builtin_trap();
}

/// Messages end up on a terminal.
static void checkMessage(StringRef message) {
  check(!message.empty() && message.size() < 4096);
  for (unsigned char byte : message)
    check(byte >= 0x20 && byte != 0x7f);
}

/// \p imported: the blob is the importer's, so what it encodes must decode.
static void useBlob(ArrayRef<uint8_t> blob, std::string_view text,
                    bool imported) {
  std::string error;
  auto tokenizer = rt::Tokenizer::load(blob.data(), blob.size(), error);
  if (!tokenizer) {
    check(!imported && !error.empty());
    return;
  }
  for (bool allowSpecial : {true, false}) {
    std::vector<int32_t> ids;
    if (!tokenizer->encode(text, ids, error, allowSpecial)) {
      check(ids.empty() && !error.empty());
      continue;
    }
    std::string whole, streamed;
    bool decodes = tokenizer->decode(ids, whole, error);
    check(decodes || !imported);
    if (!decodes)
      continue;
    check(rt::isUtf8(whole));
    rt::StreamDecoder decoder(*tokenizer);
    for (int32_t id : ids) {
      check(decoder.push(id, streamed));
      check(rt::isUtf8(streamed));
    }
    decoder.finish(streamed);
    check(streamed == whole);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *sample =
      "Hello, it's <x><|im_end|> \xe4\xbd\xa0 e\xcc\x81\n\n 12\xff";
  StringRef input(reinterpret_cast<const char *>(data), size);
  if (input.starts_with("QTOK")) {
    // A buffer of its own, so that reads beyond the blob are seen.
    std::vector<uint8_t> blob(data, data + size);
    useBlob(blob, sample, /*imported=*/false);
    return 0;
  }
  auto [tokenizer, rest] = input.split('\0');
  auto [config, text] = rest.split('\0');
  auto blob = importTokenizerFromText(tokenizer, config, "fuzz");
  if (!blob) {
    checkMessage(toString(blob.takeError()));
    return 0;
  }
  auto again = importTokenizerFromText(tokenizer, config, "fuzz");
  check(again && *again == *blob);
  useBlob(*blob, sample, /*imported=*/true);
  useBlob(*blob, std::string_view(text.data(), text.size()), /*imported=*/true);
  return 0;
}

// Holds back the incomplete character at the end of the bytes so far.
#include "runtime/src/text/StreamDecoder.h"
#include "runtime/src/text/Utf8.h"

namespace quartet::rt {

bool StreamDecoder::push(int32_t id, std::string &text) {
  if (!tokenizer->isValid(id))
    return false;
  if (skipSpecial && tokenizer->isSpecial(id))
    return true;
  held += tokenizer->tokenBytes(id);
  held.erase(0, appendUtf8(held, /*last=*/false, text));
  return true;
}

void StreamDecoder::finish(std::string &text) {
  appendUtf8(held, /*last=*/true, text);
  held.clear();
}

} // namespace quartet::rt

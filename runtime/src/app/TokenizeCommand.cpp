// tokenize and detokenize: the tokenizer on its own, without the weights.
#include "runtime/src/app/Commands.h"
#include "runtime/src/app/Output.h"
#include "runtime/src/app/TokenList.h"
#include "runtime/src/text/Utf8.h"
#include <cstdio>

namespace quartet::rt {

/// \p bytes in double quotes, with what is not printable UTF-8 escaped.
static std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  bool utf8 = isUtf8(bytes);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      char escape[8];
      snprintf(escape, sizeof(escape), "\\x%02x", byte);
      text += escape;
    } else {
      text += c;
    }
  }
  return text + "\"";
}

int tokenizeCommand(const Session &session) {
  const TokenizeOptions &options = session.line.tokenize;
  std::string error, text = options.text;
  std::unique_ptr<Tokenizer> tokenizer = session.loadTokenizer(&error);
  if (!tokenizer)
    return session.fail(error);
  if (text == "-" && !readAll("-", text, &error))
    return session.fail(error);
  std::vector<int32_t> ids;
  if (!tokenizer->encode(text, ids, error))
    return session.fail(error, ExitUsage);
  std::string lines;
  for (size_t i = 0; i != ids.size(); ++i) {
    std::string id = std::to_string(ids[i]);
    if (options.idsOnly)
      lines += (i ? "," : "") + id;
    else
      lines += id + "\t" + quoted(tokenizer->tokenBytes(ids[i])) + "\n";
  }
  Output output;
  output.write(lines);
  output.finishLine();
  return session.finish(output);
}

int detokenizeCommand(const Session &session) {
  std::string error, text;
  std::unique_ptr<Tokenizer> tokenizer = session.loadTokenizer(&error);
  if (!tokenizer)
    return session.fail(error);
  std::optional<std::vector<int32_t>> ids =
      parseList(session.line.detokenizeIds, "token ids", &error);
  if (!ids || !tokenizer->decode(*ids, text, error))
    return session.fail(error, ExitUsage);
  Output output;
  output.write(text);
  output.finishLine();
  return session.finish(output);
}

} // namespace quartet::rt

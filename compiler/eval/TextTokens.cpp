// Reads and checks a text, and lets a compiled model tokenize it.
#include "compiler/eval/TextTokens.h"
#include "compiler/OutputFile.h"
#include "compiler/eval/ChildProcess.h"
#include "compiler/import/Progress.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace quartet;

/// The whole text is tokenized, in memory.
static constexpr uint64_t kMaxTextBytes = uint64_t(256) << 20;

Error quartet::checkText(StringRef path) {
  if (sys::fs::is_directory(path))
    return createStringError(path + ": is a folder, expected a text file");
  uint64_t size = 0;
  if (!sys::fs::file_size(path, size) && size > kMaxTextBytes)
    return createStringError(
        path + ": has " + formatBytes(size) + ", expected a text of up to " +
        formatBytes(kMaxTextBytes) + ": give a part of it");
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(
        file.getError(),
        path + ": cannot read the text: " + file.getError().message());
  StringRef text = (*file)->getBuffer();
  if (text.empty())
    return createStringError(path + ": is empty, expected a text");
  const auto *begin = reinterpret_cast<const UTF8 *>(text.begin());
  const auto *at = begin, *end = reinterpret_cast<const UTF8 *>(text.end());
  if (!isLegalUTF8String(&at, end))
    return createStringError(path + ": is not UTF-8 at byte " +
                             Twine(at - begin) +
                             ", expected a text in this encoding");
  return Error::success();
}

Expected<std::vector<int32_t>> quartet::tokensOf(StringRef path,
                                                 StringRef executable,
                                                 StringRef log, int64_t least,
                                                 int64_t most) {
  auto child = ChildProcess::start({executable.str(), "tokenize", "--ids", "-"},
                                   path, log);
  if (!child)
    return child.takeError();
  auto text = (*child)->readAll();
  if (!text)
    return text.takeError();
  std::vector<int32_t> ids;
  StringRef rest = StringRef(*text).trim();
  while (!rest.empty() && int64_t(ids.size()) < most) {
    auto [word, after] = rest.split(',');
    int32_t id = 0;
    if (word.getAsInteger(10, id))
      return createStringError("'" + executable + "' tokenize: found '" +
                               word.take_front(40) + "', expected token ids");
    ids.push_back(id);
    rest = after;
  }
  if (int64_t(ids.size()) < least)
    return createStringError(path + ": has " + Twine(ids.size()) +
                             (ids.size() == 1 ? " token" : " tokens") +
                             ", expected a text of at least " + Twine(least));
  return ids;
}

Error quartet::writeTokens(ArrayRef<int32_t> ids, int64_t length,
                           StringRef path) {
  std::string text;
  for (size_t i = 0; i != ids.size(); ++i) {
    if (i)
      text += i % size_t(length) == 0 ? ";" : ",";
    text += std::to_string(ids[i]);
  }
  return writeOutput(path.str(), text);
}

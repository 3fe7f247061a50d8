// The stand-ins of byte-level BPE: vocabularies spell each byte as one
// printable character (GPT-2's table), a space as U+0120.
#ifndef QUARTET_COMPILER_IMPORT_BYTELEVEL_H
#define QUARTET_COMPILER_IMPORT_BYTELEVEL_H
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace quartet {

/// The bytes that \p text stands for; nothing when some character of it is not
/// a stand-in.
std::optional<std::string> bytesOfStandIns(llvm::StringRef text);

/// The stand-in of \p byte, UTF-8.
std::string standIn(uint8_t byte);

} // namespace quartet
#endif

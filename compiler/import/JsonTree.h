// A document tree from hostile JSON, for files whose members refer to one
// another. Refuses what a plain parser lets pass: duplicate members, deep
// nesting.
#ifndef QUARTET_COMPILER_IMPORT_JSONTREE_H
#define QUARTET_COMPILER_IMPORT_JSONTREE_H
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>

namespace quartet {

/// Parses \p text. Errors start with \p fileName: invalid JSON, a member given
/// twice, nesting deeper than \p maxDepth.
llvm::Expected<nlohmann::json> parseJsonTree(llvm::StringRef text,
                                             llvm::StringRef fileName,
                                             unsigned maxDepth = 32);

} // namespace quartet
#endif

// Lists of numbers on the command line: "1,2,3" and, for several sequences,
// "1,2,3;4,5". Spaces are allowed around numbers.
#ifndef QUARTET_RUNTIME_APP_TOKENLIST_H
#define QUARTET_RUNTIME_APP_TOKENLIST_H
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quartet::rt {

using NumberLists = std::vector<std::vector<int32_t>>;

/// Reads numbers >= 0, separated by commas or spaces, in lists separated by
/// semicolons. Empty lists are errors. \p what names the option in \p error.
std::optional<NumberLists> parseLists(std::string_view text, const char *what,
                                      std::string *error);

/// The same for a single list.
std::optional<std::vector<int32_t>>
parseList(std::string_view text, const char *what, std::string *error);

/// Cuts sequences of the given \p lengths into the pieces of successive steps:
/// result[s] are the sizes of the pieces of sequence s, which add up to its
/// length. With as many lists as sequences, each must add up exactly. A single
/// list for several sequences is used by each as far as it needs it, the last
/// piece cut to what is left.
std::optional<NumberLists> splitSequences(const std::vector<int64_t> &lengths,
                                          const NumberLists &split,
                                          std::string *error);

/// The same with pieces of at most \p chunk tokens.
NumberLists chunkSequences(const std::vector<int64_t> &lengths, int64_t chunk);

} // namespace quartet::rt
#endif

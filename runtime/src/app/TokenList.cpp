// Reads lists of numbers and turns them into the steps of the logits command.
#include "runtime/src/app/TokenList.h"
#include <algorithm>
#include <charconv>

namespace quartet::rt {

static bool fail(std::string *error, const std::string &message) {
  if (error)
    *error = message;
  return false;
}

static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/// Reads one list, which has no semicolon.
static bool readList(std::string_view text, const char *what,
                     std::vector<int32_t> &list, std::string *error) {
  const char *at = text.data(), *end = at + text.size();
  auto skipSpaces = [&] {
    while (at != end && isSpace(*at))
      ++at;
  };
  skipSpaces();
  while (true) {
    int32_t number = 0;
    auto [stop, status] = std::from_chars(at, end, number);
    bool whole = stop == end || isSpace(*stop) || *stop == ',';
    if (status == std::errc::result_out_of_range)
      return fail(error, std::string(what) + ": '" + std::string(at, stop) +
                             "' is too large");
    if (status != std::errc() || !whole || number < 0) {
      const char *next =
          std::find_if(at, end, [](char c) { return isSpace(c) || c == ','; });
      return fail(error, std::string(what) + ": found '" +
                             std::string(at, next) +
                             "', expected a whole number >= 0");
    }
    list.push_back(number);
    at = stop;
    skipSpaces();
    if (at == end)
      return true;
    if (*at == ',') {
      ++at;
      skipSpaces();
    }
  }
}

std::optional<NumberLists> parseLists(std::string_view text, const char *what,
                                      std::string *error) {
  NumberLists lists;
  while (true) {
    size_t semicolon = text.find(';');
    lists.emplace_back();
    if (!readList(text.substr(0, semicolon), what, lists.back(), error))
      return std::nullopt;
    if (semicolon == std::string_view::npos)
      return lists;
    text.remove_prefix(semicolon + 1);
  }
}

std::optional<std::vector<int32_t>>
parseList(std::string_view text, const char *what, std::string *error) {
  std::optional<NumberLists> lists = parseLists(text, what, error);
  if (!lists)
    return std::nullopt;
  if (lists->size() != 1) {
    fail(error, std::string(what) + ": found " + std::to_string(lists->size()) +
                    " lists, expected one");
    return std::nullopt;
  }
  return std::move(lists->front());
}

std::optional<NumberLists> splitSequences(const std::vector<int64_t> &lengths,
                                          const NumberLists &split,
                                          std::string *error) {
  bool shared = split.size() == 1 && lengths.size() > 1;
  if (!shared && split.size() != lengths.size()) {
    fail(error, "--split has " + std::to_string(split.size()) + " lists for " +
                    std::to_string(lengths.size()) + " sequences");
    return std::nullopt;
  }
  NumberLists pieces(lengths.size());
  for (size_t s = 0; s != lengths.size(); ++s) {
    int64_t sum = 0;
    for (int32_t size : shared ? split[0] : split[s]) {
      if (size < 1) {
        fail(error, "--split has a step of 0 tokens, expected at least 1");
        return std::nullopt;
      }
      if (shared && sum == lengths[s])
        break;
      if (shared)
        size = int32_t(std::min<int64_t>(size, lengths[s] - sum));
      sum += size;
      pieces[s].push_back(size);
    }
    if (sum != lengths[s]) {
      fail(error, "--split adds up to " + std::to_string(sum) +
                      " for sequence " + std::to_string(s) + ", which has " +
                      std::to_string(lengths[s]) + " tokens");
      return std::nullopt;
    }
  }
  return pieces;
}

NumberLists chunkSequences(const std::vector<int64_t> &lengths, int64_t chunk) {
  NumberLists pieces(lengths.size());
  for (size_t s = 0; s != lengths.size(); ++s)
    for (int64_t done = 0; done < lengths[s]; done += chunk)
      pieces[s].push_back(int32_t(std::min(chunk, lengths[s] - done)));
  return pieces;
}

} // namespace quartet::rt

// Works on what was held back plus the new piece. Stop strings and pieces are
// short, so plain comparison does. Characters stay whole in valid UTF-8: a stop
// string starts at the start of a character, and so does what is held back.
#include "runtime/src/app/StopStrings.h"
#include <algorithm>

namespace quartet::rt {

StopStrings::StopStrings(std::vector<std::string> stops)
    : stops(std::move(stops)) {}

std::string StopStrings::push(std::string_view text) {
  if (found)
    return "";
  held += text;
  // The stop string that ends first is the one that a reader, byte by byte,
  // would have met first; the pieces' borders then make no difference.
  size_t bestEnd = std::string::npos, bestStart = 0;
  for (const std::string &stop : stops) {
    size_t start = held.find(stop);
    if (start == std::string::npos)
      continue;
    size_t end = start + stop.size();
    if (end < bestEnd || (end == bestEnd && start < bestStart)) {
      bestEnd = end;
      bestStart = start;
    }
  }
  if (bestEnd != std::string::npos) {
    found = true;
    std::string out = held.substr(0, bestStart);
    held.clear();
    return out;
  }
  size_t keep = 0;
  for (const std::string &stop : stops) {
    size_t most = std::min(stop.size() - 1, held.size());
    for (size_t length = most; length > keep; --length) {
      if (held.compare(held.size() - length, length, stop, 0, length) == 0) {
        keep = length;
        break;
      }
    }
  }
  std::string out = held.substr(0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return out;
}

std::string StopStrings::flush() {
  std::string out = std::move(held);
  held.clear();
  return out;
}

} // namespace quartet::rt

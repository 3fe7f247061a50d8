// Finds stop strings in text that arrives in pieces, and holds back what might
// still become one.
#ifndef QUARTET_RUNTIME_APP_STOPSTRINGS_H
#define QUARTET_RUNTIME_APP_STOPSTRINGS_H
#include <string>
#include <string_view>
#include <vector>

namespace quartet::rt {

class StopStrings {
public:
  /// \p stops: none is empty; there may be none at all.
  explicit StopStrings(std::vector<std::string> stops);

  /// Takes more text; \returns what is certain to stand before every stop
  /// string. After the first stop string (the one that is complete first; of
  /// several, the one that starts first) nothing more comes out.
  std::string push(std::string_view text);

  /// The text ends here: \returns what was held back.
  std::string flush();

  /// A stop string was found.
  bool stopped() const { return found; }

private:
  std::vector<std::string> stops;
  std::string held; ///< the longest end that starts a stop string
  bool found = false;
};

} // namespace quartet::rt
#endif

// Standard output without a buffer: text is on the screen when write() returns,
// and a reader that went away is noticed at once.
#ifndef QUARTET_RUNTIME_APP_OUTPUT_H
#define QUARTET_RUNTIME_APP_OUTPUT_H
#include <string>
#include <string_view>

namespace quartet::rt {

class Output {
public:
  /// \returns ok().
  bool write(std::string_view text);

  /// Everything so far was written.
  bool ok() const { return lastError == 0; }
  /// The reader closed its end: no reason to complain.
  bool closed() const;
  /// Why a write failed, for a message; empty when ok().
  std::string problem() const;

  /// Ends the current line if something stands on it.
  void finishLine();

private:
  int lastError = 0;
  bool lineOpen = false;
};

/// Reads all of a file, "-" being standard input, into \p text.
bool readAll(const std::string &path, std::string &text, std::string *error);

} // namespace quartet::rt
#endif

// Typed access to the fields of a JSON object from a file that nobody has
// checked: every read has a type, a range and a message, and nothing throws.
// Config.cpp, Rope.cpp and GenerationConfig.cpp read through it.
#ifndef QUARTET_MODELS_JSONFIELDS_H
#define QUARTET_MODELS_JSONFIELDS_H
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace quartet {

/// Parses one JSON object. Refuses text over 16 MiB, nesting over 64 levels and
/// a top level that is not an object; a syntax error names its byte.
llvm::Expected<nlohmann::json> parseJsonObject(llvm::StringRef text,
                                               llvm::StringRef fileName);

/// Bounds of a number, both allowed.
template <typename T> struct Range { T min, max; };

/// The fields of one object. The first problem is kept in a string shared by
/// all views of the file; after it every getter returns its fallback (or the
/// lower bound), so a caller may read a group of fields and look at failed()
/// once. A field that is null counts as absent.
class JsonFields {
public:
  /// \p object and \p problem must outlive this. \p fileName and \p prefix
  /// ("text_config.") stand before field names in messages.
  JsonFields(const nlohmann::json &object, std::string fileName,
             std::string prefix, std::string &problem)
      : object(object), fileName(std::move(fileName)),
        prefix(std::move(prefix)), problem(problem) {}

  /// The value of \p key, or null when it is absent or null.
  const nlohmann::json *find(llvm::StringRef key) const;
  bool has(llvm::StringRef key) const { return find(key) != nullptr; }

  /// Without a fallback, an absent field is a problem.
  int64_t integer(llvm::StringRef key, Range<int64_t> range,
                  std::optional<int64_t> fallback = std::nullopt);
  double number(llvm::StringRef key, Range<double> range,
                std::optional<double> fallback = std::nullopt);
  bool boolean(llvm::StringRef key,
               std::optional<bool> fallback = std::nullopt);
  std::string string(llvm::StringRef key,
                     std::optional<std::string> fallback = std::nullopt);
  /// A list of integers, or one integer where \p orOne; empty when absent.
  std::vector<int64_t> integers(llvm::StringRef key, Range<int64_t> range,
                                bool orOne = false);
  /// The object at \p key; null when absent or not an object (a problem).
  const nlohmann::json *childObject(llvm::StringRef key);
  /// Fields of the object at \p key, which must be one.
  JsonFields nested(llvm::StringRef key, const nlohmann::json &value) const {
    return JsonFields(value, fileName, prefix + key.str() + ".", problem);
  }

  /// Records "FILE: PREFIX.key is FOUND; expected EXPECTED".
  void expected(llvm::StringRef key, const llvm::Twine &what);
  /// Records "FILE: message".
  void fail(const llvm::Twine &message);
  bool failed() const { return !problem.empty(); }
  llvm::Error takeError() const;
  /// "text_config.key", for messages.
  std::string path(llvm::StringRef key) const { return prefix + key.str(); }

private:
  const nlohmann::json &object;
  std::string fileName, prefix;
  std::string &problem;
};

/// \p value as JSON text, cut to 60 characters, for messages.
std::string shortText(const nlohmann::json &value);

} // namespace quartet
#endif

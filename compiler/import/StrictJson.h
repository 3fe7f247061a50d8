// Strict reading of hostile JSON as a stream of events: unlike a document tree
// it shows duplicate keys and takes no memory for what the reader does not
// keep.
#ifndef QUARTET_COMPILER_IMPORT_STRICTJSON_H
#define QUARTET_COMPILER_IMPORT_STRICTJSON_H
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include <nlohmann/json.hpp>
#include <string>

namespace quartet {

/// \p text for a message: control characters and bytes that are not UTF-8 are
/// escaped, long text is cut. A file can not write to the terminal through it.
std::string printable(llvm::StringRef text, size_t limit = 160);

/// Receives the events of one document. Every value but strings, non-negative
/// integers, objects and arrays goes to unexpected(). The first failure stops
/// the parser.
class JsonEvents : public nlohmann::json::json_sax_t {
public:
  /// What is wrong, without the file name; empty when nothing is.
  std::string error;

  // The events; the parser calls them.
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override {
    return unexpected("a negative number");
  }
  bool number_unsigned(number_unsigned_t) override {
    return unexpected("a number");
  }
  bool number_float(number_float_t, const string_t &text) override {
    std::string found = "the number " + printable(text, 40);
    return unexpected(found);
  }
  bool string(string_t &) override { return unexpected("a string"); }
  bool binary(binary_t &) override { return unexpected("binary data"); }
  bool start_object(std::size_t) override { return unexpected("an object"); }
  bool start_array(std::size_t) override { return unexpected("an array"); }
  bool end_object() override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string &lastToken,
                   const nlohmann::detail::exception &exception) override;

protected:
  /// Records \p message. \returns false, which stops the parser.
  bool fail(const llvm::Twine &message);
  /// A value of the kind \p found ("null", "a number") that is not allowed
  /// here.
  virtual bool unexpected(llvm::StringRef found) = 0;
};

/// Sends \p text, one whole document, to \p events. \returns true when it was
/// valid and accepted; otherwise events.error says what was wrong.
bool parseStrictJson(llvm::StringRef text, JsonEvents &events);

} // namespace quartet
#endif

// Checked reading of JSON fields. The text is scanned once without building
// anything, for depth and for the place of a syntax error, and then parsed.
#include "models/JsonFields.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using nlohmann::json;

namespace quartet {
namespace {

constexpr size_t maxBytes = size_t(16) << 20;
constexpr unsigned maxDepth = 64;

/// Builds nothing; remembers how deep the text nests and where it breaks.
struct Scan : nlohmann::json_sax<json> {
  unsigned depth = 0;
  bool tooDeep = false;
  std::string message;

  bool enter() {
    tooDeep = ++depth > maxDepth;
    return !tooDeep;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string &) override { return true; }
  bool string(std::string &) override { return true; }
  bool binary(json::binary_t &) override { return true; }
  bool start_object(size_t) override { return enter(); }
  bool key(std::string &) override { return true; }
  bool end_object() override { return --depth, true; }
  bool start_array(size_t) override { return enter(); }
  bool end_array() override { return --depth, true; }
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    message = "syntax error at byte " + std::to_string(position);
    return false;
  }
};

} // namespace

llvm::Expected<json> parseJsonObject(llvm::StringRef text,
                                     llvm::StringRef fileName) {
  auto error = [&](const llvm::Twine &message) {
    return llvm::createStringError(fileName + ": " + message);
  };
  if (text.size() > maxBytes)
    return error("has " + llvm::Twine(text.size()) +
                 " bytes; expected at most " + llvm::Twine(maxBytes));
  Scan scan;
  if (!json::sax_parse(text.begin(), text.end(), &scan)) {
    if (scan.tooDeep)
      return error("nests deeper than " + llvm::Twine(maxDepth) + " levels");
    return error(scan.message.empty() ? "is not JSON" : scan.message);
  }
  json value = json::parse(text.begin(), text.end(), nullptr,
                           /*allow_exceptions=*/false);
  if (!value.is_object())
    return error("holds " + llvm::StringRef(value.type_name()) +
                 "; expected a JSON object");
  return value;
}

std::string shortText(const json &value) {
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true,
                                json::error_handler_t::replace);
  if (text.size() > 60)
    text = text.substr(0, 57) + "...";
  return text;
}

const json *JsonFields::find(llvm::StringRef key) const {
  auto it = object.find(key.str());
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

void JsonFields::fail(const llvm::Twine &message) {
  if (!failed())
    problem = (fileName + ": " + message).str();
}

void JsonFields::expected(llvm::StringRef key, const llvm::Twine &what) {
  const json *value = find(key);
  fail(path(key) + " is " + (value ? shortText(*value) : "missing") +
       "; expected " + what);
}

llvm::Error JsonFields::takeError() const {
  return failed() ? llvm::createStringError(problem) : llvm::Error::success();
}

/// The value as a signed integer, if it is one and fits.
static std::optional<int64_t> asInteger(const json &value) {
  if (value.is_number_unsigned()) {
    uint64_t number = value.get<uint64_t>();
    if (number > uint64_t(INT64_MAX))
      return std::nullopt;
    return int64_t(number);
  }
  if (value.is_number_integer())
    return value.get<int64_t>();
  return std::nullopt;
}

static std::string rangeText(Range<int64_t> range) {
  return "an integer from " + std::to_string(range.min) + " to " +
         std::to_string(range.max);
}

int64_t JsonFields::integer(llvm::StringRef key, Range<int64_t> range,
                            std::optional<int64_t> fallback) {
  const json *value = find(key);
  if (!value && fallback)
    return *fallback;
  std::optional<int64_t> number = value ? asInteger(*value) : std::nullopt;
  if (number && *number >= range.min && *number <= range.max)
    return *number;
  expected(key, rangeText(range));
  return fallback.value_or(range.min);
}

double JsonFields::number(llvm::StringRef key, Range<double> range,
                          std::optional<double> fallback) {
  const json *value = find(key);
  if (!value && fallback)
    return *fallback;
  if (value && value->is_number()) {
    double number = value->get<double>();
    if (number >= range.min && number <= range.max)
      return number;
  }
  llvm::SmallString<64> text;
  llvm::raw_svector_ostream(text) << "a number from " << json(range.min).dump()
                                  << " to " << json(range.max).dump();
  expected(key, text);
  return fallback.value_or(range.min);
}

bool JsonFields::boolean(llvm::StringRef key, std::optional<bool> fallback) {
  const json *value = find(key);
  if (value && value->is_boolean())
    return value->get<bool>();
  if (value || !fallback)
    expected(key, "true or false");
  return fallback.value_or(false);
}

std::string JsonFields::string(llvm::StringRef key,
                               std::optional<std::string> fallback) {
  const json *value = find(key);
  if (value && value->is_string())
    return value->get<std::string>();
  if (value || !fallback)
    expected(key, "a string");
  return fallback.value_or("");
}

std::vector<int64_t> JsonFields::integers(llvm::StringRef key,
                                          Range<int64_t> range, bool orOne) {
  std::vector<int64_t> numbers;
  const json *value = find(key);
  if (!value)
    return numbers;
  auto append = [&](const json &element) {
    std::optional<int64_t> number = asInteger(element);
    bool ok = number && *number >= range.min && *number <= range.max;
    if (ok)
      numbers.push_back(*number);
    return ok;
  };
  bool ok = true;
  if (value->is_array())
    for (const json &element : *value)
      ok = ok && append(element);
  else
    ok = orOne && append(*value);
  if (!ok) {
    expected(key, (orOne ? "one or a list of " : "a list of ") +
                      llvm::Twine("integers from ") + llvm::Twine(range.min) +
                      " to " + llvm::Twine(range.max));
    numbers.clear();
  }
  return numbers;
}

const json *JsonFields::childObject(llvm::StringRef key) {
  const json *value = find(key);
  if (value && !value->is_object()) {
    expected(key, "an object");
    return nullptr;
  }
  return value;
}

} // namespace quartet

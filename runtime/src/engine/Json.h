// Typed access to JSON that never throws: every getter checks the type first
// and says whether the field was there and fitted.
#ifndef QUARTET_RUNTIME_ENGINE_JSON_H
#define QUARTET_RUNTIME_ENGINE_JSON_H
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace quartet::rt {

using Json = nlohmann::json;

/// A whole number >= 0 that fits an int64_t.
inline bool getCount(const Json &value, int64_t &out) {
  if (value.is_number_unsigned()) {
    uint64_t number = value.get<uint64_t>();
    if (number > uint64_t(INT64_MAX))
      return false;
    out = int64_t(number);
    return true;
  }
  if (!value.is_number_integer() || value.get<int64_t>() < 0)
    return false;
  out = value.get<int64_t>();
  return true;
}

/// The member \p key of an object, or null when \p object is none or lacks it.
inline const Json *find(const Json &object, const char *key) {
  if (!object.is_object())
    return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

inline bool getString(const Json &object, const char *key, std::string &out) {
  const Json *value = find(object, key);
  if (!value || !value->is_string())
    return false;
  out = value->get_ref<const std::string &>();
  return true;
}

/// How a value reads in an error message, cut to a readable length.
inline std::string describe(const Json *value) {
  if (!value)
    return "nothing";
  std::string text =
      value->dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

} // namespace quartet::rt
#endif

// Messages say what was found and what was expected.
#include "targets/ChipFields.h"
#include "llvm/ADT/StringExtras.h"

using namespace quartet;
using llvm::StringRef;
using nlohmann::json;

const json *ChipFields::get(const char *key) {
  known.insert(key);
  auto found = object.find(key);
  if (found != object.end())
    return &*found;
  fail(key, "is missing");
  return nullptr;
}

std::string ChipFields::text(const char *key) {
  const json *value = get(key);
  if (!value)
    return "";
  if (value->is_string() && !value->get_ref<const std::string &>().empty())
    return value->get<std::string>();
  expected(key, *value, "a text that is not empty");
  return "";
}

bool ChipFields::flag(const char *key) {
  const json *value = get(key);
  if (value && !value->is_boolean())
    expected(key, *value, "true or false");
  return value && value->is_boolean() && value->get<bool>();
}

int64_t ChipFields::integer(const char *key, int64_t least, int64_t most) {
  const json *value = get(key);
  if (!value)
    return least;
  // Large ones are unsigned; as int64_t they would turn negative.
  bool fits = value->is_number_integer() &&
              !(value->is_number_unsigned() &&
                value->get<uint64_t>() > uint64_t(INT64_MAX));
  if (fits && value->get<int64_t>() >= least && value->get<int64_t>() <= most)
    return value->get<int64_t>();
  expected(key, *value,
           "an integer from " + std::to_string(least) + " to " +
               std::to_string(most));
  return least;
}

double ChipFields::rate(const char *key) {
  const json *value = get(key);
  if (!value)
    return 0;
  if (value->is_number() && value->get<double>() > 0 &&
      value->get<double>() < 1e9)
    return value->get<double>();
  expected(key, *value, "a number over 0");
  return 0;
}

size_t ChipFields::word(const char *key, llvm::ArrayRef<StringRef> words) {
  std::string found = text(key);
  const auto *place = llvm::find(words, StringRef(found));
  if (place != words.end())
    return size_t(place - words.begin());
  if (!found.empty())
    expected(key, json(found), "one of " + llvm::join(words, ", "));
  return 0;
}

void ChipFields::group(const char *key,
                       llvm::function_ref<void(ChipFields &)> read) {
  const json *value = get(key);
  if (!value)
    return;
  if (!value->is_object())
    return expected(key, *value, "an object");
  ChipFields inner(*value, prefix + key + ".", problem);
  read(inner);
  inner.end();
}

std::string ChipFields::features(const char *key) {
  std::string joined;
  const json *list = get(key);
  if (!list)
    return joined;
  auto isFeature = [](const json &entry) {
    if (!entry.is_string())
      return false;
    const auto &text = entry.get_ref<const std::string &>();
    return text.size() > 1 && (text[0] == '+' || text[0] == '-') &&
           text.find(',') == std::string::npos;
  };
  if (!list->is_array() || !llvm::all_of(*list, isFeature)) {
    expected(key, *list, "a list of texts like \"+dotprod\"");
    return joined;
  }
  for (const json &entry : *list)
    joined += (joined.empty() ? "" : ",") + entry.get<std::string>();
  return joined;
}

void ChipFields::list(const char *key,
                      llvm::function_ref<void(ChipFields &)> read) {
  const json *found = get(key);
  if (!found)
    return;
  if (!found->is_array()) {
    expected(key, *found, "a list of objects");
    return;
  }
  for (size_t i = 0; i < found->size(); ++i) {
    const json &entry = (*found)[i];
    std::string place = key + ("[" + std::to_string(i) + "]");
    if (!entry.is_object()) {
      expected(place.c_str(), entry, "an object");
      return;
    }
    ChipFields fields(entry, prefix + place + ".", problem);
    read(fields);
    fields.end();
  }
}

std::vector<MatrixUnit> ChipFields::matrixUnits(const char *key) {
  static constexpr StringRef types[] = {"int4", "int8", "fp8",  "bf16",
                                        "f16",  "f32",  "int32"};
  std::vector<MatrixUnit> units;
  list(key, [&](ChipFields &unit) {
    MatrixUnit made;
    made.m = unit.integer("m", 1, 4096);
    made.n = unit.integer("n", 1, 4096);
    made.k = unit.integer("k", 1, 4096);
    made.a = types[unit.word("a", types)];
    made.b = types[unit.word("b", types)];
    made.sum = types[unit.word("sum", types)];
    units.push_back(made);
  });
  return units;
}

void ChipFields::expected(const char *key, const json &found,
                          const std::string &what) {
  fail(key, "is " + found.dump(-1, ' ', false, json::error_handler_t::replace) +
                "; expected " + what);
}

void ChipFields::fail(const std::string &key, const std::string &why) {
  if (problem.empty())
    problem = "field '" + prefix + key + "' " + why;
}

void ChipFields::end() {
  for (const auto &entry : object.items())
    if (!known.count(entry.key()))
      fail(entry.key(),
           "is not known; expected one of " + llvm::join(known, ", "));
}

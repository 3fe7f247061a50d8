// Builds the tree from the events of the strict parser.
#include "compiler/import/JsonTree.h"
#include "compiler/import/StrictJson.h"

using namespace llvm;
using nlohmann::json;

namespace quartet {
namespace {

class TreeEvents final : public JsonEvents {
public:
  explicit TreeEvents(unsigned maxDepth) : maxDepth(maxDepth) {}
  json root;

private:
  // All kinds of values are expected, so each event is overridden.
  bool unexpected(StringRef found) override {
    return fail(found + " found, expected JSON");
  }
  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override {
    return add(value) != nullptr;
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(value) != nullptr;
  }
  bool number_float(number_float_t value, const string_t &) override {
    return add(value) != nullptr;
  }
  bool string(string_t &value) override {
    return add(std::move(value)) != nullptr;
  }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override {
    parents.pop_back();
    return true;
  }
  bool end_array() override {
    parents.pop_back();
    return true;
  }
  bool key(string_t &name) override {
    auto [place, isNew] = parents.back()->emplace(name, nullptr);
    if (!isNew)
      return fail("member '" + printable(name) + "' is given twice");
    member = &*place;
    return true;
  }

  /// \returns where the value now is. Never null.
  json *add(json value) {
    if (parents.empty()) {
      root = std::move(value);
      return &root;
    }
    if (parents.back()->is_array()) {
      parents.back()->push_back(std::move(value));
      return &parents.back()->back();
    }
    *member = std::move(value);
    return member;
  }
  bool open(json container) {
    if (parents.size() == maxDepth)
      return fail("nested deeper than " + Twine(maxDepth) +
                  " levels, expected at most that");
    parents.push_back(add(std::move(container)));
    return true;
  }

  unsigned maxDepth;
  // The open containers. Adding to one moves no ancestor of it.
  std::vector<json *> parents;
  json *member = nullptr; // of the innermost object
};

} // namespace

Expected<json> parseJsonTree(StringRef text, StringRef fileName,
                             unsigned maxDepth) {
  TreeEvents events(maxDepth);
  if (!parseStrictJson(text, events))
    return createStringError(fileName + ": " + events.error);
  return std::move(events.root);
}

} // namespace quartet

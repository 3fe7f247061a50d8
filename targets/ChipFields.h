// Reading the objects of a chip's description, strictly: what is missing, of
// the wrong kind or unknown is a problem that names the field.
#ifndef QUARTET_TARGETS_CHIPFIELDS_H
#define QUARTET_TARGETS_CHIPFIELDS_H
#include "targets/Chips.h"
#include <nlohmann/json.hpp>
#include <set>

namespace quartet {

/// The fields of one object; the first problem is kept, and all fields that
/// were asked for, so that what is left is unknown. What a function returns
/// after a problem only has the right type.
class ChipFields {
public:
  /// \p prefix stands in front of the names in messages: "peak.". \p object
  /// and \p problem must outlive this.
  ChipFields(const nlohmann::json &object, std::string prefix,
             std::string &problem)
      : object(object), prefix(std::move(prefix)), problem(problem) {}

  /// The field, or null after a problem.
  const nlohmann::json *get(const char *key);
  std::string text(const char *key); ///< not empty
  bool flag(const char *key);
  /// From \p least to \p most, both allowed.
  int64_t integer(const char *key, int64_t least, int64_t most);
  double rate(const char *key); ///< more than zero
  /// The index in \p words of the field's.
  size_t word(const char *key, llvm::ArrayRef<llvm::StringRef> words);
  /// Lets \p read read the fields of an object, which must be all it has.
  void group(const char *key, llvm::function_ref<void(ChipFields &)> read);
  /// "+a,-b" of a list of texts.
  std::string features(const char *key);
  /// Lets \p read read the fields of each object of a list.
  void list(const char *key, llvm::function_ref<void(ChipFields &)> read);
  std::vector<MatrixUnit> matrixUnits(const char *key);

  void expected(const char *key, const nlohmann::json &found,
                const std::string &what);
  void fail(const std::string &key, const std::string &why);
  /// After all reads: anything else in the object is a problem.
  void end();

private:
  const nlohmann::json &object;
  std::string prefix;
  std::string &problem;
  std::set<std::string> known;
};

} // namespace quartet
#endif

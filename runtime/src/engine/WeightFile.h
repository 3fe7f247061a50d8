// The packed weights: a safetensors file beside the executable, mapped
// read-only, or the same bytes embedded in the executable. Treated as hostile
// input; a file that is not the one the executable was compiled with is refused
// before a single value is used.
#ifndef QUARTET_RUNTIME_ENGINE_WEIGHTFILE_H
#define QUARTET_RUNTIME_ENGINE_WEIGHTFILE_H
#include "quartet/abi.h"
#include "runtime/src/engine/Manifest.h"
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

/// Path of the running executable; argv[0] where the system does not say.
std::string executablePath(const char *argv0);

/// Where the weights are looked for: \p option when it is not empty, otherwise
/// the manifest's weights_file in the folder of \p executable.
std::string weightPath(const Manifest &manifest, const std::string &option,
                       const std::string &executable);

class WeightFile {
public:
  /// Maps \p path and checks it against \p manifest: identity first, then
  /// names, types, shapes and places of all tensors and the size of the file.
  /// Null on error; \p error then names the file, what was found, what was
  /// expected and the way out. \p executable is named in messages.
  static std::unique_ptr<WeightFile> open(const std::string &path,
                                          const Manifest &manifest,
                                          const std::string &executable,
                                          std::string *error);

  /// The same for a file image in memory, which must outlive the result.
  static std::unique_ptr<WeightFile> fromMemory(const void *data, uint64_t size,
                                                const Manifest &manifest,
                                                const std::string &executable,
                                                std::string *error);

  ~WeightFile();
  WeightFile(const WeightFile &) = delete;
  WeightFile &operator=(const WeightFile &) = delete;

  /// Base pointers in the manifest's order: quartet_step_args.weights.
  void *const *pointers() const { return bases.data(); }
  const void *image() const { return data; } ///< the whole file
  uint64_t bytes() const { return size; }    ///< of the whole file

private:
  WeightFile() = default;
  bool check(const std::string &file, const Manifest &manifest,
             const std::string &executable, std::string *error);

  const uint8_t *data = nullptr;
  uint64_t size = 0;
  bool mapped = false;
  std::vector<void *> bases;
};

} // namespace quartet::rt
#endif

// Writes a float32 matrix as a NumPy file, row by row in any order, without
// ever holding it in memory. The file appears under its name only when
// complete.
#ifndef QUARTET_RUNTIME_APP_NPYFILE_H
#define QUARTET_RUNTIME_APP_NPYFILE_H
#include <cstdint>
#include <memory>
#include <string>

namespace quartet::rt {

class NpyFile {
public:
  /// Creates PATH.tmp-<pid> for a matrix of \p rows x \p columns.
  static std::unique_ptr<NpyFile> create(const std::string &path, int64_t rows,
                                         int64_t columns, std::string *error);
  /// Removes the temporary file unless finish() succeeded.
  ~NpyFile();
  NpyFile(const NpyFile &) = delete;
  NpyFile &operator=(const NpyFile &) = delete;

  /// Writes row \p index from \p values, [columns].
  bool writeRow(int64_t index, const float *values, std::string *error);
  /// Gives the file its name. All rows must have been written.
  bool finish(std::string *error);

private:
  NpyFile() = default;
  bool write(const void *data, size_t size, uint64_t offset,
             std::string *error);

  std::string path, temporary;
  int fd = -1;
  int64_t columns = 0;
  uint64_t dataStart = 0;
};

} // namespace quartet::rt
#endif

// A library of the driver, opened while the program runs.
#ifndef QUARTET_RUNTIME_DEVICE_LIBRARY_H
#define QUARTET_RUNTIME_DEVICE_LIBRARY_H
#include <initializer_list>
#include <string>

namespace quartet::rt {

class Library {
public:
  /// Opens what the environment variable \p variable names, or else the first
  /// of \p names that the system finds. Never closed: drivers do not like it.
  /// \returns false, with the system's words in \p error, when there is none.
  bool open(const char *variable, std::initializer_list<const char *> names,
            std::string *error);

  /// The function \p name; null when the library has none.
  void *find(const char *name) const;

private:
  void *handle = nullptr;
};

} // namespace quartet::rt
#endif

// dlopen and dlsym, which are part of libc.
#include "runtime/src/device/Library.h"
#include <cstdlib>
#include <dlfcn.h>

namespace quartet::rt {

bool Library::open(const char *variable,
                   std::initializer_list<const char *> names,
                   std::string *error) {
  error->clear();
  auto tryOpen = [&](const char *name) {
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle && error->empty())
      if (const char *reason = dlerror())
        *error = reason;
    return handle != nullptr;
  };
  if (const char *path = getenv(variable))
    return tryOpen(path);
  for (const char *name : names)
    if (tryOpen(name))
      return true;
  return false;
}

void *Library::find(const char *name) const { return dlsym(handle, name); }

} // namespace quartet::rt

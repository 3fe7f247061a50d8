// Anonymous memory for the activations of a step: whole pages of 2 MiB where
// the system gives them, because a step walks through all of it again and
// again.
#ifndef QUARTET_RUNTIME_DEVICE_MEMORY_H
#define QUARTET_RUNTIME_DEVICE_MEMORY_H
#include <cstddef>
#include <cstdint>

namespace quartet::rt {

/// Owns a range of zeroed memory, aligned to at least 4096 bytes.
class Memory {
public:
  Memory() = default;
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Reserves \p bytes (any number, also 0) in place of what was there;
  /// committed by the system as it is touched. \returns false, with errno set,
  /// when the system refuses.
  bool allocate(uint64_t bytes);

  uint8_t *data() const { return start; } ///< never null after allocate
  uint64_t size() const { return bytes; }

private:
  void release();

  void *mapping = nullptr;
  size_t mappedBytes = 0;
  uint8_t *start = nullptr;
  uint64_t bytes = 0;
};

} // namespace quartet::rt
#endif

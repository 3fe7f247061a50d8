// What is known of each byte of memory that kernels write: its last write and
// its last reads. Kept for words of 4 bytes, and for single bytes where they
// differ; in pages that appear at the first access.
#ifndef QUARTET_RUNTIME_EMULATOR_SHADOW_H
#define QUARTET_RUNTIME_EMULATOR_SHADOW_H
#include "runtime/src/emulator/Clock.h"
#include <cstdint>
#include <string>
#include <vector>

namespace quartet::emu {

struct Cell {
  Mark write, read; ///< reads since the write
  const char *writeSite, *readSite;
};

/// Cells of a piece of memory. Moves, doesn't copy.
class Shadow {
public:
  Shadow() = default;
  Shadow(Shadow &&other) : pages(std::move(other.pages)) {}
  Shadow &operator=(Shadow &&other) {
    pages.swap(other.pages);
    return *this;
  }
  ~Shadow();

  void resize(uint64_t bytes);

  /// The cell of the word at \p offset, a multiple of 4.
  Cell &word(uint64_t offset) {
    Page *&page = pages[offset >> kPageBits];
    if (__builtin_expect(!page, 0))
      page = newPage();
    return page->words[(offset & (kPageBytes - 1)) >> 2];
  }
  /// Whether the cells of the words of [offset, offset + bytes) are one array.
  static bool inOnePage(uint64_t offset, uint64_t bytes) {
    return (offset & (kPageBytes - 1)) + bytes <= kPageBytes;
  }
  /// The cells of its 4 bytes, which count when the word has who::kSplit.
  Cell *bytes(uint64_t offset);

private:
  static constexpr unsigned kPageBits = 12;
  static constexpr uint64_t kPageBytes = uint64_t(1) << kPageBits;
  struct Page {
    Cell words[kPageBytes / 4];
    Cell *bytes;
  };
  static Page *newPage();
  std::vector<Page *> pages;
};

/// Memory that has a shadow: a region, or the shared memory of a block.
struct Space {
  Shadow shadow;
  uintptr_t base = 0;  ///< a multiple of 4, where offset 0 of the shadow is
  uintptr_t begin = 0; ///< what accesses may touch
  uint64_t size = 0;   ///< bytes from there
  /// Writes before this tick don't count as such: the contents are undefined.
  uint32_t definedSince = 0;
  bool shared = false;
  bool readOnly = false; ///< and so without a shadow
  std::string name;

  bool holds(uintptr_t address, uint64_t bytes) const {
    return address - begin <= size && bytes <= size - (address - begin);
  }
};

} // namespace quartet::emu
#endif

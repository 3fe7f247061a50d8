// The pages of the shadow. Memory that the system doesn't give ends the
// program: nothing can be checked without it.
#include "runtime/src/emulator/Shadow.h"
#include <cstdio>
#include <cstdlib>

using namespace quartet::emu;

static void *zeros(size_t bytes) {
  void *memory = std::calloc(1, bytes);
  if (!memory) {
    std::fputs("error: no memory for the emulator's shadow\n", stderr);
    std::abort();
  }
  return memory;
}

Shadow::~Shadow() {
  for (Page *page : pages)
    if (page) {
      std::free(page->bytes);
      std::free(page);
    }
}

void Shadow::resize(uint64_t bytes) {
  pages.resize((bytes + kPageBytes - 1) >> kPageBits, nullptr);
}

Shadow::Page *Shadow::newPage() {
  return static_cast<Page *>(zeros(sizeof(Page)));
}

Cell *Shadow::bytes(uint64_t offset) {
  Page *&page = pages[offset >> kPageBits];
  if (!page)
    page = newPage();
  if (!page->bytes)
    page->bytes = static_cast<Cell *>(zeros(kPageBytes * sizeof(Cell)));
  return page->bytes + (offset & (kPageBytes - 1) & ~uint64_t(3));
}

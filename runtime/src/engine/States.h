// The memory that sequences keep between steps: one slot per sequence in the
// states with slots (convolution windows, delta-rule matrices), and 64-token
// pages in the states with pages (KV cache). Reserved at once; the system
// commits it as it is touched, a device does at once.
#ifndef QUARTET_RUNTIME_ENGINE_STATES_H
#define QUARTET_RUNTIME_ENGINE_STATES_H
#include "runtime/src/device/Device.h"
#include "runtime/src/engine/Manifest.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quartet::rt {

/// Pages that hold \p tokens tokens.
inline int64_t pagesFor(int64_t tokens) {
  return (tokens + QUARTET_PAGE_TOKENS - 1) / QUARTET_PAGE_TOKENS;
}

class States {
public:
  /// Reserves memory for all states of \p manifest with \p slots slots and
  /// \p pages pages, both >= 1, on \p device or, where it is null, on this
  /// machine. Null when the memory does not suffice.
  static std::unique_ptr<States> create(const Manifest &manifest, int64_t slots,
                                        int64_t pages, std::string *error,
                                        Device *device = nullptr);
  ~States();
  States(const States &) = delete;
  States &operator=(const States &) = delete;

  /// Base pointers in the manifest's order: quartet_step_args.states. Of a
  /// device, they are its addresses.
  void *const *pointers() const { return bases.data(); }
  std::vector<DeviceAddress> addresses() const;
  /// Bytes of a state, with all slots or pages.
  uint64_t bytes(size_t state) const { return regions[state].bytes; }
  int64_t slots() const { return slotCount; }
  int64_t pages() const { return pageCount; }

  /// A slot whose bytes are all zero in every state with slots; -1 when all are
  /// taken.
  int32_t allocateSlot();
  void freeSlot(int32_t slot);
  /// Copies the bytes of \p slot in \p state, which has slots (its number in
  /// the manifest), to \p out, [bytesPerUnit()]; leading dimensions first.
  /// Fails only on a device, with \p error set.
  bool copySlot(size_t state, int32_t slot, uint8_t *out,
                std::string *error) const;

  /// A page number, the same in every state with pages; -1 when all are taken.
  /// What it holds is undefined but was written by the model or is zero.
  int32_t allocatePage();
  void freePage(int32_t page);
  int64_t freePages() const { return int64_t(pageList.size()); }

private:
  struct Region {
    uint8_t *base = nullptr;
    size_t bytes = 0;
    // Units (slots or pages) are `inner` bytes each, adjacent, and that is
    // repeated `outer` times (the dimensions before, usually the block).
    int64_t outer = 1, inner = 1;
    bool paged = false;
  };
  States() = default;
  /// Memory for a region; \returns false with \p error set.
  bool reserve(Region &region, const StateInfo &info, int64_t bytes,
               int64_t units, std::string *error);
  void zeroSlot(int32_t slot);

  Device *device = nullptr; ///< null: this machine
  int64_t slotCount = 0, pageCount = 0;
  std::vector<Region> regions;
  std::vector<void *> bases;
  std::vector<int32_t> slotList, pageList; ///< free ones, lowest last
  std::vector<bool> slotUsed;              ///< was ever handed out
};

} // namespace quartet::rt
#endif

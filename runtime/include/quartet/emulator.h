/* What device code becomes on the host: the pass gpu-to-emulator replaces each
 * memory access, barrier, shuffle, matrix instruction and asynchronous copy of
 * a kernel by a call of one of these functions, and the kernel by a function
 * that every thread of every block runs as a fibre. The emulator checks what
 * hardware does not: bounds, races, reads of memory that nobody wrote, missing
 * waits, barriers that not all threads reach.
 *
 * `site` is a constant text that says which op of the schedule the access
 * belongs to ("l0.in / matmul / weights"); it stands in reports. Addresses are
 * the host's. Needs <stdint.h> only; C99 and C++17. */
#ifndef QUARTET_EMULATOR_H
#define QUARTET_EMULATOR_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// Where the calling thread is.
int64_t quartet_emu_thread(void); ///< in its block
int64_t quartet_emu_block(void);
int64_t quartet_emu_blocks(void);
/// Nanoseconds of a clock that all threads share.
int64_t quartet_emu_clock(void);
/// The dynamic shared memory of the calling thread's block.
void *quartet_emu_shared(void);

/// Before an ordinary access of \p bytes at \p address, which lies in the
/// block's shared memory, in device memory, or on the fibre's stack. \p align:
/// what the code generators were promised that the address is a multiple of.
void quartet_emu_read(const void *address, int64_t bytes, int64_t align,
                      const char *site);
void quartet_emu_write(void *address, int64_t bytes, int64_t align,
                       const char *site);

/// All threads of the block meet; orders what they did before it in front of
/// what they do behind it.
void quartet_emu_barrier(const char *site);
/// The threads of a warp group (\p threads: 128) meet at their own barrier
/// number \p barrier, 1 to 15; orders what they did before and do behind it.
void quartet_emu_group_barrier(int32_t barrier, int32_t threads,
                               const char *site);
/// The lanes of \p mask of a warp meet (__syncwarp).
void quartet_emu_warp_barrier(uint64_t mask, const char *site);
/// Value of lane `lane ^ mask` (of lane `index`) of the warp; lanes of the
/// whole warp meet.
uint32_t quartet_emu_shuffle_xor(uint32_t value, int32_t mask,
                                 const char *site);
uint32_t quartet_emu_shuffle_index(uint32_t value, int32_t index,
                                   const char *site);
/// Bit l: lane l's predicate; lanes of the whole warp meet.
uint64_t quartet_emu_ballot(int32_t predicate, const char *site);

/// Matrix instructions: D = A B + C with the lanes' registers as the hardware
/// has them. Names are those of the vendors.
enum quartet_emu_matrix {
  // PTX mma.sync: A 4 words (bf16: 4), B 2, C and D 4. Warps of 32.
  QUARTET_EMU_MMA_M16N8K32_S8_S8 = 1,
  QUARTET_EMU_MMA_M16N8K32_U8_S8 = 2,
  QUARTET_EMU_MMA_M16N8K16_BF16 = 3,
  QUARTET_EMU_MMA_M16N8K16_F16 = 4,
  // v_mfma_*: warps of 64, C and D 4 words.
  QUARTET_EMU_MFMA_16X16X16_I8 = 16,   ///< gfx90a: A and B 1 word
  QUARTET_EMU_MFMA_16X16X32_I8 = 17,   ///< gfx942: 2 words
  QUARTET_EMU_MFMA_16X16X64_I8 = 18,   ///< gfx950: 4 words
  QUARTET_EMU_MFMA_16X16X16_BF16 = 19, ///< gfx90a, gfx942 (_1k): 2 words
  QUARTET_EMU_MFMA_16X16X32_BF16 = 20, ///< gfx950: 4 words
  // v_wmma_*: warps of 32, C and D 8 words.
  QUARTET_EMU_WMMA11_16X16X16_BF16 = 32, ///< gfx11: A and B 8 words
  QUARTET_EMU_WMMA11_16X16X16_IU8 = 33,  ///< gfx11: 4 words, both signed
  QUARTET_EMU_WMMA12_16X16X16_BF16 = 34, ///< gfx12: A and B 4 words
  QUARTET_EMU_WMMA12_16X16X16_IU8 = 35,  ///< gfx12: 2 words, both signed
  // The same with A unsigned.
  QUARTET_EMU_WMMA11_16X16X16_UI8 = 36,
  QUARTET_EMU_WMMA12_16X16X16_UI8 = 37
};
/// \p a, \p b, \p c, \p d: the calling lane's registers, on its stack; d may be
/// c. Lanes of the whole warp meet.
void quartet_emu_mma(int32_t kind, const uint32_t *a, const uint32_t *b,
                     const uint32_t *c, uint32_t *d, const char *site);

/// ldmatrix.x1/.x2/.x4 (transposed: .trans) of 8x8 tiles of 16 bits: \p row is
/// what the lane gives as address; writes \p tiles words to \p words.
void quartet_emu_ldmatrix(uint32_t *words, const void *row, int32_t tiles,
                          int32_t transposed, const char *site);

/// wgmma with A in registers, from its fence to its wait: a warp's 16 rows of
/// the 64, times \p columns rows of B in shared memory, summed over \p steps. A
/// step has four words of \p a as of an mma and 32 bytes of each row of B,
/// where its descriptor says; \p d receives four words for each eight columns.
/// Lanes of the whole warp meet, and the four warps of a group must do the same
/// between two barriers.
enum quartet_emu_group_element {
  QUARTET_EMU_GROUP_S8 = 1,
  QUARTET_EMU_GROUP_BF16 = 2
};
void quartet_emu_group_multiply(int32_t element, int32_t columns, int32_t steps,
                                const uint64_t *descriptors, const uint32_t *a,
                                uint32_t *d, const char *site);
/// fence.proxy.async of shared memory: what has arrived there for the calling
/// thread may be read by quartet_emu_group_multiply and written over by bulk
/// copies, and barriers that it has begun be told of those.
void quartet_emu_group_fence(void);

/// cp.async: \p bytes (4, 8, 16) from device memory to shared memory; behind
/// the first \p source_bytes zeros. Arrives as late as the rules allow: at the
/// wait, until which the destination must not be touched.
void quartet_emu_copy_async(void *shared, const void *global, int32_t bytes,
                            int32_t source_bytes, const char *site);
void quartet_emu_commit_group(void);
/// Waits until at most \p pending of the thread's groups are in flight.
void quartet_emu_wait_group(int32_t pending);

/// mbarrier in the block's shared memory: a barrier of \p arrivals arrivals for
/// bulk copies (cp.async.bulk). It completes, and the copies arrive, as late as
/// the rules allow: when all have arrived and a thread waits for it.
void quartet_emu_transfer_begin(void *barrier, int32_t arrivals,
                                const char *site);
void quartet_emu_transfer_end(void *barrier, const char *site);
/// mbarrier.arrive.expect_tx
void quartet_emu_transfer_expect(void *barrier, int32_t bytes,
                                 const char *site);
/// \p bytes, a multiple of 16, to which both addresses are aligned.
void quartet_emu_transfer_copy(void *shared, const void *global, void *barrier,
                               int32_t bytes, const char *site);
/// mbarrier.try_wait.parity in a loop: others may look at what the copies have
/// brought behind their own wait, or behind a barrier.
void quartet_emu_transfer_wait(void *barrier, int32_t parity, const char *site);

/// Atomic operations on device memory. \p order: 0 relaxed, 1 acquire, 2
/// release, 3 both. Return the value before.
uint32_t quartet_emu_atomic_add(uint32_t *address, uint32_t value,
                                int32_t order, const char *site);
uint32_t quartet_emu_atomic_load(const uint32_t *address, int32_t order,
                                 const char *site);
void quartet_emu_atomic_store(uint32_t *address, uint32_t value, int32_t order,
                              const char *site);
/// A fence of the whole device (membar.gl).
void quartet_emu_fence(const char *site);

/// griddepcontrol.wait and .launch_dependents.
void quartet_emu_dependency_wait(void);
void quartet_emu_dependency_launch(void);

#ifdef __cplusplus
}
#endif
#endif

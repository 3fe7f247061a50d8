// The calls of a warp's matrix instructions: the lane that comes last works for
// all.
#include "runtime/src/emulator/Meet.h"

using namespace quartet::emu;

void quartet_emu_mma(int32_t kind, const uint32_t *a, const uint32_t *b,
                     const uint32_t *c, uint32_t *d, const char *site) {
  Thread &t = *current;
  int lanes = matrixLanes(kind);
  if (lanes != int(laneCount(t)))
    badInstruction(t, site, "instruction",
                   lanes ? "has a matrix instruction of warps of " +
                               std::to_string(lanes) + " in a warp of " +
                               std::to_string(laneCount(t))
                         : "has matrix instruction " + std::to_string(kind) +
                               ", which is unknown");
  t.operands.words = {a, b, c, d};
  uint32_t together = meetingKind(Together::Matrix, uint32_t(kind));
  if (!meet(t, wholeWarp(t), together, site))
    return;
  LaneWords words[64];
  for (uint32_t lane = 0; lane < uint32_t(lanes); ++lane)
    words[lane] = laneOf(t, lane).operands.words;
  int odd = multiplyMatrices(kind, words);
  if (odd >= 0)
    t.machine->report(ReportKind::BadInstruction, site, nullptr,
                      "bad operands: " + nameOf(laneOf(t, uint32_t(odd))) +
                          " at " + quoted(site) +
                          " has other words of A or B than lane " +
                          std::to_string(odd - 16) +
                          " of its warp, though the instruction wants copies");
  release(t, wholeWarp(t));
}

/// Reads \p bytes of shared memory as lane \p lane.
static void readShared(Thread &lane, uintptr_t address, void *to,
                       uint32_t bytes, const char *site) {
  Space &shared = lane.block->shared;
  checkRead(lane, shared, address - shared.base, bytes, site);
  std::memcpy(to, reinterpret_cast<const void *>(address), bytes);
}

void quartet_emu_ldmatrix(uint32_t *words, const void *row, int32_t tiles,
                          int32_t transposed, const char *site) {
  Thread &t = *current;
  Machine &m = *t.machine;
  auto address = reinterpret_cast<uintptr_t>(row);
  if ((tiles != 1 && tiles != 2 && tiles != 4) || laneCount(t) != 32)
    badInstruction(t, site, "instruction",
                   "has an ldmatrix of " + std::to_string(tiles) +
                       " tiles, expected 1, 2 or 4 in a warp of 32");
  // Only the lanes whose number is that of a row give an address.
  if (t.lane < uint32_t(8 * tiles)) {
    if (!t.block->shared.holds(address, 16))
      m.outOfBounds(t, address, 16, false, site);
    if (address & 15)
      badInstruction(
          t, site, "instruction",
          "has an ldmatrix of a row whose address isn't a multiple of 16");
  }
  t.operands.words.d = words;
  t.operands.row = row;
  uint32_t together = meetingKind(Together::LoadMatrix,
                                  uint32_t(tiles) * 2 + (transposed != 0));
  if (!meet(t, wholeWarp(t), together, site))
    return;
  auto rowOf = [&](uint32_t tile, uint32_t index) {
    return reinterpret_cast<uintptr_t>(
        laneOf(t, 8 * tile + index).operands.row);
  };
  for (uint32_t lane = 0; lane < 32; ++lane) {
    Thread &reader = laneOf(t, lane);
    for (uint32_t tile = 0; tile < uint32_t(tiles); ++tile) {
      uint32_t &word = reader.operands.words.d[tile];
      if (!transposed) {
        readShared(reader, rowOf(tile, lane / 4) + 4 * (lane % 4), &word, 4,
                   site);
        continue;
      }
      uint16_t halves[2];
      for (uint32_t i = 0; i < 2; ++i)
        readShared(reader, rowOf(tile, 2 * (lane % 4) + i) + 2 * (lane / 4),
                   &halves[i], 2, site);
      word = uint32_t(halves[0]) | uint32_t(halves[1]) << 16;
    }
  }
  release(t, wholeWarp(t));
}

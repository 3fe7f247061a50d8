// Matrix instructions on the registers of all lanes of a warp.
#ifndef QUARTET_RUNTIME_EMULATOR_MATRIX_H
#define QUARTET_RUNTIME_EMULATOR_MATRIX_H
#include <cstdint>

namespace quartet::emu {

/// The registers of one lane; d may be c.
struct LaneWords {
  const uint32_t *a, *b, *c;
  uint32_t *d;
};

/// Lanes of the warps that have instruction \p kind (quartet_emu_matrix); 0:
/// there is no such instruction.
int matrixLanes(int32_t kind);

/// D = A B + C on matrixLanes(kind) lanes. Integers wrap. Floating-point: the
/// products, which are exact in f32, are added to C one after the other, in
/// the order of k, each sum rounded to f32; hardware groups and rounds them
/// in ways of its own. Returns -1, or the first lane whose A or B is not the
/// copy of another lane's that the hardware requires.
int multiplyMatrices(int32_t kind, const LaneWords *lanes);

} // namespace quartet::emu
#endif

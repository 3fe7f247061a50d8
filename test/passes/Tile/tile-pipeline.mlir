// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-pipeline | FileCheck %s
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-pipeline=prefetch-bytes=4096 | FileCheck %s --check-prefix=BYTES
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-pipeline=prefetch-bytes=0 | FileCheck %s --check-prefix=NONE
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-pipeline -tile-pipeline | FileCheck %s
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-pipeline -tile-verify-schedule -o /dev/null

// NONE-NOT: tile.prefetch
// BYTES: tile.prefetch @in bytes 4096

// Nothing to read, and nothing to wait for.
// CHECK-LABEL: tile.phase @embed
// CHECK-NOT:     tile.prefetch
// The first matrix of the phase, once, before the waits.
// CHECK-LABEL: tile.phase @delta_in
// CHECK-NEXT:    tile.prefetch @in bytes 65536
// CHECK-NEXT:    tile.wait
// CHECK-NOT:     tile.prefetch
// CHECK-LABEL: tile.phase @delta
// CHECK-NOT:     tile.prefetch
// CHECK-LABEL: tile.phase @delta_out
// CHECK-NEXT:    tile.prefetch @delta_out bytes 65536
// CHECK-NEXT:    tile.wait
// Which experts are needed is not known before the wait.
// CHECK-LABEL: tile.phase @experts_up
// CHECK-NOT:     tile.prefetch
// CHECK-LABEL: tile.phase @experts_down
// CHECK-NOT:     tile.prefetch
// CHECK-LABEL: tile.phase @attn_in
// CHECK-NEXT:    tile.prefetch @qkv bytes 65536

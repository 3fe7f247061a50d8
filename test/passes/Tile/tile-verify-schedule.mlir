// What is accepted, with what is emitted: nothing, or why each wait is there.
// RUN: quartet-opt %s -tile-verify-schedule=explain -verify-diagnostics -o /dev/null
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-verify-schedule -o %t.mlir 2>&1 | count 0
// RUN: not quartet-opt %S/Inputs/hybrid.mlir -tile-verify-schedule=local-bytes=2303 -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOCAL
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-verify-schedule=local-bytes=2304 -o /dev/null
// RUN: not quartet-opt %S/Inputs/hybrid.mlir -tile-verify-schedule=scratch-bytes=8192 -o /dev/null 2>&1 | FileCheck %s --check-prefix=SCRATCH
// RUN: not quartet-opt %S/Inputs/hybrid.mlir -tile-plan-memory -tile-verify-schedule=scratch-bytes=4096 -o /dev/null 2>&1 | FileCheck %s --check-prefix=PLANNED
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-plan-memory -tile-verify-schedule=scratch-bytes=32768 -o /dev/null

// LOCAL: error: phase @delta_in needs 2304 bytes of local memory; a worker has 2303
// SCRATCH: error: step @few needs {{[0-9]+}} bytes of scratch memory; there are 8192
// PLANNED: error: step @few needs {{[0-9]+}} bytes of scratch memory; there are 4096

tile.program @p {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @a : memref<4x16xf32>
    tile.buffer @b : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.event @unused
    // A signal that nobody waits for is no error.
    tile.phase @write {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @a[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @read {
      // expected-remark @+1 {{phase @read waits for @e: needed, 'tile.rope_table' writes @a of phase @write before 'tile.stage' reads @a of phase @read}}
      tile.wait @e
      %s = tile.stage plain @a : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      tile.signal @f
    }
    tile.phase @again {
      // expected-remark @+1 {{phase @again waits for @e: redundant, other waits order the same}}
      tile.wait @e
      // expected-remark @+1 {{phase @again waits for @f: needed, 'tile.stage' reads @a of phase @read before 'tile.rope_table' writes @a of phase @again}}
      tile.wait @f
      // One task at most: it needs no coordinate of its own.
      tile.tasks [<tokens 4>, <count 1>] {
      ^bb0(%t: index, %i: index):
        tile.rope_table @a[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @unused
    }
  }
}

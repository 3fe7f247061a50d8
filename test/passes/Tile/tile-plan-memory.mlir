// RUN: quartet-opt %s -tile-plan-memory | FileCheck %s
// RUN: quartet-opt %s -tile-plan-memory -tile-verify-schedule -o /dev/null
// RUN: quartet-opt %S/Inputs/hybrid.mlir -tile-plan-memory -tile-verify-schedule -o /dev/null

// a, b and c follow each other, and waits order their phases: a and c share.
// d is written before the loop and read in every repetition, so nothing in the
// loop may use its memory. w is written in each repetition before it is read.
// CHECK-LABEL: tile.program @lifetimes
tile.program @lifetimes {
  // CHECK: tile.step @s few tokens 4 sequences 2 scratch 768 scratch_per_page 0 local 256
  tile.step @s few tokens 4 sequences 2 {
    // CHECK-DAG: tile.buffer @a at [[A:0|256|512]] :
    // CHECK-DAG: tile.buffer @c at [[A]] :
    tile.buffer @a : memref<4x16xf32>
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.buffer @d : memref<4x16xf32>
    tile.event @e0
    tile.event @e1
    tile.event @e2
    tile.phase @before {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @d[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e0
    }
    tile.layers repeat 3 {
      tile.phase @p0 {
        tile.wait @e0
        tile.wait previous @e2
        %s = tile.stage plain @d : !tile.rows<4, 16, 0>
        tile.tasks [<tokens 4>] {
        ^bb0(%t: index):
          tile.rope_table @a[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e1
      }
      tile.phase @p1 {
        tile.wait @e1
        %s = tile.stage plain @a : !tile.rows<4, 16, 0>
        tile.tasks [<tokens 4>] {
        ^bb0(%t: index):
          tile.rope_table @b[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e2
      }
    }
    tile.phase @after {
      tile.wait @e2
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @c[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// One is never needed with the other, but nothing says when the late workers of
// @p are done: no sharing.
// CHECK-LABEL: tile.program @no_order
tile.program @no_order {
  // CHECK: tile.step @s few tokens 4 sequences 2 scratch 512 scratch_per_page 0 local 0
  tile.step @s few tokens 4 sequences 2 {
    // CHECK: tile.buffer @a at 0 :
    tile.buffer @a : memref<4x16xf32>
    // CHECK: tile.buffer @b at 256 :
    tile.buffer @b : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @a[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
    tile.phase @q {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// The value of b crosses to the next repetition: live throughout the loop.
// CHECK-LABEL: tile.program @carried
tile.program @carried {
  // CHECK: tile.step @s few tokens 4 sequences 2 scratch 512 scratch_per_page 0 local 256
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @a : memref<4x16xf32>
    tile.buffer @b : memref<4x16xf32>
    tile.event @e0
    tile.event @e1
    tile.event @e2
    tile.phase @before {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e0
    }
    tile.layers repeat 2 {
      tile.phase @use {
        tile.wait @e0
        tile.wait previous @e2
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
        tile.signal @e1
      }
      tile.phase @other {
        tile.wait @e1
        tile.tasks [<tokens 4>] {
        ^bb0(%t: index):
          tile.rope_table @a[%t] tile 4 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e2
      }
    }
  }
}

// Pieces lie behind everything else, one behind the other: 2 * 256 bytes for
// each 4 pages, and room for a last piece that is not full.
// CHECK-LABEL: tile.program @pieces
tile.program @pieces {
  // CHECK: tile.step @s few tokens 4 sequences 2 scratch 768 scratch_per_page 128 local 0
  tile.step @s few tokens 4 sequences 2 {
    // CHECK: tile.buffer @a at 0 :
    tile.buffer @a : memref<4x16xf32>
    // CHECK: tile.buffer @q pieces of 4 pages at 0 :
    tile.buffer @q pieces of 4 pages : memref<4x1x?x16xf32>
    // CHECK: tile.buffer @r pieces of 4 pages at 256 :
    tile.buffer @r pieces of 4 pages : memref<4x1x?x15xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @a[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
        tile.rope_table @q[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
        tile.rope_table @r[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
      }
    }
  }
}

// Logits make room once experts are chosen; the choice stays until the last phase
// that sorts it, and takes no local memory.
// CHECK-LABEL: tile.program @chosen
tile.program @chosen {
  // CHECK: tile.step @s many tokens 4 sequences 2 scratch 384 scratch_per_page 0 local 448
  tile.step @s many tokens 4 sequences 2 {
    // CHECK-DAG: tile.buffer @l at [[L:[0-9]+]] :
    // CHECK-DAG: tile.buffer @b at [[L]] :
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x2xi32>
    tile.buffer @w : memref<4x2xf32>
    tile.buffer @b : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.event @g
    tile.phase @logits {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @l[%t] tile 2 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @choose {
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 0 to @c weights @w
      }
      tile.signal @f
    }
    tile.phase @p {
      tile.wait @f
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @g
    }
    tile.phase @up {
      tile.wait @g
      %g = tile.route @c weights @w experts 4 top_k 2 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}

// -----

// What was prepared stays until the scan, which needs the projections, but no controls.
tile.program @prepared {
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  // CHECK: tile.step @s many tokens 4 sequences 2 scratch 7936
  tile.step @s many tokens 4 sequences 2 {
    // CHECK-DAG: tile.buffer @k at [[K:[0-9]+]] :
    // CHECK-DAG: tile.buffer @b at [[K]] :
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @b : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.event @g
    tile.phase @inputs {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @in[%t] tile 2 inv_freq [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        tile.rope_table @k[%t] tile 2 inv_freq [1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @prepare {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @f
    }
    tile.phase @p {
      tile.wait @f
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 1.0, 1.0, 1.0] axes [0, 0, 0, 0] scale 1.0
      }
      tile.signal @g
    }
    tile.phase @scan {
      tile.wait @g
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window state @state to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

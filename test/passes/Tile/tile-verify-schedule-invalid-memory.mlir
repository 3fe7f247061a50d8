// Schedules that miss weights or whose memory does not fit, in one way each.
// RUN: quartet-opt %s -split-input-file -tile-verify-schedule -verify-diagnostics

// Rows 32 to 47 of @m are missing.
tile.program @gap {
  tile.matrix @m rows 48 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{ends at row 32 of @m, but the step reads no rows 32 to 47}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// Rows 0 to 15 of @m are missing.
tile.program @gap_at_the_start {
  tile.matrix @m rows 48 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{begins at row 16 of @m, but the step reads no rows 0 to 15}}
        %w = tile.stream @m[%r] rows 16 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// Rows 16 to 31 are read by two streams.
tile.program @twice {
  tile.matrix @m rows 48 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.buffer @d : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-note @+1 {{read here}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{reads rows 16 to 31 of @m again}}
        %w = tile.stream @m[%r] rows 16 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @d[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// A tile that nobody multiplies.
tile.program @unused_tile {
  tile.matrix @m rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{reads @m for 0 uses; a tile is used exactly once}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
      }
    }
  }
}

// -----

// Three tasks for two tiles.
tile.program @tasks_without_tile {
  tile.matrix @m rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 3>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{has 3 tasks for the 2 tiles of 16 that 32 columns or rows of @m have}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// Two tasks of 16 columns for three tiles.
tile.program @store_tasks {
  tile.matrix @m rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @d : memref<4x48xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          // expected-error @+1 {{has 2 tasks for the 3 tiles of 16 that 48 columns or rows of @d have}}
          tile.store %acc to @d[%t, %r] of 48 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// Each of four tasks reads all rows.
tile.program @every_task_reads {
  tile.matrix @m rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @q : memref<4x4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>, <count 4>] {
      ^bb0(%t: index, %r: index, %h: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{reads the same rows in every task of coordinate 2, <count 4>}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          
        }
      }
    }
  }
}

// -----

// A matrix with two repetitions, read once.
tile.program @repeat {
  tile.matrix @m repeat 2 rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        // expected-error @+1 {{runs 1 times in phase @p, but @m has 2 repetitions}}
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// A matrix with one repetition, read in each of two.
tile.program @repeat_in_loop {
  tile.matrix @m rows 32 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.layers repeat 2 {
      tile.phase @p {
        tile.wait @e
        tile.wait previous @f
        tile.tasks [<tokens 2>, <count 2>] {
        ^bb0(%t: index, %r: index):
          %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
          // expected-error @+1 {{runs 2 times in phase @p, but @m has 1 repetition}}
          %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
          tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
          ^bb0(%acc: !tile.acc<2, 16>):
            tile.store %acc to @c[%t, %r] of 32 : !tile.acc<2, 16>
          }
        }
        tile.signal @f
      }
    }
  }
}

// -----

// One buffer has no place.
tile.program @plan_missing {
  tile.step @s few tokens 4 sequences 2 scratch 256 {
    tile.buffer @b at 0 : memref<4x16xf32>
    // expected-error @+1 {{buffer @c has no place, but others have}}
    tile.buffer @c : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// A place that is not aligned.
tile.program @plan_unaligned {
  tile.step @s few tokens 4 sequences 2 scratch 512 {
    // expected-error @+1 {{buffer @b stands at 32, no multiple of 64}}
    tile.buffer @b at 32 : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// A place behind the scratch memory.
tile.program @plan_outside {
  tile.step @s few tokens 4 sequences 2 scratch 256 {
    // expected-error @+1 {{buffer @b ends at 320, behind the scratch memory's 256 bytes for buffers of fixed size}}
    tile.buffer @b at 64 : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Too little per page.
tile.program @plan_pieces {
  // expected-error @+1 {{step @s has 448 bytes of scratch memory per page; pieces of 2 pages need 1024 bytes}}
  tile.step @s few tokens 4 sequences 2 scratch 1280 scratch_per_page 448 {
    tile.buffer @b at 0 : memref<4x16xf32>
    tile.buffer @q pieces of 2 pages at 0 : memref<4x4x?x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Pieces of two sizes.
tile.program @pieces_differ {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @q pieces of 2 pages : memref<4x4x?x16xf32>
    // expected-error @+1 {{buffer @r has pieces of 4 pages, others of 2}}
    tile.buffer @r pieces of 4 pages : memref<4x4x?x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Two buffers at one place, needed at once.
tile.program @plan_both_needed {
  tile.step @s few tokens 4 sequences 2 scratch 256 {
    tile.buffer @b at 0 : memref<4x16xf32>
    // expected-error @+1 {{buffers @b and @c share memory, but phase @q needs both}}
    tile.buffer @c at 0 : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @q {
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @c[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @f
    }
    tile.phase @r {
      tile.wait @e
      tile.wait @f
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// Two buffers at one place, and a worker that is late.
tile.program @plan_race {
  tile.step @s few tokens 4 sequences 2 scratch 256 {
    tile.buffer @b at 0 : memref<4x16xf32>
    tile.buffer @c at 0 : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-note @+1 {{'tile.rope_table' of phase @p}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
    tile.phase @q {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{phases @p and @q can run at once: 'tile.rope_table' writes @b, 'tile.rope_table' writes @c at the same place, and no wait orders them}}
        tile.rope_table @c[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// The step promises less local memory than a phase needs.
tile.program @local_of_step {
  tile.step @s few tokens 4 sequences 2 local 128 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    // expected-error @+1 {{phase @p needs 256 bytes of local memory; the step says 128}}
    tile.phase @p {
      tile.wait @e
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// Three tasks for two heads.
tile.program @head_tasks {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.event @e
    tile.phase @before {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.rope_table @in[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
        tile.rope_table @k[%t] tile 4 inv_freq [1.0] axes [0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<sequences 1>, <count 3>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{has 3 tasks for 2 heads of @w}}
        tile.delta_scan[%q, %h] input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// Schedules that hang, race or read what nobody wrote, in one way each.
// RUN: quartet-opt %s -split-input-file -tile-verify-schedule -verify-diagnostics

// Two phases signal one event.
tile.program @two_signals {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
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
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      // expected-error @+1 {{signals @e, which phase @p signals too}}
      tile.signal @e
    }
  }
}

// -----

// Nobody signals.
tile.program @no_signal {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      // expected-error @+1 {{waits for @e, which no phase signals}}
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// A later phase signals.
tile.program @wait_later {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      // expected-error @+1 {{waits for @e, which is signalled by phase @q, a later one: all workers would wait for ever}}
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @f
    }
    tile.phase @q {
      tile.wait @f
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      tile.signal @e
    }
  }
}

// -----

// The phase itself signals.
tile.program @wait_self {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      // expected-error @+1 {{waits for @e, which is signalled by phase @p itself: all workers would wait for ever}}
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
  }
}

// -----

// A later phase of the loop signals.
tile.program @wait_later_in_loop {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        // expected-error @+1 {{waits for @e, which is signalled by phase @q, a later one: all workers would wait for ever; 'previous' waits for the repetition before}}
        tile.wait @e
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @f
      }
      tile.phase @q {
        tile.wait @f
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
        tile.signal @e
      }
    }
  }
}

// -----

// A phase after the loop signals.
tile.program @wait_after_loop {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        // expected-error @+1 {{waits for @e, which is signalled by phase @q, a later one}}
        tile.wait @e
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @f
      }
    }
    tile.phase @q {
      tile.wait @f
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      tile.signal @e
    }
  }
}

// -----

// There is no previous repetition.
tile.program @previous_outside {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
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
      // expected-error @+1 {{waits for the previous repetition of @e, but is not in the tile.layers of phase @p, which signals it}}
      tile.wait previous @e
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// The event is of another loop.
tile.program @previous_of_other {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        tile.wait previous @e
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e
      }
    }
    tile.layers repeat 2 {
      tile.phase @q {
        // expected-error @+1 {{waits for the previous repetition of @e, but is not in the tile.layers of phase @p, which signals it}}
        tile.wait previous @e
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
      }
    }
  }
}

// -----

// A reader that waits for nobody.
tile.program @read_after_write {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-note @+1 {{'tile.rope_table' of phase @p}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @q {
      // expected-error @+1 {{phases @p and @q can run at once: 'tile.rope_table' writes @b, 'tile.stage' reads @b}}
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// A writer that does not wait for the reader.
tile.program @write_after_read {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
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
      // expected-note @+1 {{'tile.stage' of phase @q}}
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
    tile.phase @r {
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{phases @q and @r can run at once: 'tile.stage' reads @b, 'tile.rope_table' writes @b}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Two writers.
tile.program @write_after_write {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
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
        // expected-error @+1 {{phases @p and @q can run at once: 'tile.rope_table' writes @b, 'tile.rope_table' writes @b}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// The next repetition writes while the last one reads.
tile.program @next_repetition {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        tile.wait previous @e
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          // expected-error @+1 {{phases @q and @p of a later repetition can run at once: 'tile.stage' reads @b, 'tile.rope_table' writes @b, and no wait orders them}}
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e
      }
      tile.phase @q {
        tile.wait @e
        // expected-note @+1 {{'tile.stage' of phase @q}}
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
      }
    }
  }
}

// -----

// A phase meets itself of the next repetition.
tile.program @same_phase_next_repetition {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 3 {
      tile.phase @p {
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          // expected-error @+2 {{phases @p and @p of a later repetition can run at once: 'tile.rope_table' writes @b, 'tile.rope_table' writes @b}}
          // expected-note @+1 {{'tile.rope_table' of phase @p}}
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
      }
    }
  }
}

// -----

// A phase after the loop waits for the last repetition only: the others are not
// ordered with it.
tile.program @after_loop_only_last {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @w {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @f
    }
    tile.layers repeat 3 {
      tile.phase @p {
        tile.wait @f
        // expected-note @+1 {{'tile.stage' of phase @p}}
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
        tile.signal @e
      }
    }
    tile.phase @q {
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{phases @p and @q can run at once: 'tile.stage' reads @b, 'tile.rope_table' writes @b}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// A state without repetitions is the same in all of them.
tile.program @state_of_all {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        tile.tasks [<sequences 1>, <count 2>] {
        ^bb0(%q: index, %h: index):
          // expected-error @+2 {{phases @p and @p of a later repetition can run at once: 'tile.delta_scan' writes @w, 'tile.delta_scan' writes @w}}
          // expected-note @+1 {{'tile.delta_scan' of phase @p}}
          tile.delta_scan[%q, %h] input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
            dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
        }
      }
    }
  }
}

// -----

// Every worker would write.
tile.program @prologue_writes {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @r : !tile.rows<4, 16, 0>
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
      // expected-error @+1 {{every worker runs 'tile.stage' of phase @p for itself, but it writes @r}}
      %s = tile.stage plain @b publish @r : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// Two grids of a phase write one buffer.
tile.program @grids_of_a_phase {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{two grids of phase @p can run at once: 'tile.rope_table' writes @b, 'tile.rope_table' writes @b}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-note @+1 {{'tile.rope_table' is here}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Workers read what tasks of the same phase write.
tile.program @prologue_reads {
  tile.step @s few tokens 4 sequences 2 {
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
    tile.phase @p {
      tile.wait @e
      // expected-note @+1 {{'tile.stage' is here}}
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{two parts of phase @p can run at once: 'tile.rope_table' writes @b, 'tile.stage' reads @b}}
        tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
    }
  }
}

// -----

// Tiles of tokens all write the same rows.
tile.program @missing_coordinate {
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
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @b[%t] : !tile.rows<2, 16, 0>
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          // expected-error @+1 {{two tasks of phase @p write the same part of @c: 'tile.store' writes @c, and coordinate 0 does not select what 'tile.store' writes}}
          tile.store %acc to @c[%r] of 32 : !tile.acc<2, 16>
        }
      }
    }
  }
}

// -----

// A task reads rows that others write.
tile.program @read_of_others {
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
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @c[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @p {
      tile.wait @e
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %a = tile.stage plain @b : !tile.rows<4, 16, 0>
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<4, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{a task of phase @p reads a part of @b that another one writes: 'tile.store' writes @b, and coordinate 0 does not select what 'tile.stage' reads}}
          tile.store %acc from 0 width 8 to @b[%r] of 16 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

// The columns that other tasks write, cut in tiles of another size.
tile.program @other_columns {
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
        %a = tile.stage plain @b : !tile.rows<4, 16, 0>
        %w = tile.stream @m[%r] rows 0 count 32 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<4, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{two tasks of phase @p write the same part of @c: 'tile.store' writes @c, and coordinate 0 does not select what 'tile.store' writes}}
          tile.store %acc from 0 width 8 to @c[%r] of 16 : !tile.acc<4, 16>
          tile.store %acc to @c[%r] of 32 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

// Nobody writes what is read.
tile.program @never_written {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.phase @p {
      // expected-error @+1 {{'tile.stage' reads @b, but no phase before writes its column 0}}
      %s = tile.stage plain @b : !tile.rows<4, 16, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// Only the previous repetition writes: the first one reads garbage.
tile.program @written_later {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @b : memref<4x16xf32>
    tile.buffer @c : memref<4x16xf32>
    tile.event @e
    tile.event @f
    tile.layers repeat 2 {
      tile.phase @p {
        tile.wait previous @e
        // expected-error @+1 {{'tile.stage' reads @b, but no phase before writes its column 0}}
        %s = tile.stage plain @b : !tile.rows<4, 16, 0>
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
        tile.signal @f
      }
      tile.phase @q {
        tile.wait @f
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          tile.rope_table @b[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
        }
        tile.signal @e
      }
    }
  }
}

// -----

// Half of the columns are missing.
tile.program @partly_written {
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
          tile.store %acc to @d[%t, %r] of 32 : !tile.acc<2, 16>
        }
      }
      tile.signal @f
    }
    tile.phase @q {
      tile.wait @f
      // expected-error @+1 {{'tile.stage' reads @d, but no phase before writes its column 32}}
      %s = tile.stage plain @d : !tile.rows<4, 48, 0>
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

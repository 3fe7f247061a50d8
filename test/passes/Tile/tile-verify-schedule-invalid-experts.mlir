// Choices of experts that race with what they read or with who sorts them, and one that
// reads what nobody wrote.
// RUN: quartet-opt %s -split-input-file -tile-verify-schedule -verify-diagnostics

// A task chooses from logits that others still write.
tile.program @choose_before_logits {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x2xi32>
    tile.buffer @w : memref<4x2xf32>
    tile.event @e
    tile.event @f
    tile.phase @logits {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-note @+1 {{'tile.rope_table' of phase @logits}}
        tile.rope_table @l[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @choose {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{phases @logits and @choose can run at once: 'tile.rope_table' writes @l, 'tile.choose_experts' reads @l, and no wait orders them}}
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 0 to @c weights @w
      }
      tile.signal @f
    }
    tile.phase @up {
      tile.wait @f
      %g = tile.route @c weights @w experts 4 top_k 2 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}

// -----

// Pairs of all tokens are sorted while tasks still choose.
tile.program @sort_before_choice {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x2xi32>
    tile.buffer @w : memref<4x2xf32>
    tile.event @e
    tile.event @f
    tile.phase @logits {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @l[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @choose {
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-note @+1 {{'tile.choose_experts' of phase @choose}}
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 0 to @c weights @w
      }
      tile.signal @f
    }
    tile.phase @up {
      tile.wait @e
      // expected-error @+1 {{phases @choose and @up can run at once: 'tile.choose_experts' writes @c, 'tile.route' reads @c, and no wait orders them}}
      %g = tile.route @c weights @w experts 4 top_k 2 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}

// -----

// Two tasks choose for the same tokens.
tile.program @choose_twice {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x2xi32>
    tile.buffer @w : memref<4x2xf32>
    tile.event @e
    tile.event @f
    tile.phase @logits {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @l[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @choose {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %i: index):
        // expected-error @+1 {{two tasks of phase @choose write the same part of @c: 'tile.choose_experts' writes @c, and coordinate 1 does not select what 'tile.choose_experts' writes}}
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 0 to @c weights @w
      }
      tile.signal @f
    }
    tile.phase @up {
      tile.wait @f
      %g = tile.route @c weights @w experts 4 top_k 2 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}

// -----

// The shared experts' gate stands behind padding that nobody writes, not next to the
// logits.
tile.program @gate_unwritten {
  tile.matrix @m rows 16 columns 16 format "f32"
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @x : memref<4x16xf32>
    tile.buffer @l : memref<4x32xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.event @e
    tile.event @f
    tile.phase @inputs {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.rope_table @x[%t] tile 2 inv_freq [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] axes [0, 0, 0, 0, 0, 0, 0, 0] scale 1.0
      }
      tile.signal @e
    }
    tile.phase @logits {
      tile.wait @e
      tile.tasks [<tokens 2>, <count 1>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage plain @x[%t] : !tile.rows<2, 16, 0>
        %w = tile.stream @m[%r] rows 0 count 16 : !tile.weights<16, 16, "f32">
        tile.matmul %a, %w : !tile.rows<2, 16, 0>, !tile.weights<16, 16, "f32"> {
        ^bb0(%acc: !tile.acc<2, 16>):
          tile.store %acc to @l[%t, %r] of 16 : !tile.acc<2, 16>
        }
      }
      tile.signal @f
    }
    tile.phase @choose {
      tile.wait @f
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{'tile.choose_experts' reads @l, but no phase before writes its column 16}}
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 1 gate 16 to @c weights @w
      }
    }
  }
}

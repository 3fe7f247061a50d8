// One negative test for each numbered constraint of the micro-kernels, named for
// it, and more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

tile.program @delta_scan_c1 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{has 3 value heads and 2 key heads; the former must be a multiple of the latter}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 3
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c2 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs columns up to 80 of @in, which has 64}}
        tile.delta_scan[%q, %r] input @in column 16 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c2_controls {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x6xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs columns up to 8 of @c, which has 6}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c2_out {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x48xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{writes 32 columns to @o, which has 48}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c3 {
  tile.vector @taps : tensor<32x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs [64, any] in @taps, not 'tensor<32x4xf32>'}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c3_a_log {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<2xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs [4] in @a_log, not 'tensor<2xf32>'}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c4 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x4x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs slots of [3, 64] in @window, not slots of 'tensor<?x4x64xbf16>'}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c4_dim {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window pages : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs slots of [3, 64] in @window, not pages of}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c4_state {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x16xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs slots of [4, 8, 8] in @state, not slots of 'tensor<?x4x8x16xf32>'}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c4_type {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xbf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %r: index):
        // expected-error @+1 {{needs f32 in @state, not 'tensor<?x4x8x8xbf16>'}}
        tile.delta_scan[%q, %r] input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @attend_c1 {
  tile.state @k pages : tensor<?x2x64x8xf16>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{has 4 query heads and 3 KV heads; the former must be a multiple of the latter}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 3 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c2 {
  tile.state @k pages : tensor<?x2x64x8xf16>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x16xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{needs columns up to 32 of @q, which has 16}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c3 {
  tile.state @k pages : tensor<?x2x64x4xf16>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{needs pages of [2, 64, 8] in @k, not pages of 'tensor<?x2x64x4xf16>'}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c3_int8 {
  tile.state @k pages : tensor<?x2x64x8xi8>
  tile.state @v pages : tensor<?x2x64x8xi8>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{needs pages of [2, 96, 8] in @k, not pages of 'tensor<?x2x64x8xi8>'}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c3_types {
  tile.state @k pages : tensor<?x2x96x8xi8>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{needs one type in @k and @v, not 'tensor<?x2x96x8xi8>' and 'tensor<?x2x64x8xf16>'}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c4 {
  tile.state @k pages : tensor<?x2x64x8xf16>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x9xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{writes partials of 4 heads and 8 + 2 columns in pieces of 2 pages to @parts, a 'memref<4x4x?x9xf32>' in pieces of 2}}
        tile.attend[%t, %r, %n] tile 1 pages 2 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

// -----

tile.program @attend_c4_pieces {
  tile.state @k pages : tensor<?x2x64x8xf16>
  tile.state @v pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @q : memref<4x32xf32>
    tile.buffer @parts pieces of 2 pages : memref<4x4x?x10xf32>
    tile.phase @p {
      tile.tasks [<tokens 1>, <count 2>, <ranges 4>] {
      ^bb0(%t: index, %r: index, %n: index):
        // expected-error @+1 {{in pieces of 4 pages to @parts, a 'memref<4x4x?x10xf32>' in pieces of 2}}
        tile.attend[%t, %r, %n] tile 1 pages 4 query @q cache(@k, @v) to @parts
          heads 4 kv_heads 2 head_dim 8 scale 0.5
      }
    }
  }
}

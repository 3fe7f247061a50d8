// What is prepared for the delta rule: a negative test for each numbered constraint, named
// for it. invalid-mixers.mlir has the others of tile.delta_scan.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

tile.program @delta_prepare_c1 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{has 3 value heads and 2 key heads; the former must be a multiple of the latter}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 3 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c2 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{needs columns up to 80 of @in, which has 64}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 16 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c2_controls {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{needs columns up to 9 of @c, which has 8}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 5 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c3 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<3xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{needs [4] in @a_log}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c4 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x2x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{needs slots of [3, 64] in @window}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c5 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x396xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{needs columns up to 400 of @r, which has 396}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c5_wide {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x408xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{has 400 prepared columns, but @r has 408}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_prepare_c6 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{has tiles of 0 tokens}}
        tile.delta_prepare[%t, %h] tile 0 input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c5 {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{takes prepared rows, but is not 'chunked'}}
        tile.delta_scan[%q, %h] prepared @r input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @delta_scan_c5_columns {
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @a_log : tensor<4xf32>
  tile.vector @dt : tensor<4xf32>
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @c : memref<4x8xf32>
    tile.buffer @r : memref<4x396xf32>
    tile.buffer @o : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{needs columns up to 400 of @r, which has 396}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @c a 4 b 0 taps @taps a_log @a_log
          dt_bias @dt window @window state @state to @o key_heads 2 value_heads 4
          key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

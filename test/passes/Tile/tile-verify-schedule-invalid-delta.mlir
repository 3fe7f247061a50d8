// Chunks of the delta rule that are prepared while others read or write what they touch.
// RUN: quartet-opt %s -split-input-file -tile-verify-schedule -verify-diagnostics

// The scan moves the window on while tasks still read it.
tile.program @scan_before_prepared {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
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
        // expected-note @+1 {{'tile.delta_prepare' of phase @prepare}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @f
    }
    tile.phase @scan {
      tile.wait @e
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{phases @prepare and @scan can run at once: 'tile.delta_prepare' reads @w, 'tile.delta_scan' writes @w, and no wait orders them}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @g
    }
  }
}

// -----

// Nothing was prepared.
tile.program @prepared_by_nobody {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
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
    tile.phase @scan {
      tile.wait @e
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{'tile.delta_scan' reads @r, but no phase before writes its column 0}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @g
    }
  }
}

// -----

// Two tasks write the rows of a tile and head.
tile.program @prepared_twice {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
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
      tile.tasks [<tokens 2>, <count 2>, <count 2>] {
      ^bb0(%t: index, %h: index, %i: index):
        // expected-error @+1 {{two tasks of phase @prepare write the same part of @r: 'tile.delta_prepare' writes @r, and coordinate 2 does not select what 'tile.delta_prepare' writes}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @f
    }
    tile.phase @scan {
      tile.wait @f
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @g
    }
  }
}

// -----

// Not all heads have a task.
tile.program @heads_missing {
  tile.state @w slots : tensor<?x3x64xbf16>
  tile.state @d slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
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
      tile.tasks [<tokens 2>, <count 1>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{'tile.delta_prepare' op has 1 tasks for 2 heads of @r}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @f
    }
    tile.phase @scan {
      tile.wait @f
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @g
    }
  }
}

// -----

// The next layer prepares while this one still reads.
tile.program @scan_of_another_layer {
  tile.state @w slots repeat 2 : tensor<?x3x64xbf16>
  tile.state @d slots repeat 2 : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in : memref<4x64xf32>
    tile.buffer @k : memref<4x8xf32>
    tile.buffer @r : memref<4x400xf32>
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
    tile.layers repeat 2 {
    tile.phase @prepare {
      tile.wait @e
      tile.wait previous @f
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{phases @scan and @prepare of a later repetition can run at once: 'tile.delta_scan' reads @r, 'tile.delta_prepare' writes @r, and no wait orders them}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @f
    }
    tile.phase @scan {
      tile.wait @f
      tile.wait previous @g
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-note @+1 {{'tile.delta_scan' of phase @scan}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @w state @d to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
      tile.signal @g
    }
    }
  }
}

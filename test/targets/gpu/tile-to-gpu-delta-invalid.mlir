// Chunks of the delta rule that a GPU cannot run.
// RUN: quartet-opt %s -split-input-file -tile-to-gpu=chip=gfx942 -verify-diagnostics

tile.program @not_prepared {
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 scratch 524288 scratch_per_page 0 local 0 {
    tile.buffer @in at 0 : memref<4x64xf32>
    tile.buffer @k at 65536 : memref<4x8xf32>
    tile.buffer @r at 65664 : memref<4x400xf32>
    tile.buffer @o at 262144 : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{is chunked, which GPUs do with 'prepared'}}
        tile.delta_scan[%q, %h] chunked input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window state @state to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

// A chunk's vectors alone are more than a block has.
tile.program @too_wide {
  tile.state @window slots : tensor<?x3x2080xbf16>
  tile.state @state slots : tensor<?x4x8x512xf32>
  tile.vector @taps : tensor<2080x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 scratch 524288 scratch_per_page 0 local 0 {
    tile.buffer @in at 0 : memref<4x2080xf32>
    tile.buffer @k at 65536 : memref<4x8xf32>
    tile.buffer @r at 65664 : memref<4x2320xf32>
    tile.buffer @o at 262144 : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{needs 181952 bytes of shared memory; a block has 65536}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window state @state to @o key_heads 2 value_heads 4 key_dim 512 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// Schedules that did not go through the passes before or are for GPUs, and machines that
// LLVM does not know.
// RUN: quartet-opt %s -tile-to-cpu -split-input-file -verify-diagnostics
// RUN: not quartet-opt %s -tile-to-cpu=cpu=nonesuch -split-input-file 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not quartet-opt %s -tile-to-cpu=triple=vax-dec-vms -split-input-file 2>&1 | FileCheck %s --check-prefix=TRIPLE

// CPU:    error: 'nonesuch' is not a CPU of 'x86_64-unknown-linux-gnu'
// TRIPLE: error: no code generator for 'vax-dec-vms'

tile.program @unplanned {
  tile.vector @table : tensor<8x16xf32>
  tile.step @s few tokens 4 sequences 2 {
    // expected-error @+1 {{has no place in scratch memory; run tile-plan-memory first}}
    tile.buffer @a : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.embed @table to @a[%t] tile 2
      }
    }
  }
}

// -----

tile.program @unsignalled {
  tile.vector @table : tensor<8x16xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @a at 0 : memref<4x16xf32>
    tile.event @e
    tile.phase @p {
      // expected-error @+1 {{waits for @e, which no phase of the step signals}}
      tile.wait @e
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.embed @table to @a[%t] tile 2
      }
    }
  }
}

// -----

tile.program @parts {
  tile.step @s many tokens 4 sequences 2 {
    // expected-error @+1 {{keeps rows in 2 parts; products of CPUs here take f32}}
    tile.buffer @l in 2 parts at 0 : !tile.rows<4, 16, 0>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
      }
    }
  }
}

// -----

tile.program @choose {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l at 0 : memref<4x16xf32>
    tile.buffer @c at 256 : memref<4x2xi32>
    tile.buffer @w at 320 : memref<4x2xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{has no lowering for CPUs}}
        tile.choose_experts @l[%t] tile 2 experts 4 top_k 2 shared 0 to @c weights @w
      }
    }
  }
}

// -----

tile.program @sort {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @c at 0 : memref<4x2xi32>
    tile.buffer @w at 64 : memref<4x2xf32>
    tile.phase @p {
      // expected-error @+1 {{has no lowering for CPUs}}
      %g = tile.route @c weights @w experts 4 top_k 2 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>] groups %g : !tile.groups {
      ^bb0(%e: index):
      }
    }
  }
}

// -----

tile.program @prepare {
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in at 0 : memref<4x64xf32>
    tile.buffer @k at 1024 : memref<4x8xf32>
    tile.buffer @r at 1152 : memref<4x400xf32>
    tile.buffer @o at 7424 : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>, <count 2>] {
      ^bb0(%t: index, %h: index):
        // expected-error @+1 {{has no lowering for CPUs}}
        tile.delta_prepare[%t, %h] tile 2 input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window to @r key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @prepared {
  tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @state slots : tensor<?x4x8x8xf32>
  tile.vector @taps : tensor<64x4xf32>
  tile.vector @v : tensor<4xf32>
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @in at 0 : memref<4x64xf32>
    tile.buffer @k at 1024 : memref<4x8xf32>
    tile.buffer @r at 1152 : memref<4x400xf32>
    tile.buffer @o at 7424 : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<sequences 1>, <count 2>] {
      ^bb0(%q: index, %h: index):
        // expected-error @+1 {{takes prepared rows, which CPUs do not}}
        tile.delta_scan[%q, %h] chunked prepared @r input @in column 0 controls @k a 4 b 0 taps @taps a_log @v
          dt_bias @v window @window state @state to @o key_heads 2 value_heads 4 key_dim 8 value_dim 8 qk_eps 1.0e-6
      }
    }
  }
}

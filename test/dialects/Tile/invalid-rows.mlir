// One negative test for each numbered constraint of the micro-kernels, named for
// it, and more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

tile.program @embed_c1 {
  tile.vector @table : tensor<32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs [any, any] in @table, not 'tensor<32xf32>'}}
        tile.embed @table to @x[%t] tile 2
      }
    }
  }
}

// -----

tile.program @embed_c1_kind {
  tile.matrix @table rows 16 columns 32 format "f32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{names @table, which is a tile.matrix, not a tile.vector}}
        tile.embed @table to @x[%t] tile 2
      }
    }
  }
}

// -----

tile.program @embed_c2 {
  tile.vector @table : tensor<8x16xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{writes rows of 16 columns to @x, which has 32}}
        tile.embed @table to @x[%t] tile 2
      }
    }
  }
}

// -----

tile.program @embed_c2_type {
  tile.vector @table : tensor<8x32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf16>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs f32 in @x, not 'memref<4x32xf16>'}}
        tile.embed @table to @x[%t] tile 2
      }
    }
  }
}

// -----

tile.program @rope_table_c1 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{has 2 axes for 1 frequencies}}
        tile.rope_table @x[%t] tile 2 inv_freq [1.0] axes [0, 1] scale 1.0
      }
    }
  }
}

// -----

tile.program @rope_table_c1_axis {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{has an axis 3; axes are 0, 1 and 2}}
        tile.rope_table @x[%t] tile 2 inv_freq [1.0] axes [3] scale 1.0
      }
    }
  }
}

// -----

tile.program @rope_table_c2 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x2xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs columns up to 4 of @x, which has 2}}
        tile.rope_table @x[%t] tile 2 inv_freq [1.0, 0.5] axes [0, 1] scale 1.0
      }
    }
  }
}

// -----

tile.program @stage_c1 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{rms_norm needs a weight and an eps}}
      %a = tile.stage rms_norm @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c1_plain {
  tile.vector @n : tensor<32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{plain takes no weight and no eps}}
      %a = tile.stage plain @x weight @n eps 1.0e-6 : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c2 {
  tile.vector @n : tensor<32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{gated_norm needs a gate and its activation}}
      %a = tile.stage gated_norm @x weight @n eps 1.0e-6 gate @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c2_plain {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{plain takes no gate}}
      %a = tile.stage plain @x gate @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c3 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{stages rows of 16 columns from @x, which has 32}}
      %a = tile.stage plain @x : !tile.rows<4, 16, 16>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c3_type {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xbf16>
    tile.phase @p {
      // expected-error @+1 {{needs f32 in @x, not 'memref<4x32xbf16>'}}
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c3_merge {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{merges @x, a 'memref<4x32xf32>', to rows of 32 columns; partials are [tokens, heads, ranges, D + 2 or more]}}
      %a = tile.stage merge @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c3_merge_columns {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x pieces of 2 pages : memref<4x2x?x17xf32>
    tile.phase @p {
      // expected-error @+1 {{to rows of 32 columns; partials are}}
      %a = tile.stage merge @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c4 {
  tile.vector @n : tensor<16xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{norms 32 columns by @n, which has 16}}
      %a = tile.stage rms_norm @x weight @n eps 1.0e-6 : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c4_gated {
  tile.vector @n : tensor<24xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{norms 32 columns by @n, which has 24}}
      %a = tile.stage gated_norm @x weight @n eps 1.0e-6 gate @x activation silu : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c5 {
  tile.vector @n : tensor<32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{needs columns up to 48 of @x, which has 32}}
      %a = tile.stage gated_norm @x weight @n eps 1.0e-6 gate @x column 16 activation silu : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c5_negative {
  tile.vector @n : tensor<32xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{has its gate in column -16}}
      %a = tile.stage gated_norm @x weight @n eps 1.0e-6 gate @x column -16 activation silu : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c6 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{needs !tile.rows of 32 columns in @x, not 'memref<4x32xf32>'}}
      %a = tile.stage plain @x publish @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c6_group {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : !tile.rows<4, 32, 16>
    tile.phase @p {
      // expected-error @+1 {{publishes rows of group 32 to @y, of group 16}}
      %a = tile.stage plain @x publish @y : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @stage_c7 {
  tile.step @s few tokens 8 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      // expected-error @+1 {{has no tile, but only 4 rows for 8 tokens}}
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

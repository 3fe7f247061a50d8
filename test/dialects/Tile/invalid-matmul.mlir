// One negative test for each numbered constraint of the micro-kernels, named for
// it, and more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

tile.program @stream_c1 {
  tile.matrix @w rows 64 columns 64 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{gives '!tile.weights<32, 32, "int4:32">', but @w has 64 columns of "int4:32"}}
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c1_format {
  tile.matrix @w rows 64 columns 32 format "int8:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{but @w has 32 columns of "int8:32"}}
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c1_rows {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{reads rows 32 to 96 of @w, which has 64}}
        %w = tile.stream @w[%r] rows 32 count 64 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c1_experts {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{reads @w, which has experts: those are read by tile.expert_up and tile.expert_down}}
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{starts at row 8 in tiles of 32 rows; both must be multiples of 16}}
        %w = tile.stream @w[%r] rows 8 count 56 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c2_count {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{reads 0 rows from 0}}
        %w = tile.stream @w[%r] rows 0 count 0 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @stream_c2_index {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{has no index, but 64 rows do not fit a tile of 32}}
        %w = tile.stream @w rows 0 count 64 : !tile.weights<32, 32, "int4:32">
      }
    }
  }
}

// -----

tile.program @matmul_c1 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x16xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 32>):
          // expected-error @+1 {{cannot stand in an epilogue}}
          %c = arith.constant 0 : i32
        }
      }
    }
  }
}

// -----

tile.program @matmul_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x16xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
        // expected-error @+1 {{multiplies by 1 tiles, but its epilogue has 2 arguments}}
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 32>, %b: !tile.acc<4, 32>):
        }
      }
    }
  }
}

// -----

tile.program @matmul_c3 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x16xf32>
    tile.phase @p {
      %a = tile.stage plain @y : !tile.rows<4, 16, 16>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
        // expected-error @+1 {{multiplies rows of 16 columns by weights of 32}}
        tile.matmul %a, %w : !tile.rows<4, 16, 16>, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 32>):
        }
      }
    }
  }
}

// -----

tile.program @matmul_c3_group {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x16xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 0>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
        // expected-error @+1 {{multiplies rows of group 0 by int4:32, which needs group 32}}
        tile.matmul %a, %w : !tile.rows<4, 32, 0>, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 32>):
        }
      }
    }
  }
}

// -----

tile.program @matmul_c4 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x16xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w[%r] rows 0 count 64 : !tile.weights<32, 32, "int4:32">
        // expected-error @+1 {{has an epilogue on '!tile.acc<4, 16>'; the product is !tile.acc<4, 32>}}
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
        }
      }
    }
  }
}

// -----

tile.program @store_c1 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs columns up to 48 of @x, which has 32}}
          tile.store %acc to @x[%r] column 16 of 32 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_c1_negative {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{writes 16 columns from -16}}
          tile.store %acc to @x[%r] column -16 of 16 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_c1_rows {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : !tile.rows<4, 32, 32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs f32 in @y, not '!tile.rows<4, 32, 32>'}}
          tile.store %acc to @y[%r] of 32 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{takes 8 columns from 12 of '!tile.acc<4, 16>'}}
          tile.store %acc from 12 width 8 to @x[%r] of 16 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c1 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.state @k pages : tensor<?x2x64x16xf16>
  tile.state @slots slots : tensor<?x2x64x16xf16>
  tile.state @narrow pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs pages of [any, 64, 16] in @slots, not slots of 'tensor<?x2x64x16xf16>'}}
          tile.store_head %acc width 16 cache to @slots[%r] : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c1_int8 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.state @short pages : tensor<?x2x64x16xi8>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs pages of [any, 80, 16] in @short, not pages of 'tensor<?x2x64x16xi8>'}}
          tile.store_head %acc width 16 cache to @short[%r] : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c1_width {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.state @k pages : tensor<?x2x64x16xf16>
  tile.state @slots slots : tensor<?x2x64x16xf16>
  tile.state @narrow pages : tensor<?x2x64x8xf16>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs pages of [any, 64, 16] in @narrow, not pages of 'tensor<?x2x64x8xf16>'}}
          tile.store_head %acc width 16 cache to @narrow[%r] : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c1_buffer {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @y : memref<4x24xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{writes heads of 16 columns to @y, which has 24}}
          tile.store_head %acc width 16 to @y[%r] : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.vector @n : tensor<16xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs an eps if and only if there is a norm}}
          tile.store_head %acc width 16 to @x[%r] norm @n : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c2_length {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.vector @n : tensor<8xf32>
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs [16] in @n, not 'tensor<8xf32>'}}
          tile.store_head %acc width 16 to @x[%r] norm @n eps 1.0e-6 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c3 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{rotates heads of 16 columns by @x, which has 32}}
          tile.store_head %acc width 16 to @x[%r] rope @x : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_head_c4 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{takes 16 columns from 8 of '!tile.acc<4, 16>'}}
          tile.store_head %acc from 8 width 16 to @x[%r] : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_logits_c1 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @m : memref<4x1xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs columns up to 2 of @m, which has 1}}
          tile.store_logits %acc maxima @m[%r] of 32 limit 32 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @store_logits_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{limits tokens to 33 of 32}}
          tile.store_logits %acc maxima @x[%r] of 32 limit 33 : !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @silu_mul_c1 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @h : !tile.rows<4, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        %w2 = tile.stream @w rows 0 count 32 : !tile.weights<32, 32, "int4:32">
        tile.matmul %a, %w, %w2 : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32">, !tile.weights<32, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>, %acc2: !tile.acc<4, 32>):
          // expected-error @+1 {{multiplies '!tile.acc<4, 16>' by '!tile.acc<4, 32>'}}
          tile.silu_mul %acc, %acc2 to @h[%r] : !tile.acc<4, 16>, !tile.acc<4, 32>
        }
      }
    }
  }
}

// -----

tile.program @silu_mul_c2 {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @h : !tile.rows<4, 32, 32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{has tiles of 16, which are no whole groups of 32 of @h}}
          tile.silu_mul %acc, %acc to @h[%r] : !tile.acc<4, 16>, !tile.acc<4, 16>
        }
      }
    }
  }
}

// -----

tile.program @silu_mul_c2_buffer {
  tile.matrix @w rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        %w = tile.stream @w rows 0 count 16 : !tile.weights<16, 32, "int4:32">
        tile.matmul %a, %w : !tile.rows<4, 32, 32>, !tile.weights<16, 32, "int4:32"> {
        ^bb0(%acc: !tile.acc<4, 16>):
          // expected-error @+1 {{needs !tile.rows in @x, not 'memref<4x32xf32>'}}
          tile.silu_mul %acc, %acc to @x[%r] : !tile.acc<4, 16>, !tile.acc<4, 16>
        }
      }
    }
  }
}

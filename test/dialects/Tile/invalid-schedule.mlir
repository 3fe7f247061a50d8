// One negative test for each numbered constraint of the schedule's ops and
// types, and more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{needs at least one tile.step}}
tile.program @program_c2 {
}

// -----

tile.program @program_c1 {
  // expected-error @+1 {{cannot stand in a tile.program}}
  func.func private @f()
}

// -----

tile.program @program_c2_order {
  tile.step @a few tokens 4 sequences 1 {
  }
  // expected-error @+1 {{has 4 tokens, no more than the step before (4)}}
  tile.step @b few tokens 4 sequences 1 {
  }
}

// -----

tile.program @matrix_c1 {
  // expected-error @+1 {{has no packed format 'int5'}}
  tile.matrix @w rows 16 columns 16 format "int5"
}

// -----

tile.program @matrix_c2 {
  // expected-error @+1 {{needs at least one repetition, expert, row and column}}
  tile.matrix @w rows 0 columns 16 format "f32"
}

// -----

tile.program @vector_c1 {
  // expected-error @+1 {{needs a static shape of f32, f16 or bf16, not 'tensor<?xf32>'}}
  tile.vector @w : tensor<?xf32>
}

// -----

tile.program @vector_c1_type {
  // expected-error @+1 {{needs a static shape of f32, f16 or bf16, not 'tensor<4xi32>'}}
  tile.vector @w : tensor<4xi32>
}

// -----

tile.program @state_c1 {
  // expected-error @+1 {{needs a dynamic first dimension and no other, not 'tensor<4x4xf32>'}}
  tile.state @s slots : tensor<4x4xf32>
}

// -----

tile.program @state_c1_type {
  // expected-error @+1 {{needs elements of f32, f16, bf16 or i8, not 'f64'}}
  tile.state @s slots : tensor<?x4xf64>
}

// -----

tile.program @step_c1 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{cannot stand in a tile.step}}
    func.func private @f()
  }
}

// -----

tile.program @step_c2 {
  // expected-error @+1 {{needs at least one token and one sequence}}
  tile.step @s few tokens 4 sequences 0 {
  }
}

// -----

tile.program @step_c3 {
  tile.step @s few tokens 4 sequences 1 {
    tile.layers repeat 1 {
      tile.phase @p {
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
      }
    }
    // expected-error @+1 {{has the name of another phase, @p}}
    tile.phase @p {
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @buffer_c1 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{needs a plain memref of f32, f16, bf16, i8 or i32, or !tile.rows, not 'tensor<4xf32>'}}
    tile.buffer @b : tensor<4xf32>
  }
}

// -----

tile.program @buffer_c1_layout {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{needs a plain memref}}
    tile.buffer @b : memref<4x4xf32, strided<[8, 1]>>
  }
}

// -----

tile.program @buffer_c2 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{has a dynamic dimension 0; only dimension 2 can be}}
    tile.buffer @b pieces of 2 pages : memref<?x4xf32>
  }
}

// -----

tile.program @buffer_c2_no_pieces {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{is dynamic but has no 'pieces'}}
    tile.buffer @b : memref<4x4x?xf32>
  }
}

// -----

tile.program @buffer_c2_static {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{has 'pieces' but is not dynamic}}
    tile.buffer @b pieces of 2 pages : memref<4x4xf32>
  }
}

// -----

tile.program @buffer_c2_none {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{has pieces of 0 pages}}
    tile.buffer @b pieces of 0 pages : memref<4x4x?xf32>
  }
}

// -----

tile.program @buffer_c3 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{stands at offset -64}}
    tile.buffer @b at -64 : memref<4x4xf32>
  }
}

// -----

tile.program @buffer_c4 {
  tile.step @s many tokens 4 sequences 1 {
    // expected-error @+1 {{has 3 parts of '!tile.rows<4, 64, 0>'; !tile.rows of group 0 have 1 or 2}}
    tile.buffer @b in 3 parts : !tile.rows<4, 64, 0>
  }
}

// -----

tile.program @buffer_c4_group {
  tile.step @s many tokens 4 sequences 1 {
    // expected-error @+1 {{has 2 parts of '!tile.rows<4, 64, 32>'; !tile.rows of group 0 have 1 or 2}}
    tile.buffer @b in 2 parts : !tile.rows<4, 64, 32>
  }
}

// -----

tile.program @buffer_c4_memref {
  tile.step @s many tokens 4 sequences 1 {
    // expected-error @+1 {{has 2 parts of 'memref<4x64xf32>'; !tile.rows of group 0 have 1 or 2}}
    tile.buffer @b in 2 parts : memref<4x64xf32>
  }
}

// -----

tile.program @layers_c1 {
  tile.step @s few tokens 4 sequences 1 {
    tile.layers repeat 1 {
      // expected-error @+1 {{expects parent op 'tile.step'}}
      tile.event @e
    }
  }
}

// -----

tile.program @layers_c1_foreign {
  tile.step @s few tokens 4 sequences 1 {
    tile.layers repeat 1 {
      // expected-error @+1 {{cannot stand in tile.layers}}
      %c = arith.constant 0 : i32
    }
  }
}

// -----

tile.program @layers_c1_empty {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{has no phase}}
    tile.layers repeat 1 {
    }
  }
}

// -----

tile.program @layers_c2 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{repeats at least once, not 0}}
    tile.layers repeat 0 {
      tile.phase @p {
        tile.tasks [<count 1>] {
        ^bb0(%i: index):
        }
      }
    }
  }
}

// -----

tile.program @phase_c1 {
  tile.step @s few tokens 4 sequences 1 {
    tile.event @e
    tile.phase @p {
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      // expected-error @+1 {{stands after tile.tasks of its phase}}
      tile.wait @e
    }
  }
}

// -----

tile.program @phase_c1_foreign {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{cannot stand in a phase outside tile.tasks}}
      %c = arith.constant 0 : i32
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @phase_c2 {
  tile.step @s few tokens 4 sequences 1 {
    // expected-error @+1 {{has no tile.tasks}}
    tile.phase @p {
    }
  }
}

// -----

tile.program @phase_c2_signals {
  tile.step @s few tokens 4 sequences 1 {
    tile.event @e
    tile.event @f
    // expected-error @+1 {{has 2 signals; one is enough}}
    tile.phase @p {
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      tile.signal @e
      tile.signal @f
    }
  }
}

// -----

tile.program @wait_c1 {
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @b : memref<4x4xf32>
    tile.phase @p {
      // expected-error @+1 {{names @b, which is a tile.buffer, not a tile.event}}
      tile.wait @b
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @signal_c1 {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
      // expected-error @+1 {{names @e, which is no tile.event of the step or program}}
      tile.signal @e
    }
  }
}

// -----

tile.program @prefetch_c1 {
  tile.vector @w : tensor<4xf32>
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{names @w, which is a tile.vector, not a tile.matrix}}
      tile.prefetch @w bytes 64
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @prefetch_c2 {
  tile.matrix @w rows 16 columns 16 format "f32"
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{reads 0 bytes ahead; at least 1}}
      tile.prefetch @w bytes 0
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @tasks_c1 {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{has 2 extents and 1 coordinates}}
      tile.tasks [<count 1>, <count 2>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @tasks_c1_type {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{needs coordinates of type index, not 'i32'}}
      tile.tasks [<count 1>] {
      ^bb0(%i: i32):
      }
    }
  }
}

// -----

tile.program @tasks_c2 {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      // expected-error @+1 {{counts experts but has no groups}}
      tile.tasks [<experts 1>] {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

tile.program @tasks_c3 {
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      tile.tasks [<count 1>] {
      ^bb0(%i: index):
        // expected-error @+1 {{is no micro-kernel}}
        %c = arith.constant 0 : i32
      }
    }
  }
}

// -----

tile.program @tasks_c4 {
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @rope : memref<4x4xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{cuts @rope into tiles of 2 tokens by coordinate 0, which counts <tokens 4>}}
        tile.rope_table @rope[%t] tile 2 inv_freq [1.0] axes [0] scale 1.0
      }
    }
  }
}

// -----

tile.program @tasks_c4_kind {
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @rope : memref<4x4xf32>
    tile.phase @p {
      tile.tasks [<count 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{cuts @rope into tiles of 2 tokens by coordinate 0, which counts <count 2>}}
        tile.rope_table @rope[%t] tile 2 inv_freq [1.0] axes [0] scale 1.0
      }
    }
  }
}

// -----

// expected-error @+1 {{an extent counts at least 1, not 0}}
func.func private @extent() attributes {e = #tile.extent<count 0>}

// -----

// expected-error @+1 {{staged rows need at least one token and one column}}
func.func private @rows(!tile.rows<0, 16, 0>)

// -----

// expected-error @+1 {{the group of staged rows is 0, 16, 32, 64 or 128, not 8}}
func.func private @rows_group(!tile.rows<1, 16, 8>)

// -----

// expected-error @+1 {{a tile of weights needs at least one row and column}}
func.func private @weights(!tile.weights<16, 0, "f32">)

// -----

// expected-error @+1 {{'f31' is not a packed format}}
func.func private @weights_format(!tile.weights<16, 16, "f31">)

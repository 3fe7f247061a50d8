// What the constraints of the tile dialect say about multi-token prediction.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{needs at least one tile.step that is not 'mtp'}}
tile.program @program_c2_alone {
  tile.step @m mtp few tokens 4 sequences 1 {
  }
}

// -----

// The two kinds have an order each.
tile.program @program_c2_order {
  tile.step @a few tokens 4 sequences 1 {
  }
  tile.step @b mtp few tokens 4 sequences 1 {
  }
  // expected-error @+1 {{has 3 tokens, no more than the step before (4)}}
  tile.step @c mtp few tokens 3 sequences 1 {
  }
}

// -----

tile.program @read_hidden_c1 {
  tile.step @s few tokens 4 sequences 1 {
  }
  tile.step @m mtp few tokens 4 sequences 1 {
    tile.buffer @rows : !tile.rows<4, 16, 0>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs f32 in @rows, not '!tile.rows<4, 16, 0>'}}
        tile.read_hidden @rows[%t] tile 4
      }
    }
  }
}

// -----

tile.program @read_hidden_c2 {
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @x : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{stands in a step without hidden states; expected one of 'mtp'}}
        tile.read_hidden @x[%t] tile 4
      }
    }
  }
}

// -----

tile.program @write_hidden_c1 {
  tile.vector @norm : tensor<16xf32>
  tile.step @s few tokens 4 sequences 1 {
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{names @x, which is no tile.buffer of the step or program}}
        tile.write_hidden @x[%t] tile 4 weight @norm eps 1.0e-6
      }
    }
  }
}

// -----

tile.program @write_hidden_c2 {
  tile.vector @norm : tensor<8xf32>
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @x : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs [16] in @norm, not 'tensor<8xf32>'}}
        tile.write_hidden @x[%t] tile 4 weight @norm eps 1.0e-6
      }
    }
  }
}

// -----

// The tile of the op is the tile of the tasks.
tile.program @write_hidden_tile {
  tile.vector @norm : tensor<16xf32>
  tile.step @s few tokens 4 sequences 1 {
    tile.buffer @x : memref<4x16xf32>
    tile.phase @p {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{cuts @x into tiles of 2 tokens by coordinate 0}}
        tile.write_hidden @x[%t] tile 2 weight @norm eps 1.0e-6
      }
    }
  }
}

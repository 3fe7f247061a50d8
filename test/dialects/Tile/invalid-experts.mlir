// One negative test for each numbered constraint of the micro-kernels, named for
// it, and more where a constraint says several things.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

tile.program @route_c1 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.phase @p {
      // expected-error @+1 {{chooses 3 of 2 experts and 1 shared ones}}
      %g = tile.route @l experts 2 top_k 3 shared 1 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @route_c2 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.phase @p {
      // expected-error @+1 {{needs columns up to 17 of @l, which has 16}}
      %g = tile.route @l experts 16 top_k 1 shared 1 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @route_c3 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.phase @p {
      // expected-error @+1 {{routes 2 tokens of a step of 4}}
      %g = tile.route @l experts 2 top_k 1 shared 1 tokens 2 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @recall_c1 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.phase @p {
      // expected-error @+1 {{recalls 'q', but no earlier phase of that name has a tile.route}}
      %g = tile.recall "q" : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @expert_up_c1 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{takes its rows from local memory or from a buffer, one of the two}}
        tile.expert_up %g[%e, %r] tile 16 weights @w  to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c2 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 16>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{multiplies '!tile.rows<4, 32, 16>' by @w, which needs 32 columns of group 32}}
        tile.expert_up %g[%e, %r] tile 16 weights @w rows %a : !tile.rows<4, 32, 16> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c2_rows {
  tile.matrix @w experts 2 rows 48 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{reads gate from row 0 and up from row 32, 32 rows each, but @w has 48}}
        tile.expert_up %g[%e, %r] tile 16 weights @w rows %a : !tile.rows<4, 32, 32> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c2_source {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{needs !tile.rows of 32 columns in @x, not 'memref<4x32xf32>'}}
        tile.expert_up %g[%e, %r] tile 16 weights @w source @x to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c2_kind {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{names @x, which is a tile.buffer, not a tile.matrix}}
        tile.expert_up %g[%e, %r] tile 16 weights @x rows %a : !tile.rows<4, 32, 32> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c3 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 64, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{needs !tile.rows of 32 columns in @h, not '!tile.rows<8, 64, 16>'}}
        tile.expert_up %g[%e, %r] tile 16 weights @w rows %a : !tile.rows<4, 32, 32> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c4 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{has tiles of 24 rows; a multiple of 16 is needed}}
        tile.expert_up %g[%e, %r] tile 24 weights @w rows %a : !tile.rows<4, 32, 32> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_up_c4_group {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 32>
    tile.phase @p {
      %a = tile.stage plain @x : !tile.rows<4, 32, 32>
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{has tiles of 16, which are no whole groups of 32 of @h}}
        tile.expert_up %g[%e, %r] tile 16 weights @w rows %a : !tile.rows<4, 32, 32> to @h intermediate 32
      }
    }
  }
}

// -----

tile.program @expert_down_c1 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 16>
    tile.buffer @y : memref<4x64xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{multiplies '!tile.rows<8, 32, 16>' by @w, which needs 32 columns of group 32}}
        tile.expert_down %g[%r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_down_c1_columns {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 64, 32>
    tile.buffer @y : memref<4x64xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{needs !tile.rows of 32 columns in @h, not '!tile.rows<8, 64, 32>'}}
        tile.expert_down %g[%r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_down_c2 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 32>
    tile.buffer @y : memref<4x96xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{adds 64 columns to @y, which has 96}}
        tile.expert_down %g[%r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_down_c3 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 32>
    tile.buffer @y : memref<4x64xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
        // expected-error @+1 {{has tiles of 8 rows; a multiple of 16 is needed}}
        tile.expert_down %g[%r] tile 8 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @sample_c1 {
  tile.step @s few tokens 4 sequences 2 {
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      tile.tasks [<rows 1>] {
      ^bb0(%r: index):
        // expected-error @+1 {{needs columns up to 64 of @x, which has 32}}
        tile.sample[%r] maxima @x tile 16 of 1024 limit 1000 candidates 64
      }
    }
  }
}

// -----

tile.program @expert_pairs_c1 {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<4, 64, 32>
    tile.buffer @y : memref<4x64xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{needs !tile.rows of 32 columns in @h, not '!tile.rows<4, 64, 32>'}}
        tile.expert_pairs %g[%e, %r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_pairs_c2_columns {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<4, 32, 32>
    tile.buffer @y : memref<4x96xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{writes 64 columns to @y, which has 96}}
        tile.expert_pairs %g[%e, %r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_pairs_c2_rows {
  tile.matrix @w experts 2 rows 64 columns 32 format "int4:32"
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @h : !tile.rows<8, 32, 32>
    tile.buffer @y : memref<4x64xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<experts 1>, <count 2>] groups %g : !tile.groups {
      ^bb0(%e: index, %r: index):
        // expected-error @+1 {{has 8 pairs in @h, but @y has 4 rows}}
        tile.expert_pairs %g[%e, %r] tile 32 weights @w h @h to @y
      }
    }
  }
}

// -----

tile.program @expert_sum_c1 {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @y : memref<4x64xf32>
    tile.buffer @x : memref<4x32xf32>
    tile.phase @p {
      %g = tile.route @l experts 2 top_k 1 shared 0 tokens 4 : !tile.groups
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        // expected-error @+1 {{adds 64 columns of @y to @x, which has 32}}
        tile.expert_sum %g[%t] tile 4 from @y to @x
      }
    }
  }
}

// -----

tile.program @choose_experts_c1 {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{chooses 3 of 2 experts and 1 shared ones}}
        tile.choose_experts @l[%t] tile 2 experts 2 top_k 3 shared 1 to @c weights @w
      }
    }
  }
}

// -----

tile.program @choose_experts_c2 {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs columns up to 17 of @l, which has 16}}
        tile.choose_experts @l[%t] tile 2 experts 8 top_k 2 shared 1 gate 16 to @c weights @w
      }
    }
  }
}

// -----

tile.program @choose_experts_c3_experts {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xf32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs i32 in @c, not 'memref<4x3xf32>'}}
        tile.choose_experts @l[%t] tile 2 experts 8 top_k 2 shared 1 to @c weights @w
      }
    }
  }
}

// -----

tile.program @choose_experts_c3_weights {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xi32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{needs f32 in @w, not 'memref<4x3xi32>'}}
        tile.choose_experts @l[%t] tile 2 experts 8 top_k 2 shared 1 to @c weights @w
      }
    }
  }
}

// -----

tile.program @choose_experts_c3_columns {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x4xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        // expected-error @+1 {{has 3 experts for a token, but @c has 4 columns}}
        tile.choose_experts @l[%t] tile 2 experts 8 top_k 2 shared 1 to @c weights @w
      }
    }
  }
}

// -----

tile.program @route_c2_chosen {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      // expected-error @+1 {{needs i32 in @l, not 'memref<4x16xf32>'}}
      %g = tile.route @l weights @w experts 8 top_k 2 shared 1 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @route_c2_weights {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x5xf32>
    tile.phase @p {
      // expected-error @+1 {{has 3 experts for a token, but @w has 5 columns}}
      %g = tile.route @c weights @w experts 8 top_k 2 shared 1 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @route_c4_renormalize {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      // expected-error @+1 {{has experts that are chosen already, but 'renormalize'}}
      %g = tile.route @c weights @w experts 8 top_k 2 renormalize shared 1 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

// -----

tile.program @route_c4_gate {
  tile.step @s many tokens 4 sequences 2 {
    tile.buffer @l : memref<4x16xf32>
    tile.buffer @c : memref<4x3xi32>
    tile.buffer @w : memref<4x3xf32>
    tile.phase @p {
      // expected-error @+1 {{has experts that are chosen already, but a gate}}
      %g = tile.route @c weights @w experts 8 top_k 2 shared 1 gate 9 tokens 4 : !tile.groups
      tile.tasks [<count 2>] {
      ^bb0(%r: index):
      }
    }
  }
}

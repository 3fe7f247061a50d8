// A small model as a schedule: two repetitions of a DeltaNet layer and an
// attention layer with experts, for few tokens and for many.
// H = 64, 2 key heads and 4 value heads of 16, 4 query and 2 KV heads of 16,
// 4 experts and a shared one with I = 32, vocabulary 96.
tile.program @hybrid {
  tile.vector @embed : tensor<96x64xbf16>
  tile.vector @n0 repeat 2 : tensor<64xf32>
  tile.vector @n1 repeat 2 : tensor<64xf32>
  tile.vector @n2 repeat 2 : tensor<64xf32>
  tile.vector @taps repeat 2 : tensor<128x4xf32>
  tile.vector @a_log repeat 2 : tensor<4xf32>
  tile.vector @dt_bias repeat 2 : tensor<4xf32>
  tile.vector @o_norm repeat 2 : tensor<16xf32>
  tile.vector @q_norm repeat 2 : tensor<16xf32>
  tile.vector @norm : tensor<64xf32>
  tile.matrix @in repeat 2 rows 192 columns 64 format "int4:32"
  tile.matrix @ab repeat 2 rows 8 columns 64 format "bf16"
  tile.matrix @delta_out repeat 2 rows 64 columns 64 format "int4:32"
  tile.matrix @router repeat 2 rows 5 columns 64 format "f32"
  tile.matrix @gate_up repeat 2 experts 5 rows 64 columns 64 format "int4:32"
  tile.matrix @down repeat 2 experts 5 rows 64 columns 32 format "int4:32"
  tile.matrix @qkv repeat 2 rows 192 columns 64 format "int8:32"
  tile.matrix @attn_out repeat 2 rows 64 columns 64 format "int4:32"
  tile.matrix @mlp_up repeat 2 rows 128 columns 64 format "int4:32"
  tile.matrix @mlp_down repeat 2 rows 64 columns 64 format "int4:32"
  tile.matrix @head rows 96 columns 64 format "int8:64"
  tile.state @window slots repeat 2 : tensor<?x3x128xbf16>
  tile.state @delta slots repeat 2 : tensor<?x4x16x16xf32>
  tile.state @keys pages repeat 2 : tensor<?x2x64x16xbf16>
  tile.state @values pages repeat 2 : tensor<?x2x64x16xbf16>

  tile.step @few few tokens 4 sequences 4 {
    tile.buffer @x : memref<4x64xf32>
    tile.buffer @rope : memref<4x8xf32>
    tile.buffer @proj : memref<4x192xf32>
    tile.buffer @controls : memref<4x16xf32>
    tile.buffer @o : memref<4x64xf32>
    tile.buffer @logits : memref<4x16xf32>
    tile.buffer @h : !tile.rows<12, 32, 32>
    tile.buffer @q : memref<4x4x16xf32>
    tile.buffer @gate : memref<4x64xf32>
    tile.buffer @partials pieces of 2 pages : memref<4x4x?x32xf32>
    tile.buffer @up : !tile.rows<4, 64, 32>
    tile.buffer @maxima : memref<4x3xf32>
    tile.event @E
    tile.event @D1
    tile.event @D2
    tile.event @D3
    tile.event @D4
    tile.event @D5
    tile.event @D6
    tile.event @A1
    tile.event @A2
    tile.event @A3
    tile.event @A4
    tile.event @A5
    tile.event @F1

    tile.phase @embed {
      tile.tasks [<tokens 2>] {
      ^bb0(%t: index):
        tile.embed @embed to @x[%t] tile 2
        tile.rope_table @rope[%t] tile 2 inv_freq [1.0, 0.5, 0.25, 0.125] axes [0, 1, 2, 0] scale 1.0
      }
      tile.signal @E
    }
    tile.layers repeat 2 {
      tile.phase @delta_in {
        tile.wait @E
        tile.wait previous @A5
        %a = tile.stage rms_norm @x weight @n0 eps 1.0e-6 : !tile.rows<4, 64, 32>
        %b = tile.stage rms_norm @x weight @n0 eps 1.0e-6 : !tile.rows<4, 64, 0>
        tile.tasks [<count 6>] {
        ^bb0(%r: index):
          %w = tile.stream @in[%r] rows 0 count 192 : !tile.weights<32, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 32>):
            tile.store %acc to @proj[%r] of 192 : !tile.acc<4, 32>
          }
        }
        tile.tasks [<count 1>] {
        ^bb0(%r: index):
          %w = tile.stream @ab[%r] rows 0 count 8 : !tile.weights<16, 64, "bf16">
          tile.matmul %b, %w : !tile.rows<4, 64, 0>, !tile.weights<16, 64, "bf16"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store %acc to @controls[%r] of 8 : !tile.acc<4, 16>
          }
        }
        tile.signal @D1
      }
      tile.phase @delta {
        tile.wait @D1
        tile.tasks [<sequences 1>, <count 2>] {
        ^bb0(%s: index, %h: index):
          tile.delta_scan[%s, %h] input @proj column 0 controls @controls a 4 b 0
            taps @taps a_log @a_log dt_bias @dt_bias window @window state @delta to @o
            key_heads 2 value_heads 4 key_dim 16 value_dim 16 qk_eps 1.0e-6
        }
        tile.signal @D2
      }
      tile.phase @delta_out {
        tile.wait @D2
        %a = tile.stage gated_norm @o weight @o_norm eps 1.0e-6 gate @proj column 128 activation silu : !tile.rows<4, 64, 32>
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %w = tile.stream @delta_out[%r] rows 0 count 64 : !tile.weights<32, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 32>):
            tile.store %acc add to @x[%r] of 64 : !tile.acc<4, 32>
          }
        }
        tile.signal @D3
      }
      tile.phase @route {
        tile.wait @D3
        %a = tile.stage rms_norm @x weight @n1 eps 1.0e-6 : !tile.rows<4, 64, 0>
        tile.tasks [<count 1>] {
        ^bb0(%r: index):
          %w = tile.stream @router[%r] rows 0 count 5 : !tile.weights<16, 64, "f32">
          tile.matmul %a, %w : !tile.rows<4, 64, 0>, !tile.weights<16, 64, "f32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store %acc to @logits[%r] of 5 : !tile.acc<4, 16>
          }
        }
        tile.signal @D4
      }
      tile.phase @experts_up {
        tile.wait @D4
        %a = tile.stage rms_norm @x weight @n1 eps 1.0e-6 : !tile.rows<4, 64, 32>
        %g = tile.route @logits experts 4 top_k 2 renormalize shared 1 tokens 4 : !tile.groups
        tile.tasks [<experts 1>, <count 1>] groups %g : !tile.groups {
        ^bb0(%e: index, %r: index):
          tile.expert_up %g[%e, %r] tile 32 weights @gate_up rows %a : !tile.rows<4, 64, 32> to @h intermediate 32
        }
        tile.signal @D5
      }
      tile.phase @experts_down {
        tile.wait @D5
        %g = tile.route @logits experts 4 top_k 2 renormalize shared 1 tokens 4 : !tile.groups
        tile.tasks [<count 4>] {
        ^bb0(%r: index):
          tile.expert_down %g[%r] tile 16 weights @down h @h to @x
        }
        tile.signal @D6
      }
      tile.phase @attn_in {
        tile.wait @D6
        %a = tile.stage rms_norm @x weight @n2 eps 1.0e-6 : !tile.rows<4, 64, 32>
        tile.tasks [<count 4>] {
        ^bb0(%r: index):
          %w = tile.stream @qkv[%r] rows 0 count 64 : !tile.weights<16, 64, "int8:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<16, 64, "int8:32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store_head %acc width 16 to @q[%r] norm @q_norm eps 1.0e-6 rope @rope : !tile.acc<4, 16>
          }
        }
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %w = tile.stream @qkv[%r] rows 64 count 64 : !tile.weights<32, 64, "int8:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int8:32"> {
          ^bb0(%acc: !tile.acc<4, 32>):
            tile.store %acc to @gate[%r] of 64 : !tile.acc<4, 32>
          }
        }
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %w = tile.stream @qkv[%r] rows 128 count 32 : !tile.weights<16, 64, "int8:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<16, 64, "int8:32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store_head %acc width 16 cache to @keys[%r] norm @q_norm eps 1.0e-6 rope @rope : !tile.acc<4, 16>
          }
        }
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %w = tile.stream @qkv[%r] rows 160 count 32 : !tile.weights<16, 64, "int8:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<16, 64, "int8:32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store_head %acc width 16 cache to @values[%r] : !tile.acc<4, 16>
          }
        }
        tile.signal @A1
      }
      tile.phase @attend {
        tile.wait @A1
        tile.tasks [<tokens 1>, <count 2>, <ranges 2>] {
        ^bb0(%t: index, %h: index, %p: index):
          tile.attend[%t, %h, %p] tile 1 pages 2 query @q cache(@keys, @values) to @partials
            heads 4 kv_heads 2 head_dim 16 scale 0.25
        }
        tile.signal @A2
      }
      tile.phase @attn_out {
        tile.wait @A2
        %a = tile.stage merge @partials gate @gate : !tile.rows<4, 64, 32>
        tile.tasks [<count 4>] {
        ^bb0(%r: index):
          %w = tile.stream @attn_out[%r] rows 0 count 64 : !tile.weights<16, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<16, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store %acc add to @x[%r] of 64 : !tile.acc<4, 16>
          }
        }
        tile.signal @A3
      }
      tile.phase @mlp_up {
        tile.wait @A3
        %a = tile.stage rms_norm @x weight @n2 eps 1.0e-6 : !tile.rows<4, 64, 32>
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %gate = tile.stream @mlp_up[%r] rows 0 count 64 : !tile.weights<32, 64, "int4:32">
          %up = tile.stream @mlp_up[%r] rows 64 count 64 : !tile.weights<32, 64, "int4:32">
          tile.matmul %a, %gate, %up : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32">, !tile.weights<32, 64, "int4:32"> {
          ^bb0(%g: !tile.acc<4, 32>, %u: !tile.acc<4, 32>):
            tile.silu_mul %g, %u to @up[%r] : !tile.acc<4, 32>, !tile.acc<4, 32>
          }
        }
        tile.signal @A4
      }
      tile.phase @mlp_down {
        tile.wait @A4
        %a = tile.stage plain @up : !tile.rows<4, 64, 32>
        tile.tasks [<count 2>] {
        ^bb0(%r: index):
          %w = tile.stream @mlp_down[%r] rows 0 count 64 : !tile.weights<32, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 32>):
            tile.store %acc add to @x[%r] of 64 : !tile.acc<4, 32>
          }
        }
        tile.signal @A5
      }
    }
    tile.phase @head {
      tile.wait @A5
      %a = tile.stage rms_norm @x chosen weight @norm eps 1.0e-6 : !tile.rows<4, 64, 64>
      tile.tasks [<count 3>] {
      ^bb0(%r: index):
        %w = tile.stream @head[%r] rows 0 count 96 : !tile.weights<32, 64, "int8:64">
        tile.matmul %a, %w : !tile.rows<4, 64, 64>, !tile.weights<32, 64, "int8:64"> {
        ^bb0(%acc: !tile.acc<4, 32>):
          tile.store_logits %acc maxima @maxima[%r] of 96 limit 90 : !tile.acc<4, 32>
        }
      }
      tile.signal @F1
    }
    tile.phase @sample {
      tile.wait @F1
      tile.tasks [<rows 1>] {
      ^bb0(%r: index):
        tile.sample[%r] maxima @maxima tile 32 of 96 limit 90 candidates 64
      }
    }
  }

  tile.step @many many tokens 8 sequences 2 {
    tile.buffer @x : memref<8x64xf32>
    tile.buffer @proj : memref<8x192xf32>
    tile.buffer @controls : memref<8x16xf32>
    tile.buffer @prepared : memref<8x400xf32>
    tile.buffer @o : memref<8x64xf32>
    tile.buffer @logits : memref<8x16xf32>
    tile.buffer @xq : !tile.rows<8, 64, 32>
    tile.buffer @h : !tile.rows<24, 32, 32>
    tile.buffer @pairs : memref<24x64xf32>
    tile.buffer @chosen : memref<8x3xi32>
    tile.buffer @shares : memref<8x3xf32>
    tile.buffer @maxima : memref<8x3xf32>
    tile.event @E
    tile.event @D1
    tile.event @D1p
    tile.event @D2
    tile.event @D3
    tile.event @D4
    tile.event @D5
    tile.event @D6
    tile.event @D7
    tile.event @D8
    tile.event @F1
    tile.phase @embed {
      tile.tasks [<tokens 4>] {
      ^bb0(%t: index):
        tile.embed @embed to @x[%t] tile 4
      }
      tile.signal @E
    }
    tile.layers repeat 2 {
      tile.phase @delta_in {
        tile.wait @E
        tile.wait previous @D8
        tile.tasks [<tokens 4>, <count 3>] {
        ^bb0(%t: index, %r: index):
          %a = tile.stage rms_norm @x[%t] weight @n0 eps 1.0e-6 : !tile.rows<4, 64, 32>
          %w = tile.stream @in[%r] rows 0 count 192 : !tile.weights<64, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<64, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 64>):
            tile.store %acc to @proj[%t, %r] of 192 : !tile.acc<4, 64>
          }
        }
        tile.tasks [<tokens 4>, <count 1>] {
        ^bb0(%t: index, %r: index):
          %a = tile.stage rms_norm @x[%t] weight @n0 eps 1.0e-6 : !tile.rows<4, 64, 0>
          %w = tile.stream @ab[%r] rows 0 count 8 : !tile.weights<16, 64, "bf16">
          tile.matmul %a, %w : !tile.rows<4, 64, 0>, !tile.weights<16, 64, "bf16"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store %acc to @controls[%t, %r] of 8 : !tile.acc<4, 16>
          }
        }
        tile.signal @D1
      }
      tile.phase @delta_prepare {
        tile.wait @D1
        tile.tasks [<tokens 2>, <count 2>] {
        ^bb0(%t: index, %h: index):
          tile.delta_prepare[%t, %h] tile 2 input @proj column 0 controls @controls a 4 b 0
            taps @taps a_log @a_log dt_bias @dt_bias window @window to @prepared
            key_heads 2 value_heads 4 key_dim 16 value_dim 16 qk_eps 1.0e-6
        }
        tile.signal @D1p
      }
      tile.phase @delta {
        tile.wait @D1p
        tile.tasks [<sequences 1>, <count 2>] {
        ^bb0(%s: index, %h: index):
          tile.delta_scan[%s, %h] chunked prepared @prepared input @proj column 0 controls @controls a 4 b 0
            taps @taps a_log @a_log dt_bias @dt_bias window @window state @delta to @o
            key_heads 2 value_heads 4 key_dim 16 value_dim 16 qk_eps 1.0e-6
        }
        tile.signal @D2
      }
      tile.phase @delta_out {
        tile.wait @D2
        tile.tasks [<tokens 4>, <count 2>] {
        ^bb0(%t: index, %r: index):
          %a = tile.stage gated_norm @o[%t] weight @o_norm eps 1.0e-6 gate @proj column 128 activation silu : !tile.rows<4, 64, 32>
          %w = tile.stream @delta_out[%r] rows 0 count 64 : !tile.weights<32, 64, "int4:32">
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          ^bb0(%acc: !tile.acc<4, 32>):
            tile.store %acc add to @x[%t, %r] of 64 : !tile.acc<4, 32>
          }
        }
        tile.signal @D3
      }
      tile.phase @route {
        tile.wait @D3
        tile.tasks [<tokens 4>] {
        ^bb0(%t: index):
          %q = tile.stage rms_norm @x[%t] weight @n1 eps 1.0e-6 publish @xq : !tile.rows<4, 64, 32>
        }
        tile.tasks [<tokens 4>, <count 1>] {
        ^bb0(%t: index, %r: index):
          %a = tile.stage rms_norm @x[%t] weight @n1 eps 1.0e-6 : !tile.rows<4, 64, 0>
          %w = tile.stream @router[%r] rows 0 count 5 : !tile.weights<16, 64, "f32">
          tile.matmul %a, %w : !tile.rows<4, 64, 0>, !tile.weights<16, 64, "f32"> {
          ^bb0(%acc: !tile.acc<4, 16>):
            tile.store %acc to @logits[%t, %r] of 5 : !tile.acc<4, 16>
          }
        }
        tile.signal @D4
      }
      tile.phase @choose {
        tile.wait @D4
        tile.tasks [<tokens 2>] {
        ^bb0(%t: index):
          tile.choose_experts @logits[%t] tile 2 experts 4 top_k 2 renormalize shared 1 to @chosen weights @shares
        }
        tile.signal @D5
      }
      tile.phase @experts_up {
        tile.wait @D5
        %g = tile.route @chosen weights @shares experts 4 top_k 2 shared 1 tokens 8 : !tile.groups
        tile.tasks [<experts 1>, <count 1>] groups %g : !tile.groups {
        ^bb0(%e: index, %r: index):
          tile.expert_up %g[%e, %r] tile 32 weights @gate_up source @xq to @h intermediate 32
        }
        tile.signal @D6
      }
      tile.phase @experts_down {
        tile.wait @D6
        %g = tile.route @chosen weights @shares experts 4 top_k 2 shared 1 tokens 8 : !tile.groups
        tile.tasks [<experts 1>, <count 4>] groups %g : !tile.groups {
        ^bb0(%e: index, %r: index):
          tile.expert_pairs %g[%e, %r] tile 16 weights @down h @h to @pairs
        }
        tile.signal @D7
      }
      tile.phase @experts_sum {
        tile.wait @D7
        %g = tile.route @chosen weights @shares experts 4 top_k 2 shared 1 tokens 8 : !tile.groups
        tile.tasks [<tokens 4>] {
        ^bb0(%t: index):
          tile.expert_sum %g[%t] tile 4 from @pairs to @x
        }
        tile.signal @D8
      }
    }
    tile.phase @head {
      tile.wait @D8
      tile.tasks [<rows 4>, <count 3>] {
      ^bb0(%t: index, %r: index):
        %a = tile.stage rms_norm @x[%t] chosen weight @norm eps 1.0e-6 : !tile.rows<4, 64, 64>
        %w = tile.stream @head[%r] rows 0 count 96 : !tile.weights<32, 64, "int8:64">
        tile.matmul %a, %w : !tile.rows<4, 64, 64>, !tile.weights<32, 64, "int8:64"> {
        ^bb0(%acc: !tile.acc<4, 32>):
          tile.store_logits %acc maxima @maxima[%t, %r] of 96 limit 90 : !tile.acc<4, 32>
        }
      }
      tile.signal @F1
    }
    tile.phase @sample {
      tile.wait @F1
      tile.tasks [<rows 1>] {
      ^bb0(%r: index):
        tile.sample[%r] maxima @maxima tile 32 of 96 limit 90 candidates 64
      }
    }
  }
}

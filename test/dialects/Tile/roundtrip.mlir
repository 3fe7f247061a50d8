// Every op, printed and read back, twice. What the printer writes is checked
// where it has a choice.
// RUN: quartet-opt %s -o %t.once.mlir
// RUN: quartet-opt %t.once.mlir -o %t.twice.mlir
// RUN: diff %t.once.mlir %t.twice.mlir
// RUN: FileCheck %s < %t.once.mlir
// RUN: quartet-opt %quartet_src/test/passes/Tile/Inputs/hybrid.mlir -o %t.hybrid.mlir
// RUN: quartet-opt %t.hybrid.mlir -o %t.again.mlir
// RUN: diff %t.hybrid.mlir %t.again.mlir
// RUN: FileCheck %s --check-prefix=DELTA < %t.hybrid.mlir

// DELTA: tile.delta_scan[%{{.*}}, %{{.*}}] input @proj column 0
// DELTA: tile.delta_prepare[%{{.*}}, %{{.*}}] tile 2 input @proj column 0 controls @controls a 4 b 0 taps @taps a_log @a_log dt_bias @dt_bias window @window to @prepared key_heads 2 value_heads 4 key_dim 16 value_dim 16 qk_eps 9.99999997E-7
// DELTA: tile.delta_scan[%{{.*}}, %{{.*}}] chunked prepared @prepared input @proj column 0

// CHECK-LABEL: tile.program @p
tile.program @p {
  // CHECK: tile.vector @norm : tensor<64xf32>
  tile.vector @norm : tensor<64xf32>
  // CHECK: tile.vector @head_norm repeat 2 : tensor<16xbf16>
  tile.vector @head_norm repeat 2 : tensor<16xbf16>
  // CHECK: tile.matrix @w rows 32 columns 64 format "int4:32"
  tile.matrix @w rows 32 columns 64 format "int4:32"
  // CHECK: tile.matrix @e repeat 2 experts 3 rows 64 columns 64 format "f32"
  tile.matrix @e repeat 2 experts 3 rows 64 columns 64 format "f32"
  tile.matrix @down repeat 2 experts 3 rows 64 columns 32 format "f32"
  tile.matrix @kv repeat 2 rows 32 columns 64 format "int4:32"
  // CHECK: tile.state @key pages repeat 2 : tensor<?x2x64x16xf16>
  tile.state @key pages repeat 2 : tensor<?x2x64x16xf16>
  // CHECK: tile.state @window slots : tensor<?x3x64xbf16>
  tile.state @window slots : tensor<?x3x64xbf16>

  // CHECK: tile.step @few few tokens 4 sequences 2 scratch 4096 scratch_per_page 64 local 512 {
  tile.step @few few tokens 4 sequences 2 scratch 4096 scratch_per_page 64 local 512 {
    // CHECK: tile.buffer @x at 128 : memref<4x64xf32>
    tile.buffer @x at 128 : memref<4x64xf32>
    // CHECK: tile.buffer @partials pieces of 8 pages at 0 : memref<4x2x?x20xf32>
    tile.buffer @partials pieces of 8 pages at 0 : memref<4x2x?x20xf32>
    // CHECK: tile.buffer @xq : !tile.rows<4, 64, 32>
    tile.buffer @xq : !tile.rows<4, 64, 32>
    // CHECK: tile.buffer @xs in 2 parts at 64 : !tile.rows<4, 64, 0>
    tile.buffer @xs in 2 parts at 64 : !tile.rows<4, 64, 0>
    tile.buffer @logits : memref<4x16xf32>
    tile.buffer @h : !tile.rows<12, 32, 0>
    tile.buffer @heads : memref<4x2x16xf32>
    tile.buffer @pairs : memref<12x64xf32>
    tile.buffer @chosen : memref<4x2xi32>
    tile.buffer @weights : memref<4x2xf32>
    // CHECK: tile.event @done
    tile.event @done
    tile.event @routed
    // CHECK: tile.layers repeat 2 {
    tile.layers repeat 2 {
      // CHECK: tile.phase @one {
      tile.phase @one {
        // CHECK: tile.prefetch @kv bytes 4096
        tile.prefetch @kv bytes 4096
        // CHECK: tile.wait previous @done
        tile.wait previous @done
        // CHECK: %[[G:.*]] = tile.route @logits experts 2 top_k 1 shared 1 tokens 4 : !tile.groups
        %g = tile.route @logits experts 2 top_k 1 shared 1 tokens 4 : !tile.groups
        // CHECK: %[[A:.*]] = tile.stage rms_norm @x weight @norm eps {{.*}} : !tile.rows<4, 64, 32>
        %a = tile.stage rms_norm @x weight @norm eps 1.0e-6 : !tile.rows<4, 64, 32>
        %f = tile.stage plain @x : !tile.rows<4, 64, 0>
        // CHECK: tile.tasks [<experts 1>, <count 1>] groups %[[G]] : !tile.groups {
        tile.tasks [<experts 1>, <count 1>] groups %g : !tile.groups {
        // CHECK: ^bb0(%[[E:.*]]: index, %[[R:.*]]: index):
        ^bb0(%e: index, %r: index):
          // CHECK: tile.expert_up %[[G]][%[[E]], %[[R]]] tile 32 weights @e rows %{{.*}} : !tile.rows<4, 64, 0> to @h intermediate 32
          tile.expert_up %g[%e, %r] tile 32 weights @e rows %f : !tile.rows<4, 64, 0> to @h intermediate 32
        }
        // CHECK: tile.tasks [<tokens 4>, <count 1>] {
        tile.tasks [<tokens 4>, <count 1>] {
        // CHECK: ^bb0(%[[T:.*]]: index, %[[R:.*]]: index):
        ^bb0(%t: index, %r: index):
          // CHECK: tile.stage plain @x[%[[T]]] publish @xq : !tile.rows<4, 64, 32>
          %b = tile.stage plain @x[%t] publish @xq : !tile.rows<4, 64, 32>
          // CHECK: %[[W:.*]] = tile.stream @kv[%[[R]]] rows 0 count 32 : !tile.weights<32, 64, "int4:32">
          %w = tile.stream @kv[%r] rows 0 count 32 : !tile.weights<32, 64, "int4:32">
          // CHECK: tile.matmul %[[A]], %[[W]] : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          tile.matmul %a, %w : !tile.rows<4, 64, 32>, !tile.weights<32, 64, "int4:32"> {
          // CHECK: ^bb0(%[[ACC:.*]]: !tile.acc<4, 32>):
          ^bb0(%acc: !tile.acc<4, 32>):
            // CHECK: tile.store %[[ACC]] from 16 width 16 add to @x[%[[T]], %[[R]]] column 32 of 16 : !tile.acc<4, 32>
            tile.store %acc from 16 width 16 add to @x[%t, %r] column 32 of 16 : !tile.acc<4, 32>
            // CHECK: tile.store %[[ACC]] to @x[%[[R]]] of 32 : !tile.acc<4, 32>
            tile.store %acc to @x[%r] of 32 : !tile.acc<4, 32>
            // CHECK: tile.store_head %[[ACC]] width 16 cache to @key[%[[T]], %[[R]]] norm @head_norm eps {{.*}} : !tile.acc<4, 32>
            tile.store_head %acc width 16 cache to @key[%t, %r] norm @head_norm eps 1.0e-6 : !tile.acc<4, 32>
            // CHECK: tile.store_head %[[ACC]] from 16 width 16 to @heads[%[[R]]] : !tile.acc<4, 32>
            tile.store_head %acc from 16 width 16 to @heads[%r] : !tile.acc<4, 32>
          }
        }
        // CHECK: tile.signal @routed
        tile.signal @routed
      }
      tile.phase @two {
        // CHECK: tile.wait @routed
        tile.wait @routed
        // CHECK: %[[G:.*]] = tile.recall "one" : !tile.groups
        %g = tile.recall "one" : !tile.groups
        tile.tasks [<count 4>] {
        ^bb0(%r: index):
          // CHECK: tile.expert_down %[[G]][%{{.*}}] tile 16 weights @down h @h to @x
          tile.expert_down %g[%r] tile 16 weights @down h @h to @x
        }
        tile.tasks [<experts 1>, <count 4>] groups %g : !tile.groups {
        // CHECK: ^bb0(%[[E:.*]]: index, %[[R:.*]]: index):
        ^bb0(%e: index, %r: index):
          // CHECK: tile.expert_pairs %[[G]][%[[E]], %[[R]]] tile 16 weights @down h @h to @pairs
          tile.expert_pairs %g[%e, %r] tile 16 weights @down h @h to @pairs
        }
        tile.tasks [<tokens 2>] {
        // CHECK: ^bb0(%[[T:.*]]: index):
        ^bb0(%t: index):
          // CHECK: tile.expert_sum %[[G]][%[[T]]] tile 2 from @pairs to @x
          tile.expert_sum %g[%t] tile 2 from @pairs to @x
        }
        tile.tasks [<tokens 2>] {
        // CHECK: ^bb0(%[[T:.*]]: index):
        ^bb0(%t: index):
          // CHECK: tile.choose_experts @logits[%[[T]]] tile 2 experts 2 top_k 1 renormalize shared 1 gate 3 to @chosen weights @weights
          tile.choose_experts @logits[%t] tile 2 experts 2 top_k 1 renormalize shared 1 gate 3 to @chosen weights @weights
        }
        tile.signal @done
      }
      tile.phase @three {
        tile.wait @done
        // CHECK: tile.route @chosen weights @weights experts 2 top_k 1 shared 1 tokens 4 : !tile.groups
        %g = tile.route @chosen weights @weights experts 2 top_k 1 shared 1 tokens 4 : !tile.groups
        tile.tasks [<experts 1>] groups %g : !tile.groups {
        ^bb0(%e: index):
        }
      }
    }
  }
}

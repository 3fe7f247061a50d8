// The schedule of a model with both kinds of layers: what its phases are, in which
// order, and what a step of few and of many tokens differ in.
// RUN: quartetc build %quartet_src/test/golden/moe -q --layers 4 --emit=phases -o %t.mlir
// RUN: quartet-opt %t.mlir -quartet-to-tile=buckets=4,64 | FileCheck %s --implicit-check-not=tile.choose_experts --implicit-check-not=prepare
// RUN: quartet-opt %t.mlir -quartet-to-tile="buckets=4,64,4096 gpu" -tile-verify-schedule | FileCheck %s --check-prefix=GPU
// RUN: not quartet-opt %s -quartet-to-tile=buckets=1 2>&1 | FileCheck %s --check-prefix=NONE

// NONE: error: {{.*}}has no phases; run quartet-form-phases first
quartet.model @empty {
  quartet.weight @w : tensor<4x4xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %w = quartet.load_weight @w : tensor<4x4xf32>
    %x = quartet.embed %tokens, %w : (tensor<?xi32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %l = quartet.lm_head %x, %rows, %w : (tensor<?x4xf32>, tensor<?xi32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %s = quartet.sample %l, %temperature, %top_k, %top_p, %min_p, %uniform token_limit 4 candidates 4
      : (tensor<?x4xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
    quartet.return %l, %s : tensor<?x4xf32>, tensor<?xi32>
  }
}

// CHECK-NOT:   quartet.
// CHECK:       tile.program @moe
// Six phases of a DeltaNet layer; rows are staged once by each worker.
// CHECK:       tile.step @few_4 few tokens 4
// CHECK:       tile.phase @embed
// CHECK:       tile.layers repeat 1
// CHECK:       tile.phase @l0.in {
// CHECK-NEXT:    tile.wait @embed.done
// CHECK-NEXT:    tile.wait previous @l3.down.done
// CHECK-NEXT:    tile.stage rms_norm @x weight @l0.input_norm
// CHECK:       tile.phase @l0.delta {
// CHECK:         tile.tasks [<sequences 1>, <count 2>]
// CHECK-NOT:     chunked
// CHECK:       tile.phase @l0.out {
// CHECK:         tile.stage gated_norm
// CHECK:         tile.store {{.*}} add to @x
// CHECK:       tile.phase @l0.route {
// CHECK:       tile.phase @l0.up {
// CHECK:         tile.route
// CHECK:         tile.expert_up
// CHECK:       tile.phase @l0.down {
// CHECK:         tile.recall "l0.up"
// CHECK:       tile.phase @l1.in {
// Six of an attention layer: a task is a head, which is normed, rotated and put in place.
// CHECK:       tile.phase @l3.in {
// CHECK:         tile.store_head {{.*}} to @l3.in.query[{{.*}}] norm @l3.q_norm
// CHECK:         tile.store_head {{.*}} cache to @l3.key_cache[{{.*}}] norm @l3.k_norm
// CHECK:         tile.store_head {{.*}} cache to @l3.value_cache
// CHECK:       tile.phase @l3.attend {
// CHECK:         <ranges 8>
// CHECK:       tile.phase @l3.out {
// CHECK:         tile.stage merge @l3.attend.partials
// CHECK:       tile.phase @l3.route {
// CHECK-NEXT:    tile.wait @l3.out.done
// CHECK:       tile.phase @l3.up {
// CHECK:       tile.phase @l3.down {
// CHECK:       tile.phase @head {
// CHECK:       tile.phase @sample {
// Many tokens: tiles of tokens are a dimension of the tasks. A task stages rows that no
// other one wants.
// CHECK:       tile.step @many_64 many tokens 64
// CHECK-NOT:   tile.phase @l0.in.stage
// CHECK:       tile.phase @l0.in {
// CHECK:         tile.tasks [<count 1>, <tokens 64>]
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      tile.stage rms_norm @x
// CHECK:         tile.delta_scan{{.*}} chunked
// CHECK:         publish @l0.route.staged
// CHECK:         tile.expert_up {{.*}} source @l0.route.staged
// Rows that the tasks of all heads want have a phase of their own.
// CHECK:       tile.phase @l3.in.stage {
// CHECK-NEXT:    tile.wait @l2.down.done
// CHECK-NEXT:    tile.tasks [<tokens 8>]
// CHECK:           tile.stage rms_norm @x{{.*}} publish @l3.in.stage
// CHECK:       tile.phase @l3.in {
// CHECK-NEXT:    tile.wait @l3.in.stage.done
// CHECK:         tile.stage plain @l3.in.stage
// CHECK:         tile.store_head

// On GPUs a phase in front of the delta rule prepares chunks, a task for each key head and
// tile of tokens that they begin in, of a chunk where that makes enough tasks; not for few
// tokens. Tasks choose experts in a phase in front, where tokens are many, and experts' down
// projections are tasks by expert, whose pairs are added up behind.
// GPU:         tile.step @few_4 few tokens 4
// GPU-NOT:     {{tile.choose_experts|prepare}}
// GPU:         tile.route @l0.route experts 8 top_k 2 renormalize shared 1 gate 16 tokens 4
// GPU-NOT:     tile.choose_experts
// GPU:         tile.step @many_64 many tokens 64
// GPU:         tile.buffer @l0.delta.prepare : memref<64x{{[0-9]+}}xf32>
// GPU:         tile.buffer @l0.up.choose : memref<64x3xi32>
// GPU:         tile.buffer @l0.up.choose.weights : memref<64x3xf32>
// GPU:         tile.buffer @l0.down.pairs : memref<{{[0-9]+}}x64xf32>
// GPU:         tile.phase @l0.delta.prepare {
// GPU-NEXT:      tile.wait @l0.in.done
// GPU-NEXT:      tile.tasks [<tokens 4>, <count 2>] {
// GPU-NEXT:      ^bb0(%[[T:.*]]: index, %[[H:.*]]: index):
// GPU-NEXT:        tile.delta_prepare[%[[T]], %[[H]]] tile 4 input @l0.in{{.*}} window @l0.conv_window{{.*}} to @l0.delta.prepare key_heads 2
// GPU:           tile.signal @l0.delta.prepare.done
// GPU:         tile.phase @l0.delta {
// GPU-NEXT:      tile.wait @l0.delta.prepare.done
// GPU:           tile.delta_scan{{.*}} chunked prepared @l0.delta.prepare
// GPU:         tile.phase @l0.up.choose {
// GPU-NEXT:      tile.wait @l0.route.done
// GPU-NEXT:      tile.tasks [<tokens 8>] {
// GPU-NEXT:      ^bb0(%[[T:.*]]: index):
// GPU-NEXT:        tile.choose_experts @l0.route[%[[T]]] tile 8 experts 8 top_k 2 renormalize shared 1 gate 16 to @l0.up.choose weights @l0.up.choose.weights
// GPU:           tile.signal @l0.up.choose.done
// GPU:         tile.phase @l0.up {
// GPU-NEXT:      tile.wait @l0.up.choose.done
// GPU-NEXT:      tile.route @l0.up.choose weights @l0.up.choose.weights experts 8 top_k 2 shared 1 tokens 64
// GPU:         tile.phase @l0.down {
// GPU:           %[[G:.*]] = tile.recall "l0.up" : !tile.groups
// GPU-NEXT:      tile.tasks [<experts 1>, <count 1>] groups %[[G]] : !tile.groups {
// GPU-NEXT:      ^bb0(%[[E:.*]]: index, %[[I:.*]]: index):
// GPU-NEXT:        tile.expert_pairs %[[G]][%[[E]], %[[I]]] tile 64 weights @l0.down{{.*}} h @l0.up.h to @l0.down.pairs
// GPU:           tile.signal @l0.down.done
// GPU:         tile.phase @l0.down.sum {
// GPU-NEXT:      tile.wait @l0.down.done
// GPU-NEXT:      %[[G:.*]] = tile.recall "l0.up" : !tile.groups
// GPU-NEXT:      tile.tasks [<tokens 8>] {
// GPU:             tile.expert_sum %[[G]][%{{.*}}] tile 8 from @l0.down.pairs to @x
// GPU:           tile.signal @l0.down.sum.done
// GPU:         tile.phase @l1.in
// GPU-NEXT:      tile.wait @l0.down.sum.done
// GPU:         tile.step @many_4096 many tokens 4096
// GPU:         tile.phase @l0.delta.prepare {
// GPU:           tile.tasks [<tokens 32>, <count 2>] {
// GPU:             tile.delta_prepare{{.*}} tile 32 input

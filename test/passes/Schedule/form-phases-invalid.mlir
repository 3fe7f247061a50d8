// RUN: quartet-opt %s -split-input-file -quartet-form-phases -verify-diagnostics

// A layer that is not split into its halves.
quartet.model @mlp {
  quartet.weight @a : tensor<32x8xf32>
  quartet.weight @b : tensor<8x16xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %a = quartet.load_weight @a : tensor<32x8xf32>
    %b = quartet.load_weight @b : tensor<8x16xf32>
    // expected-error @+1 {{'quartet.mlp' op has no place in a phase: run quartet-fuse-experts first}}
    %y = quartet.mlp %x, %a, %b : (tensor<?x8xf32>, tensor<32x8xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// An op of another dialect with a region.
quartet.model @other {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %c0 = arith.constant 0 : index
    %n = tensor.dim %tokens, %c0 : tensor<?xi32>
    // expected-error @+1 {{'tensor.generate' op has no place in a phase}}
    %x = tensor.generate %n {
    ^bb0(%i: index, %j: index):
      %f = arith.constant 1.0 : f32
      tensor.yield %f : f32
    } : tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// RUN: quartet-opt %s -split-input-file -quartet-lower-model -verify-diagnostics

// An op that computes has no meaning on buffers: the passes are in the wrong order.
quartet.model @in_step {
  quartet.weight @embed : tensor<8x4xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %e = quartet.load_weight @embed : tensor<8x4xf32>
    // expected-error @+1 {{'quartet.embed' op is not decomposed: run quartet-to-linalg first}}
    %x = quartet.embed %tokens, %e : (tensor<?xi32>, tensor<8x4xf32>) -> tensor<?x4xf32>
    quartet.return %x, %rows : tensor<?x4xf32>, tensor<?xi32>
  }
}

// -----

// The same inside a block.
quartet.model @in_block {
  quartet.weight @w repeat 2 : tensor<4x4xf32>
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
    %x = tensor.empty(%n) : tensor<?x4xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x4xf32>):
      %w = quartet.load_weight @w : tensor<4x4xf32>
      // expected-error @+1 {{'quartet.linear' op is not decomposed: run quartet-to-linalg first}}
      %z = quartet.linear %h, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
      quartet.yield %z : tensor<?x4xf32>
    } : tensor<?x4xf32>
    quartet.return %y, %rows : tensor<?x4xf32>, tensor<?xi32>
  }
}

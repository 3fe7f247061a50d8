// RUN: quartet-opt %s -split-input-file -quartet-record-activations -verify-diagnostics

// A packed matrix: it is too late.
quartet.model @packed {
  quartet.weight @w : !quartet.packed<16x8, "bf16">
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %w = quartet.load_weight @w : !quartet.packed<16x8, "bf16">
    // expected-error @+1 {{has a matrix that is no weight of the checkpoint: record activations before quantization and fusion}}
    %l = quartet.linear %x, %w : (tensor<?x8xf32>, !quartet.packed<16x8, "bf16">) -> tensor<?x16xf32>
    quartet.return %l, %tokens : tensor<?x16xf32>, tensor<?xi32>
  }
}

// -----

// A fused op has several matrices in one.
quartet.model @fused {
  quartet.weight @w : tensor<16x8xbf16>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %w = quartet.load_weight @w : tensor<16x8xbf16>
    // expected-error @+1 {{is made by fusion: record activations before it}}
    %l = quartet.projections %x, %w rows [0] : (tensor<?x8xf32>, tensor<16x8xbf16>) -> tensor<?x16xf32>
    quartet.return %l, %tokens : tensor<?x16xf32>, tensor<?xi32>
  }
}

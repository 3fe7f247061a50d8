// What formats must say.
// RUN: not quartet-opt %s -quartet-quantize=formats=w 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: expected formats=weight=format, such as l0.qkv=int4:64, found 'w'
// RUN: not quartet-opt %s -quartet-quantize=formats=w=int4 2>&1 | FileCheck %s --check-prefix=FORMAT
// FORMAT: error: expected formats=weight=format, such as l0.qkv=int4:64, found 'w=int4'
// RUN: not quartet-opt %s -quartet-quantize=formats=w=bf16,v=bf16 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: expected a weight matrix of the model, found 'v' in formats
// RUN: not quartet-opt %s -quartet-quantize=formats=norm=bf16 2>&1 | FileCheck %s --check-prefix=VECTOR
// VECTOR: error: expected a weight matrix of the model, found 'norm' in formats
quartet.model @m {
  quartet.weight @w : tensor<8x8xf32>
  quartet.weight @norm : tensor<8xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %x = ub.poison : tensor<?x8xf32>
    %w = quartet.load_weight @w : tensor<8x8xf32>
    %y = quartet.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
    %n = quartet.load_weight @norm : tensor<8xf32>
    %z = quartet.rms_norm %y, %n eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

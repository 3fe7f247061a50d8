// RUN: quartet-opt %s -quartet-linalg-pipeline -quartet-buffer-pipeline -o %t
// RUN: FileCheck %s < %t
// RUN: FileCheck %s --check-prefix=COPY < %t
// RUN: FileCheck %s --check-prefix=ALLOC < %t

// The four kinds of state of a model with all its kinds of mixers are updated in
// place: they are as large as all sequences together, so one copy per step would
// cost more than the step.

// The convolution gathers the windows of the step's sequences (as many as seq_slot
// has entries, not as many as there are slots), then puts each into its slot: the
// only copies, each of one window, besides the two outputs.
// CHECK-LABEL: func.func @m_step
// CHECK:         scf.for
// CHECK:           %[[SEQUENCES:.*]] = memref.dim %arg5, %c0
// CHECK:           memref.alloc(%[[SEQUENCES]]) {{.*}} : memref<?x3x16xbf16>
// CHECK:           memref.copy %{{.*}}, %{{.*}} : memref<1x3x16xbf16, {{.*}}> to memref<1x3x16xbf16, {{.*}}>

// COPY:          memref.copy %{{.*}} : memref<1x3x16xbf16,
// COPY-NOT:      memref.copy
// COPY:          memref.copy %{{.*}}, %arg21 : memref<?x32xf32>
// COPY-NEXT:     memref.copy %{{.*}}, %arg22 : memref<?xi32>
// COPY-NOT:      memref.copy

// Nothing of the shape of a state, repeated or not, is ever allocated.
// ALLOC-NOT:     memref.alloc{{.*}} : memref<{{(2x)?}}?x2x4x4xf32
// ALLOC-NOT:     memref.alloc{{.*}} : memref<{{(2x)?}}?x2x64x4xbf16
// ALLOC-NOT:     memref.alloc{{.*}} : memref<2x?x3x16xbf16
quartet.model @m {
  quartet.weight @embed : tensor<32x16xf32>
  quartet.weight @qkv repeat 2 : tensor<16x16xbf16>
  quartet.weight @conv repeat 2 : tensor<16x4xf32>
  quartet.state @window slots repeat 2 : tensor<?x3x16xbf16>
  quartet.state @delta slots repeat 2 : tensor<?x2x4x4xf32>
  quartet.state @key pages repeat 2 : tensor<?x2x64x4xbf16>
  quartet.state @value pages repeat 2 : tensor<?x2x64x4xbf16>
  quartet.weight @alog repeat 2 : tensor<2xf32>
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %e = quartet.load_weight @embed : tensor<32x16xf32>
    %x = quartet.embed %tokens, %e : (tensor<?xi32>, tensor<32x16xf32>) -> tensor<?x16xf32>
    %y = quartet.block repeat 2 init(%x) {
    ^bb0(%h: tensor<?x16xf32>):
      %w = quartet.load_weight @qkv : tensor<16x16xbf16>
      %q = quartet.linear %h, %w : (tensor<?x16xf32>, tensor<16x16xbf16>) -> tensor<?x16xf32>
      %cw = quartet.load_weight @conv : tensor<16x4xf32>
      %s = quartet.load_state @window : tensor<?x3x16xbf16>
      %c, %s1 = quartet.causal_conv %q, %cw, %s ragged(%token_seq, %seq_start, %seq_slot)
       : (tensor<?x16xf32>, tensor<16x4xf32>, tensor<?x3x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>)
      -> (tensor<?x16xf32>, tensor<?x3x16xbf16>)
      quartet.store_state @window, %s1 : tensor<?x3x16xbf16>
      %c0 = arith.constant 0 : index
      %n = tensor.dim %c, %c0 : tensor<?x16xf32>
      %qq0 = tensor.extract_slice %c[0, 0] [%n, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
      %qq = tensor.expand_shape %qq0 [[0], [1, 2]] output_shape [%n, 2, 4] : tensor<?x8xf32> into tensor<?x2x4xf32>
      %a = tensor.extract_slice %c[0, 0] [%n, 2] [1, 1] : tensor<?x16xf32> to tensor<?x2xf32>
      %al = quartet.load_weight @alog : tensor<2xf32>
      %d = quartet.load_state @delta : tensor<?x2x4x4xf32>
      %o, %d1 = quartet.gated_delta %qq, %qq, %qq, %a, %a, %al, %al, %d ragged(%seq_start, %seq_slot) qk_eps 1.0e-6
      : (tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x2x4xf32>,
         tensor<?x2xf32>, tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>,
         tensor<?x2x4x4xf32>, tensor<?xi32>, tensor<?xi32>)
      -> (tensor<?x2x4xf32>, tensor<?x2x4x4xf32>)
      quartet.store_state @delta, %d1 : tensor<?x2x4x4xf32>
      %k0 = quartet.load_state @key : tensor<?x2x64x4xbf16>
      %v0 = quartet.load_state @value : tensor<?x2x64x4xbf16>
      %at, %k1, %v1 = quartet.gated_attention %o, %qq, %qq gate(%qq) cache(%k0, %v0) ragged(%token_seq, %seq_start, %seq_past, %seq_slot)
        pages(%page_table) scale 5.0e-1
      : (tensor<?x2x4xf32>, tensor<?x2x4xf32>, tensor<?x2x4xf32>,
         tensor<?x2x4xf32>, tensor<?x2x64x4xbf16>, tensor<?x2x64x4xbf16>,
         tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
      -> (tensor<?x2x4xf32>, tensor<?x2x64x4xbf16>, tensor<?x2x64x4xbf16>)
      quartet.store_state @key, %k1 : tensor<?x2x64x4xbf16>
      quartet.store_state @value, %v1 : tensor<?x2x64x4xbf16>
      %z = arith.addf %h, %c : tensor<?x16xf32>
      quartet.yield %z : tensor<?x16xf32>
    } : tensor<?x16xf32>
    %logits = quartet.lm_head %y, %rows, %e : (tensor<?x16xf32>, tensor<?xi32>, tensor<32x16xf32>) -> tensor<?x32xf32>
    %ids = quartet.sample %logits, %temperature, %top_k, %top_p, %min_p, %uniform token_limit 30 candidates 8
      : (tensor<?x32xf32>, tensor<?xf32>, tensor<?xi32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xi32>
    quartet.return %logits, %ids : tensor<?x32xf32>, tensor<?xi32>
  }
}

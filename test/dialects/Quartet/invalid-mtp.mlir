// One negative test for each thing that the constraints of quartet.model and
// quartet.step say about multi-token prediction.
// RUN: quartet-opt %s -split-input-file -verify-diagnostics

// Without the model's own step.
// expected-error @+1 {{expected exactly one quartet.step, found none}}
quartet.model @model_c2_alone {
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens hidden %hidden : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
  }
}

// -----

// Two of them.
quartet.model @model_c2_two {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens hidden %hidden : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
  }
  // expected-error @+1 {{expected at most one quartet.step mtp in quartet.model @model_c2_two, found a second one}}
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens hidden %hidden : tensor<?x8xf32>, tensor<?xi32>, tensor<?x4xf32>
  }
}

// -----

// Without hidden states.
quartet.model @step_c1_count {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  // expected-error @+1 {{expected 14 arguments, found 13}}
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Of any width.
quartet.model @step_c1_width {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  // expected-error @+1 {{expected argument 13 (hidden_in) to be f32 rows of a fixed width, found 'tensor<?x?xf32>'}}
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens hidden %hidden : tensor<?x8xf32>, tensor<?xi32>, tensor<?x?xf32>
  }
}

// -----

// In a step of the model itself.
quartet.model @step_c1_main {
  // expected-error @+1 {{expected 13 arguments, found 14}}
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Nothing to go on from.
quartet.model @step_c2_none {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    // expected-error @+1 {{expected hidden rows of the type of hidden_in, 'tensor<?x4xf32>', at the end of a step of multi-token prediction}}
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
}

// -----

// Of another width.
quartet.model @step_c2_width {
  quartet.step {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    quartet.return %logits, %tokens : tensor<?x8xf32>, tensor<?xi32>
  }
  quartet.step mtp {
  ^bb0(%tokens: tensor<?xi32>, %positions: tensor<3x?xi32>,
       %token_seq: tensor<?xi32>, %seq_start: tensor<?xi32>,
       %seq_past: tensor<?xi32>, %seq_slot: tensor<?xi32>,
       %page_table: tensor<?x?xi32>, %rows: tensor<?xi32>,
       %temperature: tensor<?xf32>, %top_k: tensor<?xi32>,
       %top_p: tensor<?xf32>, %min_p: tensor<?xf32>,
       %uniform: tensor<?xf32>, %hidden: tensor<?x4xf32>):
    %logits = ub.poison : tensor<?x8xf32>
    %h = ub.poison : tensor<?x5xf32>
    // expected-error @+1 {{expected hidden rows of the type of hidden_in, 'tensor<?x4xf32>'}}
    quartet.return %logits, %tokens hidden %h : tensor<?x8xf32>, tensor<?xi32>, tensor<?x5xf32>
  }
}

// RUN: quartet-opt %s -split-input-file -quartet-lower-entry -verify-diagnostics

// expected-error @+1 {{'func.func' op argument 1 is not a buffer with a 'quartet.field' that quartet_step_args has}}
func.func @no_field(%a: memref<4xi32> {quartet.field = "tokens"}, %b: memref<4xi32>)
    attributes {quartet.entry} {
  return
}

// -----

// expected-error @+1 {{argument 0 is not a buffer with a 'quartet.field' that quartet_step_args has}}
func.func @unknown_field(%a: memref<4xi32> {quartet.field = "nonsense"})
    attributes {quartet.entry} {
  return
}

// -----

// Bufferization has to come first.
// expected-error @+1 {{argument 0 is not a buffer}}
func.func @tensor(%a: tensor<4xi32> {quartet.field = "tokens"})
    attributes {quartet.entry} {
  return
}

// -----

// The runtime's arrays are dense: a buffer with strides of its own has no form.
// expected-error @+1 {{argument 0 is not a buffer}}
func.func @strided(%a: memref<4xi32, strided<[2]>> {quartet.field = "tokens"})
    attributes {quartet.entry} {
  return
}

// -----

// expected-error @+1 {{argument 0 needs a 'quartet.extents' for each dynamic dimension}}
func.func @too_few_extents(%a: memref<?x?xi32> {quartet.field = "page_table",
                                                quartet.extents = ["num_slots"]})
    attributes {quartet.entry} {
  return
}

// -----

// expected-error @+1 {{argument 0 needs a 'quartet.extents' for each dynamic dimension}}
func.func @unknown_extent(%a: memref<?xi32> {quartet.field = "tokens",
                                             quartet.extents = ["num_words"]})
    attributes {quartet.entry} {
  return
}

// The entry point of an executable. Apart from this file nothing in the runtime
// names what the compiler defines, so tests link the rest with their own model.
#include "runtime/src/app/App.h"
#include <climits>
#include <malloc.h>

/// A step allocates its activations and frees them at its end. By default the
/// larger ones would go back to the system each time and come back as pages to
/// be zeroed: on a small model that is a seventh of the time of a prompt.
static void keepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20); // The most that glibc takes.
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

int main(int argc, char **argv) {
  keepFreedMemory();
  quartet::rt::Image image = {quartet_manifest,      quartet_tokenizer,
                              quartet_chat_template, quartet_weights,
                              quartet_programs,      quartet_num_programs};
  return quartet::rt::runApp(argc, argv, image);
}

// The entry point of an executable. Apart from this file nothing in the runtime
// names what the compiler defines, so tests link the rest with their own model.
#include "runtime/src/app/App.h"

int main(int argc, char **argv) {
  quartet::rt::Image image = {quartet_manifest, quartet_tokenizer,
                              quartet_chat_template, quartet_weights,
                              quartet_step};
  return quartet::rt::runApp(argc, argv, image);
}

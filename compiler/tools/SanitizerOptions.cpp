// Defaults of AddressSanitizer in the asan preset. LLVM's allocators mark
// memory by hand in code compiled with the sanitizer, but the packaged LLVM and
// LLD, which share those templates, were compiled without it: the marks cannot
// be trusted.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}

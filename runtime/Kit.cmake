# What a kit consists of, and how it gets into its folder: for the kit of the machine
# that builds, and for those of other machines.

# quartet_find_kit_files(FILES MISSING TRIPLE [FLAG...])
# Sets FILES to the kit's files for TRIPLE but the runtime, each as "path=name in the
# kit", and MISSING to the names that the compiler with the FLAGs doesn't find.
function(quartet_find_kit_files files_variable missing_variable triple)
  string(REGEX REPLACE "-.*" "" arch ${triple})
  if(arch STREQUAL "aarch64")
    set(loader ld-linux-aarch64.so.1)
  else()
    set(loader ld-linux-x86-64.so.2)
  endif()
  set(files)
  set(missing)
  foreach(name Scrt1.o crti.o crtn.o crtbeginS.o crtendS.o libstdc++.a libgcc.a
               libgcc_eh.a libpcre2-8.a libutf8proc.a libc.so.6 libm.so.6
               ${loader} libc_nonshared.a)
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${ARGN} -print-file-name=${name}
                    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(IS_ABSOLUTE "${path}" AND EXISTS "${path}")
      # Links in the system's folders become the files they point to.
      file(REAL_PATH ${path} path)
      list(APPEND files ${path}=${name})
    else()
      list(APPEND missing ${name})
    endif()
  endforeach()

  # LLVM calls functions that an older libgcc lacks (float to bf16: __truncsfbf2).
  # Those of another machine are in its compiler's folder, below the sysroot.
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-resource-dir
                  OUTPUT_VARIABLE resources OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(ARGN MATCHES "--sysroot=([^;]+)" AND NOT CMAKE_MATCH_1 STREQUAL "/")
    set(resources ${CMAKE_MATCH_1}${resources})
  endif()
  set(builtins)
  foreach(name linux/libclang_rt.builtins-${arch}.a
               ${arch}-unknown-linux-gnu/libclang_rt.builtins.a)
    if(NOT builtins AND EXISTS ${resources}/lib/${name})
      set(builtins ${resources}/lib/${name})
    endif()
  endforeach()
  if(builtins)
    list(APPEND files ${builtins}=libclang_rt.builtins.a)
  else()
    list(APPEND missing libclang_rt.builtins-${arch}.a)
  endif()
  set(${files_variable} ${files} PARENT_SCOPE)
  set(${missing_variable} ${missing} PARENT_SCOPE)
endfunction()

# quartet_copy_kit(OUTPUTS FOLDER PATH=NAME...)
# Commands that copy each PATH to FOLDER/NAME; sets OUTPUTS to what they make.
function(quartet_copy_kit outputs_variable folder)
  set(outputs)
  foreach(entry ${ARGN})
    # A path may have a "=" in it, a name in the kit never has.
    string(REGEX MATCH "^(.*)=([^=]*)$" entry "${entry}")
    set(path "${CMAKE_MATCH_1}")
    set(copy ${folder}/${CMAKE_MATCH_2})
    add_custom_command(OUTPUT ${copy}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${CMAKE_COMMAND} -E copy "${path}" ${copy}
      DEPENDS "${path}" VERBATIM)
    list(APPEND outputs ${copy})
  endforeach()
  set(${outputs_variable} ${outputs} PARENT_SCOPE)
endfunction()

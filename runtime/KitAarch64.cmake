# The kit for AArch64, built on a machine of another kind: the same runtime compiled
# once more by the same clang, and the libraries of a sysroot, which
# scripts/install-aarch64 fills. A project of its own would need a second CMake run;
# a command per source keeps all in one build.
set(QUARTET_AARCH64_RUNTIME AUTO CACHE STRING
  "Build the runtime for --target aarch64: ON, OFF, or AUTO: if its libraries are there")
set_property(CACHE QUARTET_AARCH64_RUNTIME PROPERTY STRINGS AUTO ON OFF)
set(QUARTET_AARCH64_SYSROOT ${CMAKE_SOURCE_DIR}/build-sysroot-aarch64 CACHE PATH
  "Folder with arm64 versions of libc, libstdc++, PCRE2, utf8proc and clang's builtins")
if(QUARTET_AARCH64_RUNTIME STREQUAL "AUTO")
  set(arm_failure STATUS)
elseif(QUARTET_AARCH64_RUNTIME)
  set(arm_failure FATAL_ERROR)
else()
  return()
endif()

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(${arm_failure} "No runtime for aarch64: ${CMAKE_CXX_COMPILER} compiles for "
    "one machine only; set CMAKE_CXX_COMPILER to clang++-22")
  return()
endif()
set(arm_flags --target=aarch64-linux-gnu --sysroot=${QUARTET_AARCH64_SYSROOT})
quartet_find_kit_files(arm_files arm_missing aarch64-linux-gnu ${arm_flags})
if(arm_missing)
  list(JOIN arm_missing " " arm_missing)
  message(${arm_failure} "No runtime for aarch64: ${QUARTET_AARCH64_SYSROOT} lacks "
    "${arm_missing}; scripts/install-aarch64 gets them")
  return()
endif()

# Headers that are the same on every machine, without the others in their folder.
set(arm_build ${CMAKE_CURRENT_BINARY_DIR}/aarch64)
foreach(package nlohmann/json.hpp CLI/CLI.hpp)
  get_filename_component(folder ${package} DIRECTORY)
  if(folder STREQUAL "CLI")
    get_target_property(hints CLI11::CLI11 INTERFACE_INCLUDE_DIRECTORIES)
  else()
    get_target_property(hints nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
  endif()
  find_path(QUARTET_${folder}_HEADERS ${package} HINTS ${hints} REQUIRED)
  mark_as_advanced(QUARTET_${folder}_HEADERS)
  file(MAKE_DIRECTORY ${arm_build}/include)
  file(CREATE_LINK ${QUARTET_${folder}_HEADERS}/${folder} ${arm_build}/include/${folder}
       SYMBOLIC)
endforeach()

# Only our headers are followed (-MMD). Clang names those of the sysroot by way of
# links, lib/gcc/../../include, which CMake shortens to folders that don't exist.
get_target_property(arm_sources QuartetRuntimeObjects SOURCES)
set(arm_objects)
foreach(source ${arm_sources} src/app/main.cpp)
  file(REAL_PATH ${source} source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR} ${source})
  set(object ${arm_build}/${name}.o)
  get_filename_component(folder ${object} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_CXX_COMPILER} ${arm_flags} -std=c++17 -fPIC
            ${QUARTET_RUNTIME_FLAGS} ${QUARTET_OUTPUT_FLAGS}
            -DPCRE2_STATIC -DUTF8PROC_STATIC
            -I${CMAKE_CURRENT_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}
            -isystem ${arm_build}/include
            -MMD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Building runtime/${name} for aarch64" VERBATIM)
  list(APPEND arm_objects ${object})
endforeach()
set(arm_runtime ${arm_build}/libquartet_runtime.a)
# A fresh archive: an old one would keep the objects of removed sources.
add_custom_command(OUTPUT ${arm_runtime}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${arm_runtime}
  COMMAND ${CMAKE_CXX_COMPILER_AR} rcsD ${arm_runtime} ${arm_objects}
  DEPENDS ${arm_objects} VERBATIM)

quartet_copy_kit(arm_outputs ${CMAKE_BINARY_DIR}/lib/quartet/aarch64-linux-gnu
  ${arm_files} ${arm_runtime}=libquartet_runtime.a)
add_custom_target(QuartetRuntimeKitAarch64 DEPENDS ${arm_outputs})
add_dependencies(QuartetRuntimeKit QuartetRuntimeKitAarch64)

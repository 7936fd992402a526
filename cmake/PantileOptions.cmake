# How our own code is compiled. Third-party code comes as imported targets, whose headers are SYSTEM: no warning of theirs is ours.
option(PANTILE_TESTS "Build the tests" ON)
option(PANTILE_WERROR "Warnings are errors" ON)
option(PANTILE_CLANG_TIDY "Run clang-tidy with the build" OFF)
set(PANTILE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")
option(PANTILE_FUZZER "Build the fuzz targets with libFuzzer (clang only), and no other test" OFF)
set(PANTILE_CUDA AUTO CACHE STRING "Compile the CUDA parts: AUTO (when a CUDA compiler is found), ON or OFF")
set_property(CACHE PANTILE_CUDA PROPERTY STRINGS AUTO ON OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# -O2: the time goes into the engine, which comes compiled, and gcc 12 warns of overflows that are not there at -O3.
# -g1: a backtrace from a user's machine has line numbers.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

find_program(PANTILE_CCACHE ccache)
mark_as_advanced(PANTILE_CCACHE)
if(PANTILE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PANTILE_CCACHE}")
endif()
if(PANTILE_CLANG_TIDY)
  find_program(PANTILE_CLANG_TIDY_PROGRAM clang-tidy HINTS "${PROJECT_SOURCE_DIR}/.venv/bin" REQUIRED)  # tools/lint.sh installs it
  set(CMAKE_CXX_CLANG_TIDY "${PANTILE_CLANG_TIDY_PROGRAM}" --quiet)
endif()

set(warnings -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wextra-semi -Wvla -Wundef
  -Wcast-align)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 takes the value of an empty std::optional for one that may be used; the sanitizers and clang-tidy look for real ones.
  list(APPEND warnings -Wduplicated-cond -Wlogical-op -Wno-maybe-uninitialized)
endif()

add_library(pantile_options INTERFACE)
# Only C++: nvcc does not take these.
# -ffp-contract=off: pixels are the format; a fused multiply-add on one machine would change them.
target_compile_options(pantile_options INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:${warnings};-ffp-contract=off;$<$<BOOL:${PANTILE_WERROR}>:-Werror>>")
# The standard library's own checks (an index out of range aborts) everywhere but in what users run.
target_compile_definitions(pantile_options INTERFACE "$<$<NOT:$<CONFIG:Release>>:_GLIBCXX_ASSERTIONS>")
if(PANTILE_SANITIZE)
  target_compile_options(pantile_options INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${PANTILE_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  target_link_options(pantile_options INTERFACE -fsanitize=${PANTILE_SANITIZE})
  if(PANTILE_SANITIZE MATCHES "address")
    add_library(pantile_keep_modules STATIC "${PROJECT_SOURCE_DIR}/tools/sanitizers/keep_modules.c")
    # Whole: libc has the same symbol, so that nothing would take it out of its archive.
    target_link_libraries(pantile_options INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,pantile_keep_modules>")
  endif()
endif()
if(PANTILE_FUZZER)
  # Coverage of all of our code; the targets themselves bring the engine's main().
  target_compile_options(pantile_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>")
endif()

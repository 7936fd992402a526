# pantile_module(NAME SOURCES a.cpp … DEPENDS base config … LIBS PkgConfig::xxhash …)
# One folder of src/ as a static library `pantile_NAME`. DEPENDS names modules, LIBS other targets.
function(pantile_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
  add_library(pantile_${name} STATIC ${arg_SOURCES})
  target_include_directories(pantile_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  list(TRANSFORM arg_DEPENDS PREPEND pantile_)
  target_link_libraries(pantile_${name} PUBLIC pantile_options ${arg_DEPENDS} ${arg_LIBS})
endfunction()

# How long one test may take before it counts as stuck: a deadlock is silent. A sanitizer makes all slower, some things tenfold.
set(PANTILE_TEST_TIMEOUT_S 120)
if(PANTILE_SANITIZE)
  set(PANTILE_TEST_TIMEOUT_S 900)
endif()

# pantile_test(NAME SOURCES a_test.cpp … LIBS pantile_store …): one GoogleTest program `NAME_tests`, each test a ctest of its own.
function(pantile_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name}_tests ${arg_SOURCES})
  target_include_directories(${name}_tests PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name}_tests PRIVATE pantile_${name} ${arg_LIBS} GTest::gmock_main)
  gtest_discover_tests(${name}_tests TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${PANTILE_TEST_TIMEOUT_S} LABELS unit
    ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test-cache"
    ENVIRONMENT_MODIFICATION "PANTILE_PYTHON=set:${PANTILE_PYTHON}")  # a list of two variables would not come through
endfunction()

# pantile_headers_alone(): a target `headers_alone` that compiles each header of src/ as a file of its own, with the libraries of
# its module only. Built by the test tidy/headers_alone rather than by default.
function(pantile_headers_alone)
  add_custom_target(headers_alone)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/*.hpp")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "/.*" "" module "${header}")
    if(NOT TARGET pantile_${module})
      continue()
    endif()
    set(object headers_alone_${module})
    if(NOT TARGET ${object})
      add_library(${object} OBJECT EXCLUDE_FROM_ALL)
      target_link_libraries(${object} PRIVATE pantile_${module})
      target_compile_options(${object} PRIVATE -O0 -g0)
      add_dependencies(headers_alone ${object})
    endif()
    set(source "${CMAKE_CURRENT_BINARY_DIR}/headers_alone/${header}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\"\n#include \"${header}\"  // and again: it is guarded\n")
    target_sources(${object} PRIVATE "${source}")
  endforeach()
  add_test(NAME tidy/headers_alone COMMAND "${CMAKE_COMMAND}" --build "${PROJECT_BINARY_DIR}" --target headers_alone)
  set_tests_properties(tidy/headers_alone PROPERTIES LABELS tidy RUN_SERIAL ON TIMEOUT 900)
endfunction()

# add_mpi_test(NAME TARGET RANKS 1 2 4 …): the program under a real mpirun at each of these sizes, as NAME/1, NAME/2, …
function(add_mpi_test name target)
  cmake_parse_arguments(arg "" "" "RANKS" ${ARGN})
  foreach(ranks IN LISTS arg_RANKS)
    add_test(NAME ${name}/${ranks} COMMAND "${MPIEXEC_EXECUTABLE}" --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${target}>)
    set_tests_properties(${name}/${ranks} PROPERTIES LABELS mpi TIMEOUT ${PANTILE_TEST_TIMEOUT_S} PROCESSORS 2
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
  endforeach()
endfunction()

# The interpreter that runs the tests written in Python: it has what tools/requirements.txt lists.
# -DPANTILE_PYTHON, else the environment, else the .venv that tools/bootstrap.sh makes, else what the machine has.
if(NOT PANTILE_PYTHON)
  set(PANTILE_PYTHON "$ENV{PANTILE_PYTHON}")
  if(NOT PANTILE_PYTHON AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
    set(PANTILE_PYTHON "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  endif()
  if(NOT PANTILE_PYTHON)
    find_program(PANTILE_PYTHON3 python3 REQUIRED)
    mark_as_advanced(PANTILE_PYTHON3)
    set(PANTILE_PYTHON "${PANTILE_PYTHON3}")
  endif()
  set(PANTILE_PYTHON "${PANTILE_PYTHON}" CACHE FILEPATH "Python with pytest and the packages of tools/requirements.txt" FORCE)
endif()

# pantile_python_tests(LABEL): each test_*.py of this folder as a ctest `LABEL/name`; what it marks `long` as `LABEL/name/long`.
# The counts of the single tests are read from the JUnit file that each leaves in <build>/pytest/ (tools/test_summary.py).
# The tests find the program by PANTILE_BINARY and the tree by PANTILE_SOURCE_DIR.
function(pantile_python_tests label)
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/test_*.py")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM stem)
    string(REGEX REPLACE "^test_" "" name "${stem}")
    pantile_pytest("${label}/${name}" "${file}" "not long" "${label}" 900)
    file(STRINGS "${file}" marks_long REGEX "mark\\.long")
    if(marks_long)
      pantile_pytest("${label}/${name}/long" "${file}" "long" "long" 3600)
    endif()
  endforeach()
endfunction()

function(pantile_pytest name file marked label timeout_s)
  string(REPLACE "/" "." junit "${name}")
  add_test(NAME ${name}
    COMMAND "${PANTILE_PYTHON}" -B -m pytest -q -rs -p no:cacheprovider -m "${marked}"
      "--junitxml=${PROJECT_BINARY_DIR}/pytest/${junit}.xml" "${file}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  # LeakSanitizer stops all threads of a process to look at it, and dies of it in some that end beside MPI's. The C++ and MPI
  # tests look for leaks.
  set(sanitizer "PANTILE_SANITIZE=${PANTILE_SANITIZE}")
  if(PANTILE_SANITIZE MATCHES "address")
    string(APPEND sanitizer ";ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout_s} ENVIRONMENT
    "${sanitizer};PANTILE_SOURCE_DIR=${PROJECT_SOURCE_DIR};PANTILE_BINARY_DIR=${PROJECT_BINARY_DIR};PANTILE_BINARY=${PROJECT_BINARY_DIR}/pantile")
endfunction()

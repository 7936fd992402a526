# PANTILE_HAS_CUDA, and the language CUDA where a compiler for it is found. Never required, unless PANTILE_CUDA is ON.
# Included by the top CMakeLists.txt itself: a language is enabled for the whole project or not at all.
set(PANTILE_HAS_CUDA OFF)
if(PANTILE_CUDA)  # AUTO and ON are both true
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(PANTILE_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(PANTILE_NVCC)
    if(PANTILE_NVCC)
      set(CMAKE_CUDA_COMPILER "${PANTILE_NVCC}")
    endif()
  endif()
  if(CMAKE_CUDA_COMPILER OR DEFINED ENV{CUDACXX})
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 75-virtual)  # one form that the driver of any later card compiles for itself
    endif()
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # nvcc knows C++20 since 12.0; CMake 3.25 does not know that it does
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    find_package(CUDAToolkit REQUIRED)
    set(PANTILE_HAS_CUDA ON)
  elseif(PANTILE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "PANTILE_CUDA is ON, but no CUDA compiler was found. Name one: CUDACXX=…/nvcc cmake …, or leave PANTILE_CUDA at AUTO.")
  else()
    message(STATUS "No CUDA compiler: the CUDA parts are left out")
  endif()
endif()

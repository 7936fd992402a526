# OpenCV's imgcodecs and core alone. Debian's CMake package for OpenCV is in libopencv-dev, which installs all of it; these two
# are in libopencv-imgcodecs-dev.
#
#   OpenCV::imgcodecs
find_path(OpenCvImgcodecs_INCLUDE_DIR opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4)
find_library(OpenCvImgcodecs_LIBRARY opencv_imgcodecs)
find_library(OpenCvImgcodecs_CORE_LIBRARY opencv_core)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCvImgcodecs REQUIRED_VARS OpenCvImgcodecs_INCLUDE_DIR OpenCvImgcodecs_LIBRARY OpenCvImgcodecs_CORE_LIBRARY
  REASON_FAILURE_MESSAGE "Install libopencv-imgcodecs-dev.")
if(OpenCvImgcodecs_FOUND AND NOT TARGET OpenCV::imgcodecs)
  add_library(OpenCV::imgcodecs INTERFACE IMPORTED)
  set_target_properties(OpenCV::imgcodecs PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${OpenCvImgcodecs_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${OpenCvImgcodecs_LIBRARY};${OpenCvImgcodecs_CORE_LIBRARY}")
endif()
mark_as_advanced(OpenCvImgcodecs_INCLUDE_DIR OpenCvImgcodecs_LIBRARY OpenCvImgcodecs_CORE_LIBRARY)

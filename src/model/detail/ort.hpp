#pragma once
// The one place that includes ONNX Runtime. Its function table comes from dlopen, so it must not be filled in by
// itself.

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

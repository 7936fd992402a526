#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace pantile {

inline constexpr const char* minimal_job =
    "schema: 1\n"
    "input: [{path: pages}]\n"
    "pipeline:\n"
    "  - {id: upscale, model: models/m.onnx}\n"
    "output: {dir: out/run}\n";

inline RunConfig parse(const std::string& text, const std::vector<std::string>& sets = {}) {
  return parse_config(text, "job.yaml", "/jobs", sets);
}

/// The message for a job that is wrong; empty, and a failed test, if it is taken.
inline std::string refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    (void)parse(text, sets);
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "this job should be refused:\n" << text;
  return "";
}

}  // namespace pantile

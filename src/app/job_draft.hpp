#pragma once
// A first job file: what is known is filled in, every other key stands there as a comment with its default. Pure.

#include <optional>
#include <string>
#include <vector>

#include "model/facts.hpp"

namespace pantile::app {

struct JobDraft {
  std::string file;                  ///< what the job file will be called, for the hints in it
  std::string found;                 ///< one line on the images
  std::string name;                  ///< of the run
  std::string input;                 ///< path as it is written, relative to the job file or absolute
  std::vector<std::string> endings;  ///< of the images, for `include`; empty: no include
  std::string exclude;               ///< a glob; empty: nothing
  std::string model;                 ///< path as it is written; empty: a name to be replaced
  std::optional<ModelFacts> facts;   ///< of the model, if there is one
  std::string output;                ///< the run folder as it is written
};

/// The text of the file. A test keeps that it is a job as it is, and also with all its commented keys taken in.
[[nodiscard]] std::string job_text(const JobDraft& draft);

/// "scale 2, halo 5 px, 0.12 MB of weights", or why it is not local.
[[nodiscard]] std::string describe(const ModelFacts& facts);

}  // namespace pantile::app

#pragma once
// What the results of a run depend on, as text: run.yaml. Two runs with the same identity text have the same results.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace pantile {

/// Facts besides the config that the results depend on. Digests as text, in any form that does not change.
struct IdentityFacts {
  std::vector<std::string> model_digests;  ///< one per stage, in order; stands for the model's path
  std::string catalog_digest;
  /// Further facts, key → value ("items" → "38"), in the order they are to be written.
  std::vector<std::pair<std::string, std::string>> further;
};

/// Canonical YAML of the result-affecting keys only: inputs as written, the stages, the outputs, the digests. Where
/// values have defaults they are written out, so that a changed default shows as a difference.
[[nodiscard]] std::string identity_text(const RunConfig& config, const IdentityFacts& facts);

/// What differs between two identity texts, a line each: "pipeline.upscale.image.scale: 1/255 → 1/127". Empty if they
/// mean the same. Throws Error if one of them is not YAML.
[[nodiscard]] std::vector<std::string> diff_identity(const std::string& old_text, const std::string& new_text);

}  // namespace pantile

#pragma once
// The table of keys as JSON Schema, for editors and for checks before a job is queued. It refuses what the program
// refuses, but for what a schema cannot see: docs/config.md has the list.

#include <string>

namespace pantile {

enum class SchemaOf {
  job,   ///< what must be there must be there, unless the job includes other files
  part,  ///< a file to include: any subset of the keys
};

/// Ends in a newline.
[[nodiscard]] std::string config_schema(SchemaOf which);

}  // namespace pantile

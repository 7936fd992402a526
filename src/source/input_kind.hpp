#pragma once
// Behind inputs.hpp: what an input is, and which of its files are wanted.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "source/catalog.hpp"
#include "source/glob.hpp"

namespace pantile::detail {

enum class InputKind : std::uint8_t { folder, file, list, archive, stack };

struct KnownInput {
  InputKind kind = InputKind::folder;
  CatalogRoot root;
};

/// Throws UsageError if there is nothing, or nothing that we read.
[[nodiscard]] KnownInput look_at(const std::filesystem::path& path);

struct SizeAndTime {
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
};
/// Of a file; throws Error if it is away.
[[nodiscard]] SizeAndTime size_and_time(const std::filesystem::path& path);

/// The globs of one input. Empty `include` means: what we can read.
class Choice {
 public:
  Choice(const std::vector<std::string>& include, const std::vector<std::string>& exclude)
      : include_(include.begin(), include.end()), exclude_(exclude.begin(), exclude.end()) {}
  [[nodiscard]] bool takes_file(std::string_view path) const;
  [[nodiscard]] bool takes_folder(std::string_view path) const;
  /// Of an archive, where nobody asks for the folders on the way: none of them, and not the file, is left out.
  [[nodiscard]] bool takes_member(std::string_view path) const;

 private:
  std::vector<Glob> include_;
  std::vector<Glob> exclude_;
};

}  // namespace pantile::detail

#pragma once
// What there is in a folder of images, for a person who begins a job with it.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/extent.hpp"

namespace pantile::app {

/// The files of one ending. Of very many files only some are looked into.
struct EndingSurvey {
  std::uint64_t files = 0;
  std::uint64_t looked_into = 0;
  std::uint64_t images = 0;  ///< of those looked into
  std::uint64_t broken = 0;  ///< of those looked into: images by their content, but they cannot be read
  [[nodiscard]] bool is_of_images() const noexcept { return images + broken > 0; }
};

struct ImageSurvey {
  std::uint64_t files = 0;
  std::uint64_t looked_into = 0;
  std::uint64_t folders = 0;                    ///< that files lie in
  std::map<std::string, EndingSurvey> endings;  ///< "png", "JPG", "" for none; as written
  std::vector<Extent> extents;                  ///< of the images looked into, by area
  std::uint64_t pixels = 0;                     ///< of the same
  std::uint64_t grey = 0;
  std::uint64_t deep = 0;    ///< 16 bits a sample
  std::uint64_t alpha = 0;   ///< with an alpha channel, or a transparent colour
  std::uint64_t turned = 0;  ///< by their EXIF orientation
  std::uint64_t broken = 0;  ///< images, or named as images are here, that cannot be read
  std::string first_broken;  ///< "vol-01/003.png: the file ends within …"; empty if there is none

  /// Endings that images have and a glob can name, sorted.
  [[nodiscard]] std::vector<std::string> image_endings() const;
  /// Images found, or how many there will be about, if not all files were looked into.
  [[nodiscard]] std::uint64_t images() const;
};

/// Lists the files below `folder` as an input of a job is listed, and reads the headers of at most `most`, evenly
/// spread, on `threads` threads. Throws Error if a folder cannot be read.
[[nodiscard]] ImageSurvey survey_images(const std::filesystem::path& folder, std::uint64_t most, int threads);

/// "15 images in 2 folders".
[[nodiscard]] std::string summary(const ImageSurvey& survey);

/// Some lines for a person, without the last newline: what was found, and what will not be taken.
[[nodiscard]] std::string describe(const ImageSurvey& survey, const std::string& folder);

}  // namespace pantile::app

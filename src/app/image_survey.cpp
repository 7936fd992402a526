#include "app/image_survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <optional>
#include <set>
#include <thread>

#include "codec/header.hpp"
#include "source/listing.hpp"

namespace pantile::app {
namespace {

/// "png" of "a/b.png"; nothing if there is none, or it is none that a glob should name.
std::string ending_of(const std::string& path) {
  const std::string ending = std::filesystem::path{path}.extension().string();
  constexpr std::size_t longest = 8;
  const bool plain =
      ending.size() > 1 && ending.size() <= longest + 1 &&
      std::all_of(ending.begin() + 1, ending.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  return plain ? ending.substr(1) : "";
}

std::vector<std::string> evenly_spread(const std::vector<std::string>& paths, std::uint64_t most) {
  if (paths.size() <= most) {
    return paths;
  }
  std::vector<std::string> chosen;
  for (std::uint64_t i = 0; i < most; ++i) {
    chosen.push_back(paths[i * paths.size() / most]);
  }
  return chosen;
}

using Headers = std::vector<std::optional<Result<ImageHeader>>>;

/// On some threads: on a network file system it is waiting that takes the time.
Headers probe_all(const std::filesystem::path& folder, const std::vector<std::string>& paths, int threads) {
  Headers headers(paths.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t at = next++; at < paths.size(); at = next++) {
      headers[at] = probe_file(folder / paths[at]).header;
    }
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < threads && static_cast<std::size_t>(i) < paths.size(); ++i) {
    helpers.emplace_back(work);
  }
  work();
  helpers.clear();  // waits for them
  return headers;
}

void add_image(ImageSurvey& survey, const ImageHeader& header) {
  survey.extents.push_back(header.oriented);
  survey.pixels += static_cast<std::uint64_t>(header.oriented.area());
  survey.grey += header.channels - (header.has_alpha ? 1 : 0) == 1 ? 1 : 0;
  survey.deep += header.bits == 16 ? 1 : 0;
  survey.alpha += header.has_alpha ? 1 : 0;
  survey.turned += header.orientation != 1 ? 1 : 0;
}

std::string text_of(Extent extent) { return fmt::format("{}x{}", extent.width, extent.height); }

std::string plural(std::uint64_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// "12 .txt, 1 without ending": the files that are no images.
std::string others(const ImageSurvey& survey) {
  std::vector<std::string> parts;
  for (const auto& [ending, found] : survey.endings) {
    if (!found.is_of_images()) {
      parts.push_back(ending.empty() ? fmt::format("{} without an ending", found.files)
                                     : fmt::format("{} .{}", found.files, ending));
    }
  }
  constexpr std::size_t enough = 6;
  const bool cut = parts.size() > enough;
  parts.resize(std::min(parts.size(), enough));
  return fmt::format("{}{}", fmt::join(parts, ", "), cut ? ", …" : "");
}

/// What of the images a model may not expect.
std::string specialities(const ImageSurvey& survey) {
  std::vector<std::string> parts;
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count > 0) {
      parts.push_back(fmt::format("{} {}", count, what));
    }
  };
  add(survey.grey, "grey");
  add(survey.deep, "of 16 bits");
  add(survey.alpha, "with transparency");
  add(survey.turned, "turned by EXIF");
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::vector<std::string> ImageSurvey::image_endings() const {
  std::vector<std::string> names;
  for (const auto& [ending, found] : endings) {
    if (!ending.empty() && found.is_of_images()) {
      names.push_back(ending);
    }
  }
  return names;
}

std::uint64_t ImageSurvey::images() const {
  std::uint64_t count = 0;
  for (const auto& [ending, found] : endings) {
    count += found.looked_into == 0 ? 0 : (found.images + found.broken) * found.files / found.looked_into;
  }
  return count;
}

ImageSurvey survey_images(const std::filesystem::path& folder, std::uint64_t most, int threads) {
  const auto any = [](std::string_view) { return true; };
  const detail::NameList names = detail::list_files(folder, {.wants_file = any, .wants_folder = any});
  std::vector<std::string> paths;
  for (std::size_t at = 0; at < names.size(); ++at) {
    paths.emplace_back(names.name(at));
  }
  ImageSurvey survey;
  survey.files = paths.size();
  std::set<std::string> folders;
  for (const std::string& path : paths) {
    ++survey.endings[ending_of(path)].files;
    folders.insert(std::filesystem::path{path}.parent_path().string());
  }
  survey.folders = folders.size();
  const std::vector<std::string> chosen = evenly_spread(paths, most);
  const Headers headers = probe_all(folder, chosen, threads);
  survey.looked_into = chosen.size();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    EndingSurvey& ending = survey.endings[ending_of(chosen[i])];
    ++ending.looked_into;
    if (*headers[i]) {
      ++ending.images;
      add_image(survey, headers[i]->value());
    } else if (headers[i]->failure().fault != Fault::not_an_image) {
      ++ending.broken;
    }
  }
  std::stable_sort(survey.extents.begin(), survey.extents.end(),
                   [](Extent a, Extent b) { return a.area() < b.area(); });
  // Only now it is known which endings are those of images.
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::string ending = ending_of(chosen[i]);
    if (!*headers[i] && !ending.empty() && survey.endings[ending].is_of_images()) {
      survey.first_broken =
          survey.broken++ == 0 ? chosen[i] + ": " + headers[i]->failure().detail : survey.first_broken;
    }
  }
  return survey;
}

std::string summary(const ImageSurvey& survey) {
  return fmt::format("{}{} in {}", survey.looked_into == survey.files ? "" : "about ", plural(survey.images(), "image"),
                     plural(survey.folders, "folder"));
}

std::string describe(const ImageSurvey& survey, const std::string& folder) {
  const bool all = survey.looked_into == survey.files;
  std::string text = folder + ": " + summary(survey);
  if (!all) {
    text += fmt::format(" (looked into {} of {} files)", survey.looked_into, survey.files);
  }
  for (const auto& [ending, found] : survey.endings) {
    if (found.is_of_images()) {
      text += fmt::format("\n  {} {}", found.files, ending.empty() ? "without an ending: left out" : "." + ending);
    }
  }
  const auto& extents = survey.extents;
  if (!extents.empty()) {
    text += fmt::format("\n  {:.2f} Mpx, from {} to {}, the middle one {} (width x height)",
                        static_cast<double>(survey.pixels) / 1e6, text_of(extents.front()), text_of(extents.back()),
                        text_of(extents[extents.size() / 2]));
  }
  if (const std::string special = specialities(survey); !special.empty()) {
    text += "\n  " + special;
  }
  if (const std::string left_out = others(survey); !left_out.empty()) {
    text += "\n  no images, left out: " + left_out;
    for (const char* const archive : {"cbz", "zip", "tar"}) {
      if (survey.endings.contains(archive)) {
        text += fmt::format("\n  an archive is an input of its own: path: ….{}", archive);
        break;
      }
    }
  }
  if (survey.broken > 0) {
    text += fmt::format("\n  {} cannot be read and will go to quarantine; the first is {}",
                        plural(survey.broken, "file"), survey.first_broken);
  }
  return text;
}

}  // namespace pantile::app

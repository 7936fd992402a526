#include "app/job_draft.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_size.hpp"
#include "config/document.hpp"

namespace pantile::app {
namespace {

/// `line` with `comment` behind it, in the column of the other comments where there is room.
std::string with_comment(const std::string& line, std::string_view comment) {
  constexpr std::size_t column = 42;
  return fmt::format("{:<{}}  # {}\n", line, column, comment);
}

/// A name as the job file takes it: quoted where YAML asks for it, its dollars doubled.
std::string name_text(const std::string& name) { return yaml_scalar(with_dollars_doubled(name)); }

/// A path as the job file takes it: `~` is not expanded there, and refused at the beginning.
std::string path_text(const std::string& path) { return name_text(path.starts_with('~') ? "./" + path : path); }

std::string include_of(const std::vector<std::string>& endings) {
  return endings.size() == 1 ? "**/*." + endings[0] : fmt::format("**/*.{{{}}}", fmt::join(endings, ","));
}

std::string input_text(const JobDraft& draft) {
  std::string text = "input:                                      # several entries make one catalog\n";
  text += with_comment("  - path: " + path_text(draft.input), "or an image, list.txt, book.cbz, x.h5:/images");
  text += draft.endings.empty() ? with_comment("    # include: [\"**/*.png\"]", "globs; default: every image")
                                : with_comment("    include: [" + yaml_scalar(include_of(draft.endings)) + "]",
                                               "without it: every image");
  text += draft.exclude.empty() ? with_comment("    # exclude: [\"drafts/**\"]", "globs; wins over include")
                                : with_comment("    exclude: [" + name_text(draft.exclude) + "]", "wins over include");
  return text;
}

std::string pipeline_text(const JobDraft& draft) {
  const bool grey = draft.facts && draft.facts->input_channels == 1;
  std::string text = "pipeline:\n  - id: main\n";
  text += draft.model.empty()
              ? with_comment("    model: MODEL.onnx", "<-- name your model here")
              : with_comment("    model: " + path_text(draft.model), draft.facts ? describe(*draft.facts) : "");
  text += "    image:                                  # the model gets (v * scale - mean) / std\n";
  text += with_comment(fmt::format("      color: {}", grey ? "Y" : "RGB"),
                       draft.facts ? fmt::format("the model reads {} channel{}; also RGB, BGR, Y, gray",
                                                 draft.facts->input_channels, grey ? "" : "s")
                                   : "or BGR; Y or gray for a model of one channel");
  text += with_comment("      scale: 1/255", "pixels as 0 to 1; 1: as 0 to 255");
  text += with_comment("      # mean: 0", "or one per channel: [0.485, 0.456, 0.406]");
  text += with_comment("      # std: 1", "or one per channel: [0.229, 0.224, 0.225]");
  if (!draft.facts || draft.facts->geometry.padding == Padding::valid) {
    text += with_comment("      # border: replicate", "beyond the edge; or reflect, none (smaller output)");
  }
  text += with_comment("      # alpha: drop", "transparency; or white: laid over white");
  text += with_comment("    output:", "");
  text += with_comment("      kind: image", "what the model makes");
  text += with_comment("      # scale: 255", "of its values, to pixels; default: 1 / image.scale");
  return text;
}

/// Up to the size of the tiles.
constexpr const char* limit_keys = R"(
# limits:
  # max_pixels: 268MP                       # larger images are refused
  # max_region_pixels: 4GP                  # the same where parts can be read
  # max_file_size: 256MiB                   # larger files are refused
  # max_ratio: 1000                         # decoded bytes for each byte of the file

# What follows decides how fast and in how much room, not what comes out (but for allow_inexact).
tiles:
)";

constexpr const char* further_keys =
    R"(  # allow_inexact: false                    # true: cut images for a model that sees the whole
devices:
  # use: auto                               # or [cpu]
  memory:
    cap: 80%                                # of what this machine gives us; or a size: 2GiB
    # leave: 0B                             # for others; the stricter of both holds
  # jobs_per_device: auto                   # or a number: 4
# schedule:
  # policy: resolution                      # largest first; or dynamic, equal
on_error:
  bad_input: quarantine                     # listed in quarantine.csv, the run goes on
  # retries: 2                              # of what failed for another reason
  # max_quarantine: none                    # stop beyond a count: 100; or a share: 1%
)";

/// A line without the blanks that an empty comment leaves.
std::string trimmed(const std::string& text) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (line.ends_with("# ")) {
      line.resize(line.size() - 2);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::string job_text(const JobDraft& draft) {
  std::string text = "# Made by `pantile init`: " + draft.found + "\n";
  text += fmt::format("#   pantile doctor {0}    is all there that it needs?\n", draft.file);
  text += fmt::format("#   pantile run {0}       runs it; stopped or killed, the same command goes on\n", draft.file);
  text += "# Relative paths count from the folder of this file. All keys: docs/config.md\n";
  text += "schema: 1\n";
  text += with_comment("name: " + name_text(draft.name), "shown in progress, reports and logs");
  text += "\n" + input_text(draft) + "\n" + pipeline_text(draft);
  text += "\noutputs:\n" + with_comment("  image: {from: main, dtype: u8}", "one dataset `image` in the results");
  text += "\noutput:\n";
  text += with_comment("  dir: " + path_text(draft.output), "the run folder; an unfinished run in it is resumed");
  text += with_comment("  # shard_size: 256MiB", "one HDF5 file holds about this much");
  text += with_comment("  # seal_after: auto", "a kill loses at most this: 60s, 15min");
  text += limit_keys;
  text += !draft.facts || draft.facts->local ? with_comment("  size: auto", "or pixels a side: 256; or whole")
                                             : with_comment("  size: whole", "the model looks at the whole image");
  return trimmed(text + further_keys);
}

std::string describe(const ModelFacts& facts) {
  if (!facts.local) {
    return "NOT LOCAL: tiles would change its result";
  }
  const Margin& halo = facts.geometry.halo;
  return fmt::format("scale {}, halo {} px{}, weights {}", facts.geometry.scale,
                     std::max({halo.top, halo.left, halo.bottom, halo.right}),
                     facts.geometry.padding == Padding::same ? ", pads itself" : "",
                     format_byte_size(facts.weights_bytes));
}

}  // namespace pantile::app

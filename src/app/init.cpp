#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/command_line.hpp"
#include "app/image_survey.hpp"
#include "app/job_draft.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "device/cpu.hpp"
#include "model/analysis.hpp"

namespace fs = std::filesystem;

namespace pantile::app {
namespace {

/// So many headers tell enough of a collection; more would only take longer.
constexpr std::uint64_t most_headers = 100'000;

ImageSurvey survey_of(const fs::path& folder) {
  if (!fs::exists(folder)) {
    throw UsageError{folder.string() +
                     ": there is no such folder (a job needs images). Give the folder they lie in: "
                     "pantile init DIR"};
  }
  if (!fs::is_directory(folder)) {
    throw UsageError{
        folder.string() +
        " is not a folder, which is what `pantile init` looks at. Give the folder that the images lie in; a "
        "list, an archive or an HDF5 stack is named in the job file: input: [{path: " +
        folder.string() + "}]"};
  }
  ImageSurvey survey = survey_images(folder, most_headers, usable_cores());
  if (survey.image_endings().empty()) {
    throw UsageError{fmt::format(
        "no image was found in {} ({}, hidden ones left out; a job needs images). Formats are told by the "
        "content of a file, but its name must end as that of an image. Is this the right folder, and is its disk "
        "mounted?",
        folder.string(),
        survey.files == 0
            ? "there is no file in it"
            : fmt::format("{} file{} looked into", survey.looked_into, survey.looked_into == 1 ? "" : "s"))};
  }
  return survey;
}

/// As it is written in a job in `base`: relative, unless that leads up further than a reader can follow. Config paths
/// are resolved word by word, so a path that links make ambiguous is written in full.
std::string written_from(const fs::path& base, const fs::path& path) {
  fs::path target = fs::absolute(path).lexically_normal();
  if (std::error_code error; !fs::equivalent(target, path, error)) {
    target = fs::canonical(path);
  }
  if (!target.has_filename()) {
    target = target.parent_path();  // "pages/" is "pages"
  }
  const fs::path relative = target.lexically_relative(base);
  const auto ups = std::count(relative.begin(), relative.end(), "..");
  return relative.empty() || ups > 2 ? target.string() : relative.string();
}

ModelFacts facts_of(const fs::path& model) {
  if (!fs::is_regular_file(model)) {
    throw UsageError{model.string() +
                     ": there is no such file (--model names the ONNX file of the job). Leave --model "
                     "out to name it in the job file later."};
  }
  ModelFacts facts = analyse(read_file(model, largest_model_bytes), model.string(), place_of(model));
  if (const auto why = unfit(facts, model.string())) {
    throw UsageError{*why};
  }
  return facts;
}

JobDraft draft_of(const InitCommand& command, const ImageSurvey& survey) {
  const bool to_stdout = command.output == "-";
  const fs::path base = to_stdout ? fs::current_path() : fs::absolute(command.output).lexically_normal().parent_path();
  const fs::path images = fs::canonical(command.images);
  const std::string name = images.has_filename() ? images.filename().string() : "images";
  JobDraft draft{.file = to_stdout ? "job.yaml" : command.output.filename().string(),
                 .found = summary(survey),
                 .name = name,
                 .input = written_from(base, command.images),
                 .endings = survey.image_endings(),
                 .exclude = "",
                 .model = "",
                 .facts = {},
                 .output = "out/" + name};
  if (draft.input == ".") {
    draft.exclude = "out/**";  // The results lie below the images: they are no input.
  }
  if (!command.model.empty()) {
    draft.facts = facts_of(command.model);
    draft.model = written_from(base, command.model);
  }
  return draft;
}

/// What was written must be a job, and mean these images. What could go wrong is a name that YAML cannot hold.
void check(const std::string& text, const InitCommand& command) {
  const bool to_stdout = command.output == "-";
  const fs::path base = to_stdout ? fs::current_path() : fs::absolute(command.output).lexically_normal().parent_path();
  bool same = false;
  try {
    std::error_code error;
    same = fs::equivalent(parse_config(text, "job", base).input.at(0).path.resolved, command.images, error);
  } catch (const ConfigError&) {
    same = false;
  }
  if (!same) {
    throw UsageError{
        fmt::format("{}: its name cannot stand in a YAML file (it is not UTF-8, or has odd characters). "
                    "Rename the folder, or give a link to it.",
                    command.images.string())};
  }
}

/// Before the images are looked at, which may take a while: can the file be written there?
void check_place(const InitCommand& command) {
  const fs::path& file = command.output;
  if (const fs::path folder = fs::absolute(file).parent_path(); !fs::is_directory(folder)) {
    throw UsageError{folder.string() + ": there is no such folder (the job file would lie in it). Make it first."};
  }
  if (fs::is_directory(file)) {
    throw UsageError{file.string() + " is a folder. Give the job file a name in it: --output " +
                     (file / "job.yaml").string()};
  }
  if (!command.force && fs::exists(fs::symlink_status(file))) {
    throw UsageError{file.string() +
                     " is there already, and was left as it is. Give another --output, or --force to replace it."};
  }
}

void warn_of(const ModelFacts& facts, const std::string& model) {
  if (!facts.local) {
    log::warn(
        "{} is not local: {}. Cut into tiles, images would give other results, so the job says tiles.size: whole: each "
        "goes through at once.",
        model, facts.why_not_local);
  }
  if (facts.input_channels != 1 && facts.input_channels != 3) {
    log::warn("{} reads {} channels; images give 1 or 3. `pantile run` will refuse it.", model, facts.input_channels);
  }
}

}  // namespace

ExitCode carry_out(const InitCommand& command) {
  const bool to_stdout = command.output == "-";
  if (!to_stdout) {
    check_place(command);
  }
  const ImageSurvey survey = survey_of(command.images);
  log::info("{}", describe(survey, command.images.string()));
  const JobDraft draft = draft_of(command, survey);
  if (draft.facts) {
    log::info("{}: reads {} channel{}, {}", command.model.string(), draft.facts->input_channels,
              draft.facts->input_channels == 1 ? "" : "s", describe(*draft.facts));
    warn_of(*draft.facts, command.model.string());
  }
  const std::string text = job_text(draft);
  check(text, command);
  if (to_stdout) {
    fmt::print("{}", text);
    return ExitCode::done;
  }
  replace_file(command.output, text, Durable::no);
  log::info("wrote {}. Next:{} pantile doctor {}", command.output.string(),
            draft.model.empty() ? " name your model in it, then" : "", command.output.string());
  return ExitCode::done;
}

}  // namespace pantile::app

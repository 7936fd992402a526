#include "config/fields.hpp"

#include <algorithm>

#include "base/byte_size.hpp"

namespace pantile {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): literals only
using enum Affects;
using enum Need;
using Color = ImageConfig::Color;
using Border = ImageConfig::Border;
using Alpha = ImageConfig::Alpha;
using Policy = ScheduleConfig::Policy;

/// Far beyond any image; keeps the arithmetic of decoded bytes within 64 bits.
constexpr std::uint64_t most_pixels = 1'000'000'000'000;

/// `outputs` is a map for the person and a list for the program: the position is the OutputId.
Slot named_outputs(std::vector<OutputConfig>& outputs) {
  Slot slot = slot::list(outputs, 1, 1);
  slot.entries->named = true;
  slot.entries->name = [&outputs](std::size_t i) -> std::string& { return outputs[i].name; };
  return slot;
}

const std::vector<Field> table{
    {"schema", execution, required, "", "Version of this format: 1.",
     [](RunConfig& c, std::size_t) { return slot::whole_number(c.schema, 1, 1); }},
    {"include", execution, optional, "nothing",
     "Job files below this one: what they say holds where this one says nothing. Later ones win over earlier ones.",
     [](RunConfig&, std::size_t) { return slot::included_files(); }},
    {"name", execution, optional, "name of the job file", "What the run is called in progress, reports and logs.",
     [](RunConfig& c, std::size_t) { return slot::line(c.name); }},

    {"input", result, required, "", "List of what to read; the order gives the items their ids.",
     [](RunConfig& c, std::size_t) { return slot::list(c.input, 1, 0); }},
    {"input.N.path", result, required, "",
     "A folder with all below it, one image, a list (.txt, .lst), an archive (.tar, .zip, .cbz), or an HDF5 stack "
     "(`scans.h5:/images`).",
     [](RunConfig& c, std::size_t i) { return slot::path(c.input[i].path); }},
    {"input.N.include", result, optional, "every image",
     "Globs on the path below the folder or in the archive: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any folders.",
     [](RunConfig& c, std::size_t i) { return slot::globs(c.input[i].include); }},
    {"input.N.exclude", result, optional, "nothing", "Globs of what to leave out; wins over `include`.",
     [](RunConfig& c, std::size_t i) { return slot::globs(c.input[i].exclude); }},

    {"part", result, optional, "",
     "`2/10` takes the second of ten equal parts of the items, and leaves the others to other runs: those of an array "
     "of Slurm jobs, for example. What belongs to a part is told by the path alone.",
     [](RunConfig& c, std::size_t) { return slot::part(c.part); }},

    {"pipeline", result, required, "", "List of stages; so far exactly one.",
     [](RunConfig& c, std::size_t) { return slot::list(c.pipeline, 1, 1); }},
    {"pipeline.ID.id", result, required, "", "Name of the stage.",
     [](RunConfig& c, std::size_t i) { return slot::identifier(c.pipeline[i].id); }},
    {"pipeline.ID.model", result, required, "", "ONNX file. Its content counts for the result, not its name.",
     [](RunConfig& c, std::size_t i) { return slot::path(c.pipeline[i].model); }},
    {"pipeline.ID.image.color", result, optional, "",
     "Channels that the model wants; `Y` and `gray` are the one of OpenCV's grey conversion.",
     [](RunConfig& c, std::size_t i) {
       return slot::choice(c.pipeline[i].image.color,
                           std::vector<std::pair<const char*, Color>>{
                               {"RGB", Color::RGB}, {"BGR", Color::BGR}, {"Y", Color::Y}, {"gray", Color::gray}});
     }},
    {"pipeline.ID.image.scale", result, optional, "", "The model gets (v · scale − mean) / std of each 8-bit value v.",
     [](RunConfig& c, std::size_t i) { return slot::positive_ratio(c.pipeline[i].image.scale); }},
    {"pipeline.ID.image.mean", result, optional, "",
     "See `scale`; one for all channels, or one per channel in the order of `color`.",
     [](RunConfig& c, std::size_t i) { return slot::ratios(c.pipeline[i].image.mean, slot::Zero::allowed); }},
    {"pipeline.ID.image.std", result, optional, "",
     "See `scale`; one for all channels, or one per channel in the order of `color`.",
     [](RunConfig& c, std::size_t i) { return slot::ratios(c.pipeline[i].image.deviation, slot::Zero::refused); }},
    {"pipeline.ID.image.border", result, optional,
     "replicate for models without padding, none for those that pad themselves",
     "What a model without padding sees beyond the edge; with `none` the output is smaller by the halo.",
     [](RunConfig& c, std::size_t i) {
       return slot::choice(c.pipeline[i].image.border,
                           std::vector<std::pair<const char*, Border>>{
                               {"replicate", Border::replicate}, {"reflect", Border::reflect}, {"none", Border::none}});
     }},
    {"pipeline.ID.image.alpha", result, optional, "",
     "What becomes of an alpha channel: `drop` forgets it, `white` lays the image over white.",
     [](RunConfig& c, std::size_t i) {
       return slot::choice(c.pipeline[i].image.alpha,
                           std::vector<std::pair<const char*, Alpha>>{{"drop", Alpha::drop}, {"white", Alpha::white}});
     }},
    {"pipeline.ID.output.kind", result, optional, "", "What the model's output is: pixels.",
     [](RunConfig& c, std::size_t i) {
       return slot::choice(c.pipeline[i].output.kind, std::vector<std::pair<const char*, ResultConfig::Kind>>{
                                                          {"image", ResultConfig::Kind::image}});
     }},
    {"pipeline.ID.output.scale", result, optional, "1 / image.scale",
     "Pixels are output · scale, clamped, rounded half to even.",
     [](RunConfig& c, std::size_t i) { return slot::positive_ratio(c.pipeline[i].output.scale); }},

    {"outputs", result, optional, "image, from the last stage", "Map of named outputs; so far exactly one.",
     [](RunConfig& c, std::size_t) { return named_outputs(c.outputs); }},
    {"outputs.NAME.from", result, required, "", "Id of the stage that makes it.",
     [](RunConfig& c, std::size_t i) { return slot::identifier(c.outputs[i].from); }},
    {"outputs.NAME.dtype", result, optional, "", "Type of one value.",
     [](RunConfig& c, std::size_t i) {
       return slot::choice(c.outputs[i].dtype, std::vector<std::pair<const char*, DType>>{{"u8", DType::u8}});
     }},

    {"output.dir", execution, required, "",
     "The run folder: shards, journal, index. An unfinished run in it is resumed.",
     [](RunConfig& c, std::size_t) { return slot::path(c.output.dir); }},
    {"output.shard_size", execution, optional, "", "A shard is sealed once it holds this much.",
     [](RunConfig& c, std::size_t) { return slot::size(c.output.shard_size, 64 * KiB, 64 * GiB); }},
    {"output.seal_after", execution, optional, "",
     "A shard is sealed once its oldest block has waited this long. A kill loses at most this; `auto` is 1/200 of the "
     "predicted run, at least 60 s, at most 15 min.",
     [](RunConfig& c, std::size_t) { return slot::auto_or_duration(c.output.seal_after, 100ms, 24h); }},
    {"output.wait_for_space", execution, optional, "",
     "How long a run waits for room on a full disk before it stops, resumable, with exit code 1. `0s`: not at all.",
     [](RunConfig& c, std::size_t) { return slot::duration(c.output.wait_for_space, 0ms, 168h); }},

    {"tiles.size", execution, optional, "",
     "Side of a tile in input pixels, halo not counted. `auto` fits it to the memory cap; `whole` takes whole images.",
     [](RunConfig& c, std::size_t) { return slot::tile_size(c.tiles.size); }},

    {"tiles.allow_inexact", result, optional, "",
     "Cut images into tiles even for a model that sees the whole image, where tiles change the result.",
     [](RunConfig& c, std::size_t) { return slot::boolean(c.tiles.allow_inexact); }},

    {"devices.use", execution, optional, "", "Kinds of devices to use.",
     [](RunConfig& c, std::size_t) { return slot::auto_or_list(c.devices.use, {"cpu"}); }},
    {"devices.memory.cap", execution, optional, "", "What may be allocated on a device, or per cent of its total.",
     [](RunConfig& c, std::size_t) { return slot::memory(c.devices.memory.cap, MiB); }},
    {"devices.memory.leave", execution, optional, "",
     "What is left for others on a device; of `cap` and `leave` the stricter holds.",
     [](RunConfig& c, std::size_t) { return slot::memory(c.devices.memory.leave, 0); }},
    {"devices.memory.host", execution, optional, "",
     "What all ranks of a node may take of its memory together: each has an equal part. Unset, `cap` alone holds.",
     [](RunConfig& c, std::size_t) { return slot::optional_memory(c.devices.memory.host, MiB); }},
    {"devices.memory.per_device", execution, optional, "",
     "Caps of single devices instead of `cap`, by their names: `{\"node3:cpu0\": 2GiB}`, or `{cpu0: 2GiB}` for the one "
     "of "
     "every node.",
     [](RunConfig& c, std::size_t) { return slot::memory_by_name(c.devices.memory.per_device, MiB); }},
    {"devices.jobs_per_device", execution, optional, "", "Concurrent jobs (lanes) on a device.",
     [](RunConfig& c, std::size_t) { return slot::auto_or_whole_number(c.devices.jobs_per_device, 1, 256); }},
    {"devices.isolation", execution, optional, "",
     "`process`: images are decoded and models run in a child process of each rank, which may die without harm; "
     "`none`: "
     "in a thread of the rank.",
     [](RunConfig& c, std::size_t) {
       return slot::choice(c.devices.isolation, std::vector<std::pair<const char*, DevicesConfig::Isolation>>{
                                                    {"process", DevicesConfig::Isolation::process},
                                                    {"none", DevicesConfig::Isolation::none}});
     }},

    {"schedule.policy", execution, optional, "",
     "How work is dealt out: `resolution` is largest first, to the rank that will be done first; `dynamic` is in "
     "order, "
     "to whoever is free; `equal` gives each rank its share at the start.",
     [](RunConfig& c, std::size_t) {
       return slot::choice(
           c.schedule.policy,
           std::vector<std::pair<const char*, Policy>>{
               {"resolution", Policy::resolution}, {"dynamic", Policy::dynamic}, {"equal", Policy::equal}});
     }},

    {"on_error.bad_input", execution, optional, "",
     "An image that cannot be read is listed in quarantine.csv; the run goes on.",
     [](RunConfig& c, std::size_t) {
       return slot::choice(c.on_error.bad_input, std::vector<std::pair<const char*, ErrorConfig::BadInput>>{
                                                     {"quarantine", ErrorConfig::BadInput::quarantine}});
     }},
    {"on_error.retries", execution, optional, "",
     "Further attempts of an item that failed for another reason than its own bytes.",
     [](RunConfig& c, std::size_t) { return slot::whole_number(c.on_error.retries, 0, 100); }},
    {"on_error.max_quarantine", execution, optional, "",
     "The run stops, with exit code 1, when more items than this are in quarantine: a count, or per cent of the "
     "catalog.",
     [](RunConfig& c, std::size_t) { return slot::quarantine_limit(c.on_error.max_quarantine); }},
    {"on_error.hang_after", execution, optional, "",
     "An image on which nothing moves for so long is given up for this time; after the second time it is in "
     "quarantine.",
     [](RunConfig& c, std::size_t) { return slot::duration(c.on_error.hang_after, 1s, 24h); }},

    {"limits.max_pixels", result, optional, "", "An image with more pixels that can only be decoded whole is refused.",
     [](RunConfig& c, std::size_t) { return slot::pixels(c.limits.max_pixels, 1, most_pixels); }},
    {"limits.max_region_pixels", result, optional, "",
     "The same for an image that can be read in parts: a tiled TIFF, a PNG or a baseline JPEG.",
     [](RunConfig& c, std::size_t) { return slot::pixels(c.limits.max_region_pixels, 1, most_pixels); }},
    {"limits.max_file_size", result, optional, "",
     "A larger image file that can only be decoded whole is refused; so is a member of a zip archive.",
     [](RunConfig& c, std::size_t) { return slot::size(c.limits.max_file_size, KiB, TiB); }},
    {"limits.max_region_file_size", result, optional, "",
     "The same for one that can be read in parts. All of its bytes are read once.",
     [](RunConfig& c, std::size_t) { return slot::size(c.limits.max_region_file_size, KiB, 1024 * TiB); }},
    {"limits.max_ratio", result, optional, "",
     "An image with more decoded bytes for each byte of its file is refused: a bomb, or nothing to see.",
     [](RunConfig& c, std::size_t) { return slot::whole_number(c.limits.max_ratio, 1, 1'000'000); }},
    {"limits.max_items", execution, optional, "",
     "Inputs with more images are refused, before anything is started: each takes memory in rank 0.",
     [](RunConfig& c, std::size_t) { return slot::whole_number(c.limits.max_items, 1, 2'000'000'000); }},
};

KeyTree make_tree() {
  KeyTree root;
  for (const Field& field : table) {
    KeyTree* at = &root;
    for (std::string_view rest = field.key; !rest.empty();) {
      const auto dot = std::min(rest.find('.'), rest.size());
      const std::string_view part = rest.substr(0, dot);
      auto found =
          std::find_if(at->children.begin(), at->children.end(), [&](const KeyTree& c) { return c.name == part; });
      if (found == at->children.end()) {
        at->children.push_back({std::string{part}, nullptr, {}});
        found = std::prev(at->children.end());
      }
      at = &*found;
      rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    at->field = &field;
  }
  return root;
}

}  // namespace

const std::vector<Field>& config_fields() { return table; }

std::string key_of_entry(const Field& field, const RunConfig& config, std::size_t index) {
  std::string key{field.key};
  for (const auto& [list, name] :
       {std::pair{std::string_view{"input.N."}, std::to_string(index)},
        std::pair{std::string_view{"pipeline.ID."}, index < config.pipeline.size() ? config.pipeline[index].id : ""},
        std::pair{std::string_view{"outputs.NAME."},
                  index < config.outputs.size() ? config.outputs[index].name : ""}}) {
    if (key.starts_with(list)) {
      const std::size_t wild = list.find('.') + 1;
      key.replace(wild, list.size() - 1 - wild, name);
    }
  }
  return key;
}

const KeyTree* KeyTree::child(std::string_view key) const noexcept {
  const auto found = std::find_if(children.begin(), children.end(), [&](const KeyTree& c) { return c.name == key; });
  return found == children.end() ? nullptr : &*found;
}

std::vector<std::string> KeyTree::child_names() const {
  std::vector<std::string> names;
  std::transform(children.begin(), children.end(), std::back_inserter(names), [](const KeyTree& c) { return c.name; });
  return names;
}

const KeyTree& config_keys() {
  static const KeyTree tree = make_tree();
  return tree;
}

}  // namespace pantile

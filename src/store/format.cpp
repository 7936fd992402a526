#include "store/format.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace pantile {

void expect_known_format(std::uint64_t version) {
  if (version != store_format_version) {
    throw ForeignFormat{fmt::format("it has format version {} (this program reads {}). Use the program that wrote it",
                                    version, store_format_version)};
  }
}

std::string to_json(const std::vector<OutputInfo>& outputs) {
  nlohmann::json json = nlohmann::json::array();
  for (const OutputInfo& output : outputs) {
    json.push_back({{"name", output.name}, {"dtype", name(output.dtype)}});
  }
  return json.dump();
}

std::vector<OutputInfo> parse_outputs(const std::string& json) {
  std::vector<OutputInfo> outputs;
  try {
    for (const auto& entry : nlohmann::json::parse(json)) {
      const auto text = entry.at("dtype").get<std::string>();
      DType dtype{};
      for (const DType known : {DType::u8, DType::u16, DType::f16, DType::f32}) {
        dtype = text == name(known) ? known : dtype;
      }
      if (dtype == DType{}) {
        throw Error{"the list of outputs names the unknown type " + text};
      }
      outputs.push_back({.name = entry.at("name").get<std::string>(), .dtype = dtype});
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error{std::string{"the list of outputs makes no sense: "} + error.what()};
  }
  return outputs;
}

std::string to_string(const ShardName& name) {
  return fmt::format("e{:04}-r{:04}-{:06}.h5", index(name.epoch), index(name.rank), index(name.counter));
}

namespace {

/// Takes `prefix` and then digits from the front of `text`.
template <class Number>
bool take_number(std::string_view& text, std::string_view prefix, Number& number) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::optional<ShardName> parse_shard_name(std::string_view text) {
  std::uint32_t epoch = 0;
  std::uint16_t rank = 0;  // unsigned: "-017" is no rank
  std::uint32_t counter = 0;
  std::string_view rest = text;
  if (!take_number(rest, "e", epoch) || !take_number(rest, "-r", rank) || !take_number(rest, "-", counter) ||
      rest != ".h5") {
    return std::nullopt;
  }
  const ShardName name{.epoch = Epoch{epoch}, .rank = RankId{rank}, .counter = ShardId{counter}};
  // Other spellings of the same numbers ("e3", "r+1") are no names of ours.
  return to_string(name) == text ? std::optional{name} : std::nullopt;
}

}  // namespace pantile

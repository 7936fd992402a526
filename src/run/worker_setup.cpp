#include "run/worker_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "device/cpu.hpp"
#include "report/live.hpp"
#include "run/version.hpp"
#include "source/probing.hpp"

namespace pantile {

ShardThread::Settings shard_settings(const Welcome& welcome, const RunConfig& config, RankId rank) {
  ShardFacts facts{
      .run_id = welcome.run_id, .config = welcome.config, .binary = version_line(), .models = {}, .outputs = {}};
  for (const OutputConfig& output : config.outputs) {
    facts.outputs.push_back({output.name, output.dtype});
  }
  facts.models.emplace(config.pipeline.front().model.written, to_string(welcome.model_digest));
  return {.desk = {.layout = RunLayout{welcome.run_folder},
                   .epoch = welcome.epoch,
                   .rank = rank,
                   .shard_bytes = config.output.shard_size,
                   .seal_after = config.output.seal_after.value_or(std::chrono::minutes{1})},
          .facts = std::move(facts)};
}

ProbedBatch probe_batch(const ProbeBatch& batch, const NodeShare& share) {
  return {batch.task, probe_places(batch.places, probe_threads(share.cores))};
}

void expect_inputs(const std::vector<std::string>& roots) {
  for (const std::string& root : roots) {
    std::error_code error;
    if (!std::filesystem::exists(root, error)) {
      throw Error{
          fmt::format("the input {} cannot be reached from {} (none of its images can be read here). Is its disk "
                      "mounted?",
                      root, host_name())};
    }
  }
}

}  // namespace pantile

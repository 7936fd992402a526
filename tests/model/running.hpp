#pragma once
// Runs models on made-up images, and compares tiles with the whole.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.hpp"
#include "image/tile_grid.hpp"
#include "model/analysis.hpp"
#include "model/session.hpp"

namespace pantile::testing {

/// Planar floats.
struct Planes {
  int channels = 0;
  Extent extent;
  std::vector<float> data;

  [[nodiscard]] std::size_t place(int channel, int y, int x) const {
    return (static_cast<std::size_t>(channel) * static_cast<std::size_t>(extent.height) + static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(extent.width) +
           static_cast<std::size_t>(x);
  }
};

inline Planes noise(int channels, Extent extent, unsigned seed = 1) {
  Planes planes{channels, extent, std::vector<float>(static_cast<std::size_t>(channels * extent.area()))};
  std::mt19937 random{seed};
  for (float& each : planes.data) {
    each = static_cast<float>(random() & 0xFFFFU) / 65536.0F;
  }
  return planes;
}

/// Precondition: rect lies in the planes.
inline Planes crop(const Planes& from, const Rect& rect) {
  Planes part{from.channels, rect.extent(), {}};
  for (int channel = 0; channel < from.channels; ++channel) {
    for (int y = rect.y; y < rect.bottom(); ++y) {
      const auto* row = from.data.data() + from.place(channel, y, rect.x);
      part.data.insert(part.data.end(), row, row + rect.width);
    }
  }
  return part;
}

inline std::string text_of(const RunOutcome& outcome) {
  if (const auto* failure = std::get_if<EngineFailure>(&outcome)) {
    return failure->text;
  }
  return std::holds_alternative<OutOfMemory>(outcome) ? "out of memory" : "it ran";
}

inline RunOutcome run(const Session& session, const Planes& input) {
  return session.run(input.data, input.channels, input.extent);
}

/// Fails the test if the model does not run.
inline Planes output_of(const Session& session, const Planes& input) {
  const RunOutcome outcome = run(session, input);
  const auto* output = std::get_if<Tensor>(&outcome);
  if (output == nullptr) {
    ADD_FAILURE() << session.name() << " on " << to_string(input.extent) << ": " << text_of(outcome);
    return {};
  }
  return {output->channels(), output->extent(), {output->data().begin(), output->data().end()}};
}

/// A model, analysed and opened with a meter of its own.
class OpenModel {
 public:
  OpenModel(const Engine& engine, std::span<const std::byte> bytes, const std::string& name)
      : facts{analyse(bytes, name)}, session{engine, slabs, bytes, name} {}
  ModelFacts facts;
  Meter meter;
  SlabPool slabs{meter};
  Session session;
};

/// Counts the output samples that differ, bit by bit, when `image` goes through the model in tiles of `core`.
inline std::size_t differing_samples(const Session& session, const TileGeometry& geometry, const Planes& image,
                                     Extent core) {
  const Planes whole = output_of(session, image);
  EXPECT_EQ(whole.extent, output_extent(geometry, Border::none, image.extent));
  const TileGrid grid{image.extent, geometry, Border::none, pantile::whole(whole.extent), core};
  std::size_t differing = 0;
  for (std::size_t tile = 0; tile < grid.size(); ++tile) {
    const Planes part = output_of(session, crop(image, grid.source(tile)));
    const Rect produced = grid.produced(tile);
    const Rect owned = grid.owned(tile);
    EXPECT_EQ(part.extent, produced.extent());
    for (int channel = 0; channel < part.channels; ++channel) {
      for (int y = owned.y; y < owned.bottom(); ++y) {
        for (int x = owned.x; x < owned.right(); ++x) {
          const float a = part.data[part.place(channel, y - produced.y, x - produced.x)];
          const float b = whole.data[whole.place(channel, y, x)];
          differing += std::memcmp(&a, &b, sizeof a) == 0 ? 0 : 1;
        }
      }
    }
  }
  return differing;
}

/// Models of the repository, which are always there.
inline Bytes sample_model(const std::string& name) {
  return read_file(std::filesystem::path{PANTILE_SAMPLE_MODELS} / name);
}

/// Folder of other people's models, or an empty path.
inline std::filesystem::path foreign_models() {
  const char* named = std::getenv("PANTILE_TEST_DATA");
  const std::filesystem::path folder =
      (named != nullptr ? std::filesystem::path{named}
                        : std::filesystem::path{PANTILE_SAMPLE_MODELS} / "../../../../shared/data") /
      "models";
  return std::filesystem::exists(folder) ? folder : std::filesystem::path{};
}

}  // namespace pantile::testing

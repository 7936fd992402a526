#include "device/footprint.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace pantile {
namespace {

constexpr double d = 40'000;
constexpr double b = 1900;
constexpr double c = 9000;

std::uint64_t truth(Extent input) {
  return static_cast<std::uint64_t>(d + b * static_cast<double>(input.area()) + c * (input.height + input.width));
}

std::vector<FootprintSample> probes(std::initializer_list<Extent> inputs) {
  std::vector<FootprintSample> samples;
  for (const auto input : inputs) {
    samples.push_back({input, truth(input)});
  }
  return samples;
}

TEST(Footprint, ThreeProbesGiveTheFormBack) {
  for (const auto& samples : {probes({{64, 64}, {128, 128}, {64, 256}}), probes({{48, 48}, {96, 96}, {160, 160}})}) {
    const Footprint footprint{samples};
    EXPECT_NEAR(footprint.coefficients()[0], d, d * 1e-3);
    EXPECT_NEAR(footprint.coefficients()[1], b, b * 1e-5);
    EXPECT_NEAR(footprint.coefficients()[2], c, c * 1e-4);
    for (const Extent input : {Extent{512, 2048}, Extent{137, 211}, Extent{901, 67}, Extent{64, 64}}) {
      EXPECT_NEAR(static_cast<double>(footprint.predict(input)),
                  Footprint::formula_margin * static_cast<double>(truth(input)),
                  1e-4 * static_cast<double>(truth(input)))
          << to_string(input);
    }
  }
}

TEST(Footprint, MoreProbesAreAveragedByTheirRelativeError) {
  std::mt19937_64 random{7};
  std::uniform_real_distribution<double> noise{0.99, 1.01};
  std::vector<FootprintSample> samples;
  for (int i = 0; i < 40; ++i) {
    const Extent input{32 + static_cast<int>(random() % 500), 32 + static_cast<int>(random() % 500)};
    samples.push_back({input, static_cast<std::uint64_t>(static_cast<double>(truth(input)) * noise(random))});
  }
  const Footprint footprint{samples};
  for (const Extent input : {Extent{64, 64}, Extent{1024, 1024}, Extent{64, 2048}}) {
    EXPECT_NEAR(static_cast<double>(footprint.predict(input)) / static_cast<double>(truth(input)),
                Footprint::formula_margin, 0.02);
  }
}

TEST(Footprint, NeverPredictsLessThanWasMeasuredOnASmallerInput) {
  auto samples = probes({{64, 64}, {128, 128}, {64, 256}});
  samples.push_back({{100, 100}, 4 * truth({100, 100})});
  const Footprint footprint{samples};
  EXPECT_GE(footprint.predict({100, 100}), samples.back().peak_bytes);
  EXPECT_GE(footprint.predict({101, 100}), samples.back().peak_bytes);
}

TEST(Footprint, AForbiddenShapeForbidsAllThatContainIt) {
  Footprint footprint{probes({{64, 64}, {128, 128}, {64, 256}})};
  EXPECT_TRUE(footprint.allows({512, 512}));
  footprint.forbid({256, 300});
  EXPECT_FALSE(footprint.allows({256, 300}));
  EXPECT_FALSE(footprint.allows({256, 400}));
  EXPECT_FALSE(footprint.allows({400, 300}));
  EXPECT_TRUE(footprint.allows({255, 4000}));
  EXPECT_TRUE(footprint.allows({4000, 299}));
  footprint.forbid({200, 200});
  EXPECT_FALSE(footprint.allows({255, 4000}));
  EXPECT_TRUE(footprint.allows({199, 4000}));
}

TEST(FootprintDeathTest, ProbesMustTellTheCoefficientsApart) {
  EXPECT_DEATH(Footprint{probes({{64, 64}, {64, 64}, {128, 128}})}, "tell its coefficients apart");
  EXPECT_DEATH(Footprint{probes({{64, 64}, {128, 128}})}, "three probes");
}

}  // namespace
}  // namespace pantile

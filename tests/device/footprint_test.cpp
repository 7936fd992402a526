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

TEST(Footprint, AForbiddenBatchForbidsLargerOnesOnly) {
  Footprint footprint{probes({{64, 64}, {128, 128}, {64, 256}})};
  EXPECT_TRUE(footprint.forbid({100, 100}, 4));
  EXPECT_FALSE(footprint.forbid({120, 100}, 4)) << "that was known";
  EXPECT_FALSE(footprint.allows({100, 100}, 5));
  EXPECT_TRUE(footprint.allows({200, 200}, 3));
  EXPECT_TRUE(footprint.forbid({100, 100}, 2));
  EXPECT_EQ(footprint.parts().bounds.size(), 1U) << "the new one says more";
  EXPECT_FALSE(footprint.allows({100, 100}, 3));
}

TEST(Footprint, ABoundDoesNotHoldUnderALargerCap) {
  Footprint footprint{probes({{64, 64}, {128, 128}, {64, 256}})};
  footprint.forbid({100, 100}, 1, 1000);
  footprint.forbid({200, 200}, 1, 5000);
  footprint.forbid({900, 900});
  EXPECT_EQ(footprint.parts().bounds.size(), 3U) << "the larger one was found with more memory";
  EXPECT_FALSE(footprint.allows({100, 100}, 1, 1000)) << "that is the same cap";
  EXPECT_FALSE(footprint.allows({100, 100}, 1, 999));
  EXPECT_FALSE(footprint.allows({100, 100})) << "any cap is meant";
  EXPECT_TRUE(footprint.allows({150, 150}, 1, 2000));
  EXPECT_FALSE(footprint.allows({200, 200}, 1, 2000));
  EXPECT_TRUE(footprint.allows({899, 2000}, 1, UINT64_MAX));
  EXPECT_FALSE(footprint.allows({900, 900}, 1, UINT64_MAX)) << "whatever the cap is";
}

/// One block of 1000 bytes a pixel and image, in the slab.
AllocationPattern plain_pattern() {
  return {1, {{.growth = {.factors = {0, 1000, 0, 0, 0}, .with_batch = 2}, .born = 0, .died = 1}}};
}

TEST(Footprint, OfAPatternExpectsTheRunAndPlansALittleMore) {
  const Footprint footprint{plain_pattern()};
  ASSERT_TRUE(footprint.known());
  EXPECT_NEAR(static_cast<double>(footprint.expect_peak({100, 200})), 20e6, 8192);
  EXPECT_NEAR(static_cast<double>(footprint.expect_peak({100, 200}, 3)), 60e6, 8192);
  EXPECT_NEAR(static_cast<double>(footprint.predict({100, 200})), 1.03 * 20e6, 8192);
}

TEST(Footprint, OfAPatternIsRaisedByARunThatNeededMore) {
  Footprint footprint{plain_pattern()};
  const std::uint64_t expected = footprint.expect_peak({100, 200});
  EXPECT_FALSE(footprint.observe({100, 200}, 1, expected)) << "as expected: there is nothing to learn";
  EXPECT_FALSE(footprint.observe({100, 200}, 1, expected / 2));
  EXPECT_EQ(footprint, Footprint{plain_pattern()});
  EXPECT_TRUE(footprint.observe({100, 200}, 1, expected / 10 * 11));
  EXPECT_GE(footprint.expect_peak({100, 200}), expected / 10 * 11);
  EXPECT_NEAR(static_cast<double>(footprint.expect_peak({300, 300}, 2)), 1.1 * 180e6, 2e4) << "and so is all else";
  EXPECT_FALSE(footprint.observe({100, 200}, 1, expected / 10 * 11)) << "that is known now";
}

TEST(Footprint, OfTheFormulaIsFittedAnewToWhatIsMeasured) {
  Footprint footprint{probes({{64, 64}, {128, 128}, {64, 256}})};
  const auto needed = [](Extent input) { return truth(input) * 3 / 2; };
  EXPECT_TRUE(footprint.observe({256, 256}, 1, needed({256, 256})));
  EXPECT_GE(footprint.expect_peak({256, 256}), needed({256, 256}));
  for (int side = 300; side < 1000; side += 10) {
    footprint.observe({side, side}, 1, needed({side, side}));
    ASSERT_GE(footprint.expect_peak({side, side}), needed({side, side})) << side;
  }
  EXPECT_LE(footprint.parts().samples.size(), Footprint::most_samples);
  EXPECT_GT(footprint.expect_peak({280, 280}), truth({280, 280}) * 5 / 4);
}

TEST(Footprint, OfTheFormulaCountsABatchAsSoManyImages) {
  Footprint footprint{probes({{64, 64}, {128, 128}, {64, 256}})};
  EXPECT_NEAR(static_cast<double>(footprint.expect_peak({200, 200}, 3)), 3.0 * static_cast<double>(truth({200, 200})),
              1e3);
  EXPECT_TRUE(footprint.observe({200, 200}, 3, 4 * truth({200, 200})));
  EXPECT_GE(footprint.expect_peak({200, 200}, 3), 4 * truth({200, 200}));
}

TEST(Footprint, LearnsWhatOthersHaveLearnt) {
  Footprint here{plain_pattern()};
  Footprint there{plain_pattern()};
  there.observe({100, 100}, 1, 11'000'000);
  there.forbid({500, 500}, 1, 1000);
  EXPECT_TRUE(here.learn_from(there));
  EXPECT_EQ(here, there);
  EXPECT_FALSE(here.learn_from(there));
}

TEST(Footprint, IsWrittenAndReadBack) {
  Footprint of_pattern{plain_pattern()};
  of_pattern.observe({100, 100}, 1, 11'000'000);
  of_pattern.forbid({500, 500}, 2, 1000);
  Footprint of_formula{probes({{64, 64}, {128, 128}, {64, 256}})};
  of_formula.observe({200, 200}, 3, 4 * truth({200, 200}));
  for (const Footprint& footprint : {of_pattern, of_formula, Footprint{}}) {
    EXPECT_EQ(decode<Footprint>(encode(footprint)), footprint);
  }
  for (const Footprint& footprint : {of_pattern, of_formula}) {
    EXPECT_EQ(Footprint{footprint.parts()}, footprint);
  }
  EXPECT_NE(of_pattern, of_formula);
  EXPECT_FALSE(Footprint{}.known());
}

TEST(FootprintDeathTest, ProbesMustTellTheCoefficientsApart) {
  EXPECT_DEATH(Footprint{probes({{64, 64}, {64, 64}, {128, 128}})}, "tell its coefficients apart");
  EXPECT_DEATH(Footprint{probes({{64, 64}, {128, 128}})}, "three probes");
}

}  // namespace
}  // namespace pantile

#include "model/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace pantile {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// What Engine{} says with this library, "" if it works.
std::string complaint(const char* library) {
  ::setenv("PANTILE_ORT_LIB", library, 1);
  std::string text;
  try {
    const Engine engine;
  } catch (const Error& error) {
    text = error.what();
  }
  ::unsetenv("PANTILE_ORT_LIB");
  return text;
}

std::string complaint_about(const char* fault) {
  ::setenv("PANTILE_ODD", fault, 1);
  ::setenv("PANTILE_REAL", PANTILE_REAL_ONNXRUNTIME, 1);
  return complaint(PANTILE_ODD_ONNXRUNTIME);
}

TEST(Engine, FindsTheLibraryThatThisWasBuiltWithAndPassesItsSelfCheck) {
  const Engine engine;
  EXPECT_TRUE(engine.version().starts_with("1.")) << engine.version();
  EXPECT_THAT(engine.library().string(), HasSubstr("onnxruntime"));
}

TEST(Engine, TakesTheNamedLibraryOrNone) {
  EXPECT_EQ(complaint(PANTILE_REAL_ONNXRUNTIME), "");
  EXPECT_THAT(complaint("/nowhere/libonnxruntime.so"),
              AllOf(HasSubstr("/nowhere/libonnxruntime.so"), HasSubstr("PANTILE_ORT_LIB")));
}

TEST(Engine, SaysWhenALibraryIsNotOnnxRuntime) {
  EXPECT_THAT(complaint("libm.so.6"), AllOf(HasSubstr("libm.so.6"), HasSubstr("is not ONNX Runtime")));
}

TEST(Engine, SaysWhenTheLibraryIsTooOldAndWhichVersionItIs) {
  EXPECT_THAT(complaint_about("old"), AllOf(HasSubstr("1.3.0"), HasSubstr("too old"), HasSubstr("odd_onnxruntime")));
}

TEST(Engine, RefusesALibraryThatGoesRoundTheMemoryCap) {
  EXPECT_THAT(complaint_about("bypass"),
              AllOf(HasSubstr("odd_onnxruntime"), HasSubstr("does not report a refused allocation")));
}

using EngineDeathTest = ::testing::Test;

TEST(EngineDeathTest, NamesTheLibraryThatDiesOfARefusedAllocation) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(complaint_about("noexcept"), "odd_onnxruntime.*ends the process when memory is refused");
}

}  // namespace
}  // namespace pantile

#include "app/batch_script.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pantile::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view script =
    "#!/bin/bash\n"
    "#SBATCH --nodes=2\n"
    "# why\n"
    "#SBATCH --mem=16G\n"
    "\n"
    "job=${1:-job.yaml}\n"
    "options=(\"${@:2}\")  # further ones\n"
    "run \"$job\"\n";

TEST(BatchScript, HasTheValuesOfTheJobInTheirLines) {
  const std::string filled = fill(script, {.options = {{"nodes", "7"}, {"partition", "long"}},
                                           .further = {"--constraint=ib"},
                                           .variables = {{"job", "/data/my job.yaml"}},
                                           .arguments = {"--set", "name=it's"}});
  EXPECT_EQ(filled,
            "#!/bin/bash\n"
            "#SBATCH --nodes=7\n"
            "# why\n"
            "#SBATCH --mem=16G\n"
            "#SBATCH --partition=long\n"
            "#SBATCH --constraint=ib\n"
            "\n"
            "job='/data/my job.yaml'\n"
            "options=(--set 'name=it'\\''s')\n"
            "run \"$job\"\n");
}

TEST(BatchScript, LeavesOutWhatIsNotToBeAskedFor) {
  const std::string filled = fill(script, {.without = {"mem"}, .variables = {{"job", "j"}}});
  EXPECT_THAT(filled, Not(HasSubstr("--mem")));
  EXPECT_THAT(filled, HasSubstr("\n#SBATCH --nodes=2\n"));
}

TEST(BatchScript, TemplatesAreThoseOfTheTreeAndTakeEveryValue) {
  EXPECT_EQ(batch_templates().size(), 4);
  for (const BatchTemplate& one : batch_templates()) {
    SCOPED_TRACE(one.name);
    for (const char* const option : {"job-name", "nodes", "ntasks-per-node", "cpus-per-task", "mem", "time"}) {
      EXPECT_THAT(std::string{one.text}, HasSubstr(std::string{"\n#SBATCH --"} + option + "=")) << option;
    }
    const std::string filled =
        fill(one.text, {.options = {{"nodes", "12345"}}, .variables = {{"job", "j"}, {"pantile", "p"}}});
    EXPECT_THAT(filled, HasSubstr("\n#SBATCH --nodes=12345\n"));
    EXPECT_THAT(filled, HasSubstr("\njob=j\n"));
    EXPECT_THAT(filled, HasSubstr("\npantile=p\n"));
    EXPECT_THAT(filled, HasSubstr("\noptions=()\n"));
    EXPECT_THAT(filled, Not(HasSubstr("${1:-job.yaml}")));
  }
}

TEST(ShellWord, IsOneWordOfAShell) {
  EXPECT_EQ(shell_word("/a/b-c_d.yaml"), "/a/b-c_d.yaml");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("$(rm x)"), "'$(rm x)'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace pantile::app

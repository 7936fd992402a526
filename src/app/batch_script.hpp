#pragma once
// The batch scripts of slurm/, which are compiled in, with the values of one job. Pure.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pantile::app {

struct BatchTemplate {
  std::string_view name;  ///< "cpu"
  std::string_view text;  ///< of slurm/cpu.sbatch
};
/// All of them, as they stand in slurm/.
[[nodiscard]] const std::vector<BatchTemplate>& batch_templates();

/// What is put into a template: it is the script of one job then.
struct BatchValues {
  std::vector<std::pair<std::string, std::string>> options{};  ///< {"nodes", "4"} for `#SBATCH --nodes=4`
  std::vector<std::string> without{};                          ///< "mem": its line of the template is left out
  std::vector<std::string> further{};                          ///< "--constraint=ib": lines of their own
  std::vector<std::pair<std::string, std::string>>
      variables{};                       ///< {"job", "/data/job.yaml"}, quoted as a shell wants it
  std::vector<std::string> arguments{};  ///< of `pantile run`, behind the job
};

/// Each value takes the place of the template's own: of the line `#SBATCH --NAME=…` or `NAME=…`. An option that the
/// template has not got comes behind its last one. `expect`s a line for each variable: the templates are ours.
[[nodiscard]] std::string fill(std::string_view script, const BatchValues& values);

/// As one word of a shell.
[[nodiscard]] std::string shell_word(const std::string& text);

}  // namespace pantile::app

#pragma once
// The machines that mpirun may use, and which of them still answer.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace pantile {

struct Host {
  std::string name;
  int slots = 1;  ///< how many ranks it takes
  bool operator==(const Host&) const = default;
};

/// Of the Slurm job that we are in, or of Open MPI's default hostfile (OMPI_MCA_orte_default_hostfile). Empty: there is
/// neither, and all ranks run here.
[[nodiscard]] std::vector<Host> allocated_hosts();

/// Those on which mpirun can start a process within the limit. All are tried at the same time.
[[nodiscard]] std::vector<Host> answering(const std::vector<Host>& hosts, std::chrono::milliseconds limit);

/// "2(x3),1" as {2, 2, 2, 1}: how Slurm writes slots. Empty if it is written otherwise. Pure.
[[nodiscard]] std::vector<int> parse_slots(std::string_view text);
/// "node1 slots=2 # comment" in each line. Pure.
[[nodiscard]] std::vector<Host> parse_hostfile(std::string_view text);
/// "node1:2,node2:2", as mpirun takes it. Pure.
[[nodiscard]] std::string host_list(const std::vector<Host>& hosts);

}  // namespace pantile

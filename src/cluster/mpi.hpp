#pragma once
// Open MPI behind one door. No MPI type leaves this header, so that only cluster/mpi.cpp is compiled with mpi.h.

#include <memory>
#include <string>
#include <vector>

#include "cluster/transport.hpp"

namespace pantile::mpi {

/// True if this process was started as a rank: by mpirun or by srun with PMIx. SLURM_PROCID does not count: a plain
/// batch shell has it too.
[[nodiscard]] bool launched_as_rank();

/// MPI_Init … MPI_Finalize. Outlives every transport. One per process, on the thread that does all MPI calls
/// (MPI_THREAD_FUNNELED). Throws Error if MPI cannot start.
///
/// MPI_Finalize waits for all ranks, and a rank may hang for good (a disk that never answers). Rank 0 therefore waits
/// for the others 30 s only, and then ends them all by MPI_Abort, with the code that was given to leave_with().
class Environment {
 public:
  Environment();
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  /// Position among the ranks of this node, and their number (MPI_Comm_split_type SHARED).
  [[nodiscard]] int local_rank() const noexcept { return local_rank_; }
  [[nodiscard]] int local_size() const noexcept { return local_size_; }
  /// True if world rank 0 runs on this node: it coordinates only, and leaves its share of the cores to the workers.
  [[nodiscard]] bool coordinator_here() const noexcept { return coordinator_here_; }
  /// What each rank of this node says, by local rank; all of them call this at the same time.
  [[nodiscard]] std::vector<Bytes> exchange_on_node(const Bytes& own) const;
  /// "Open MPI v4.1.4".
  [[nodiscard]] static std::string version();

  /// What the process will return; told to mpirun should rank 0 have to end the others. 1 if nobody says.
  void leave_with(int code) noexcept { code_ = code; }

  /// Ends all ranks of this world, now, with the code that shells give for a process that was killed (137).
  [[noreturn]] void abort() const;

  /// The end of this rank on a communicator of its own. The environment must outlive it.
  [[nodiscard]] std::unique_ptr<Transport> transport();

 private:
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  bool coordinator_here_ = true;
  int code_ = 1;
};

}  // namespace pantile::mpi

#pragma once
// A damaged run is brought into order, as far as that needs neither model nor inputs: what is lost becomes pending, and
// the run can be resumed. Nothing is deleted: what is damaged is put aside.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "source/catalog.hpp"
#include "store/run_folder.hpp"
#include "store/verify.hpp"

namespace pantile {

struct Mended {
  std::vector<std::string> done;  ///< plain sentences: what was found and what became of it
  std::uint64_t pending = 0;      ///< items that are to be made (again)
  std::string config;             ///< effective text, to go on with
  std::string config_folder;      ///< where its relative paths count from
};

/// Lists the inputs of a run again, by its effective config: the way back to a catalog that cannot be read. May throw.
using ListInputs = std::function<Catalog(const std::string& config, const std::string& folder)>;

struct MendOptions {
  std::string time;        ///< for the journal
  bool had_ended = false;  ///< known from elsewhere, since the journal may have lost it; it keeps it then
  ListInputs list_inputs;
};

/// In this order, each step durable and fit to be done again after a kill: the journal loses what is behind its last
/// good record; run.yaml is restored from the journal; the catalog is written anew, or listed anew if it cannot be
/// read; bad shards are moved aside and retired; sound shards without a record are adopted; index.h5 is written, and
/// RunEnd if nothing is pending. `found` is what verify_run() has just said, `time` is for the journal. HDF5 thread
/// only.
///
/// Throws UsageError, and has changed nothing, if something is of another version of this program; Error if what is
/// left is not enough to tell what the run was.
[[nodiscard]] Mended mend_run(RunFolder& folder, const VerifyReport& found, const MendOptions& options);

}  // namespace pantile

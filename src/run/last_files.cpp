#include "run/last_files.hpp"

#include "run/quarantine_list.hpp"
#include "store/file_hash.hpp"
#include "store/index_writer.hpp"

namespace pantile {

void write_last_files(Job& job, bool is_complete) {
  const RunLayout& layout = job.folder.layout();
  job.journal.expect_ours();
  write_quarantine_list(layout.quarantine(), job.catalog, job.state);
  if (job.state.end() && hash_of(layout.index()) == job.state.end()->index) {
    return;  // The index was written before, and nothing has changed.
  }
  const RunTotals totals = write_index(layout, job.catalog, job.state);
  if (is_complete) {
    job.journal.append(RunEnd{totals.digest, hash_of(layout.index())}, job.state);
    job.journal.commit();
  }
}

}  // namespace pantile

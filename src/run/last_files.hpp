#pragma once
// What a run leaves when it ends, however it ends.

#include "run/job.hpp"

namespace pantile {

/// Writes index.h5 and quarantine.csv as the journal has it, and says in the journal that all is done if it is. Throws
/// Error, before it has written anything if the folder is another owner's by now; what is committed stays so.
void write_last_files(Job& job, bool is_complete);

}  // namespace pantile

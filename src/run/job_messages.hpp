#pragma once
// What a worker is told of a job.

#include <vector>

#include "cluster/messages.hpp"
#include "plan/scheduler_messages.hpp"
#include "run/job.hpp"

namespace pantile {

/// `extents`: of all items to do, as Prospect::extent_classes() has them.
[[nodiscard]] Welcome welcome(const Job& job, const std::vector<ExtentClass>& extents);
/// A unit with all that is needed to make its items.
[[nodiscard]] AssignUnit assignment(const Job& job, Unit unit);

}  // namespace pantile

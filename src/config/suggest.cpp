#include "config/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pantile {
namespace {

/// Edit distance where a swap of neighbours is one change: the typo that fingers make most.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::vector<std::string> similar_names(std::string_view wrong, const std::vector<std::string>& names) {
  // A third of the letters may be wrong: "pth" is near "path", "ram" is near nothing.
  std::size_t best = std::max<std::size_t>(1, wrong.size() / 3);
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wrong, name);
    if (distance < best) {
      found.clear();
      best = distance;
    }
    if (distance == best && found.size() < 2 && distance < name.size()) {
      found.push_back(name);
    }
  }
  return found;
}

std::optional<std::string> suggestion(std::string_view wrong, const std::vector<std::string>& names) {
  std::vector<std::string> found = similar_names(wrong, names);
  return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
}

std::string did_you_mean(const std::vector<std::string>& names) {
  if (names.empty()) {
    return "";
  }
  return fmt::format("did you mean '{}'?", fmt::join(names, "' or '"));
}

}  // namespace pantile

#pragma once
// `pantile ctl RUN set devices.memory…`: caps that move while a run goes on. All ranks take the new ones, or none does.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "cluster/messages.hpp"
#include "config/config.hpp"
#include "report/live.hpp"
#include "run/control.hpp"

namespace pantile {

/// Rank 0's. One request at a time; those that come meanwhile wait. Time is an argument, seconds. One thread.
class MemoryDesk {
 public:
  struct Voice {
    std::function<std::vector<RankId>()> ranks;  ///< all that are to take a request
    std::function<void(RankId, SetMemory)> say;
    std::function<void(LiveRequest)> answer;  ///< to who has asked
  };
  /// `config` is that of the run, and outlives the desk.
  MemoryDesk(const RunConfig& config, Voice voice);

  /// A request "set KEY=VALUE".
  void ask(ControlRequest request, double now_s);
  void heard(RankId from, const MemoryIsSet& answer, double now_s);
  /// It is gone, and will not answer.
  void lost(RankId rank, double now_s);
  /// Who is silent for some seconds is waited for no longer: it will take what it was told when it wakes.
  void look(double now_s);

  /// Effective text of the config with the caps as they are now, for ranks that come later.
  [[nodiscard]] const std::string& config_text() const noexcept { return text_; }

 private:
  struct Pending {
    ControlRequest request;
    std::string text;  ///< of the config, if it is granted
    std::uint64_t number = 0;
    double since_s = 0;
    bool is_judged = false;  ///< by a rank that knows its device
    std::set<RankId> awaited;
    std::vector<RankId> granted;
    std::vector<std::string> words;
    std::vector<std::string> refusals;
  };
  void begin(ControlRequest request, double now_s);
  void settle(double now_s);

  const RunConfig& config_;
  Voice voice_;
  std::string text_;
  std::uint64_t number_ = 0;
  std::optional<Pending> pending_;
  std::deque<ControlRequest> waiting_;
};

/// True if a request is for the desk.
[[nodiscard]] bool is_memory_request(const std::string& request);

/// Throws UsageError, in words, if `setting` ("devices.memory.cap=4GiB") is not one that can change while a run goes
/// on.
void expect_changeable(const std::string& setting);

}  // namespace pantile

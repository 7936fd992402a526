#include "run/hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "run/short_command.hpp"

namespace pantile {
namespace {

const char* variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

std::vector<Host> hosts_of_slurm(const char* nodes) {
  const ShortCommand names = run_short_command({"scontrol", "show", "hostnames", nodes}, std::chrono::seconds{5});
  if (names.code != 0) {
    return {};
  }
  const char* const tasks = variable("SLURM_TASKS_PER_NODE");
  const char* const cpus = variable("SLURM_JOB_CPUS_PER_NODE");
  const std::vector<int> slots = parse_slots(tasks != nullptr ? tasks : cpus != nullptr ? cpus : "");
  std::vector<Host> hosts;
  std::istringstream lines{names.output};
  for (std::string name; lines >> name;) {
    hosts.push_back({name, hosts.size() < slots.size() ? slots[hosts.size()] : 1});
  }
  return hosts;
}

}  // namespace

std::vector<Host> allocated_hosts() {
  if (const char* const nodes = variable("SLURM_JOB_NODELIST")) {
    return hosts_of_slurm(nodes);
  }
  if (const char* const file = variable("OMPI_MCA_orte_default_hostfile")) {
    try {
      return parse_hostfile(read_text(file));
    } catch (const Error&) {
      return {};  // mpirun has something to say about it
    }
  }
  return {};
}

std::vector<Host> answering(const std::vector<Host>& hosts, std::chrono::milliseconds limit) {
  std::vector<std::vector<std::string>> lines;
  lines.reserve(hosts.size());
  for (const Host& host : hosts) {
    lines.push_back({"mpirun", "-n", "1", "--host", host.name, "true"});
  }
  const std::vector<ShortCommand> ends = run_short_commands(lines, limit);
  std::vector<Host> found;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (ends[i].code == 0) {
      found.push_back(hosts[i]);
    }
  }
  return found;
}

std::vector<int> parse_slots(std::string_view text) {
  std::vector<int> slots;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    int each = 0;
    int times = 1;
    const char* const end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, each);
    if (read.ec == std::errc{} && std::string_view{read.ptr, end}.starts_with("(x")) {
      read = std::from_chars(read.ptr + 2, end, times);
      const bool is_closed = read.ec == std::errc{} && read.ptr != end && *read.ptr == ')';
      read.ptr += is_closed ? 1 : 0;
      read.ec = is_closed ? read.ec : std::errc::invalid_argument;
    }
    if (read.ec != std::errc{} || read.ptr != end || each < 1 || times < 1) {
      return {};
    }
    slots.insert(slots.end(), static_cast<std::size_t>(times), each);
  }
  return slots;
}

std::vector<Host> parse_hostfile(std::string_view text) {
  std::vector<Host> hosts;
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line.substr(0, line.find('#'))};
    Host host;
    if (!(words >> host.name)) {
      continue;
    }
    for (std::string word; words >> word;) {
      if (word.starts_with("slots=")) {
        std::from_chars(word.data() + 6, word.data() + word.size(), host.slots);
      }
    }
    hosts.push_back(host);
  }
  return hosts;
}

std::string host_list(const std::vector<Host>& hosts) {
  std::string list;
  for (const Host& host : hosts) {
    list += fmt::format("{}{}:{}", list.empty() ? "" : ",", host.name, host.slots);
  }
  return list;
}

}  // namespace pantile

#include "run/loss.hpp"

#include <fmt/format.h>
#include <string.h>

#include <charconv>

namespace pantile {
namespace {

/// What stands behind `words`, up to white space or a full stop at its end.
std::string_view behind(std::string_view text, std::string_view words) {
  const std::size_t at = text.find(words);
  if (at == std::string_view::npos) {
    return {};
  }
  text.remove_prefix(at + words.size());
  text = text.substr(0, text.find_first_of(" \t\n"));
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

}  // namespace

Loss read_loss(std::string_view talk) {
  Loss loss;
  // "mpirun noticed that process rank 2 with PID 4711 on node node3 exited on signal 9 (Killed)."
  if (const std::size_t at = talk.find("noticed that process rank "); at != std::string_view::npos) {
    const std::string_view told = talk.substr(at);
    loss.rank = number(behind(told, "process rank "));
    loss.host = behind(told, " on node ");
    loss.signal = number(behind(told, "exited on signal "));
  }
  // "ORTE has lost communication with a remote daemon. … Remote daemon: [[1,0],2] on node node3"
  if (const std::size_t at = talk.find("Remote daemon:");
      at != std::string_view::npos && talk.find("lost communication") != std::string_view::npos) {
    loss = {.rank = {}, .host = std::string{behind(talk.substr(at), " on node ")}, .signal = {}, .whole_host = true};
  }
  return loss;
}

std::string to_string(const Loss& loss, int code) {
  if (loss.whole_host) {
    return fmt::format("the machine {} was lost", loss.host.empty() ? "of some ranks" : loss.host);
  }
  if (loss.rank) {
    return fmt::format("rank {}{}{} was lost{}", *loss.rank, loss.host.empty() ? "" : " on ", loss.host,
                       loss.signal ? fmt::format(" (signal {}, {})", *loss.signal, ::strsignal(*loss.signal)) : "");
  }
  return code > 128 && code < 128 + 65
             ? fmt::format("mpirun was lost (signal {}, {})", code - 128, ::strsignal(code - 128))
             : fmt::format("a rank was lost (mpirun ended with {})", code);
}

}  // namespace pantile

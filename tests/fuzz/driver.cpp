// Runs a fuzz target without libFuzzer, in any build: first each file of its corpus, then mutations of them that depend
// on nothing but a seed. Blind, so it finds little that libFuzzer has not; it keeps what was found from coming back,
// and shows mistakes of a kind that sit everywhere.
//
//     decode_fuzzer CORPUS [--runs N] [--seed S] [--longest BYTES]
//     decode_fuzzer FILE…                          these inputs, and nothing else
//
// The input that ends the process is left in the current folder as TARGET.finding.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.hpp"

extern "C" {
__attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());  // NOLINT: the sanitizers' own name
}

namespace {

using namespace pantile;
namespace fs = std::filesystem;

// What the process is at, for when it dies.
Bytes input;
std::string what;
std::string finding;

void leave_finding() {
  const int file = ::open(finding.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  static_cast<void>(!::write(file, input.data(), input.size()));
  std::fprintf(stderr, "finding: %s; the input is in %s\n", what.c_str(), finding.c_str());
}

void on_death(int /*signal*/) {
  leave_finding();
  ::_exit(1);
}

void run(std::string name) {
  what = std::move(name);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<Bytes> corpus, std::size_t longest)
      : random_{seed}, corpus_{std::move(corpus)}, longest_{longest} {}

  [[nodiscard]] Bytes next() {
    Bytes bytes = corpus_.empty() ? Bytes{} : corpus_[below(corpus_.size())];
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
      change(bytes);
    }
    bytes.resize(std::min(bytes.size(), longest_));
    return bytes;
  }

 private:
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }
  std::ptrdiff_t place(const Bytes& bytes) { return static_cast<std::ptrdiff_t>(below(bytes.size() + 1)); }

  void change(Bytes& bytes) {
    static constexpr std::array<std::uint64_t, 8> odd{0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, ~std::uint64_t{0}};
    if (bytes.empty()) {
      bytes.push_back(static_cast<std::byte>(random_()));
      return;
    }
    const std::size_t at = below(bytes.size());
    switch (below(8)) {
      case 0: bytes[at] ^= static_cast<std::byte>(1U << below(8)); break;
      case 1: bytes[at] = static_cast<std::byte>(random_()); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(bytes.begin() + place(bytes), 1 + below(16), static_cast<std::byte>(random_())); break;
      case 4: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + end_of(bytes, at)); break;
      case 5: write(bytes, at, odd[below(odd.size())], std::size_t{1} << below(4)); break;
      case 6: write(bytes, at, random_(), std::size_t{1} << below(4)); break;
      default: splice(bytes); break;
    }
  }
  std::ptrdiff_t end_of(const Bytes& bytes, std::size_t at) {
    return static_cast<std::ptrdiff_t>(at + 1 + below(std::min<std::size_t>(bytes.size() - at, 32)));
  }
  void write(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
    const bool big = below(2) == 0;
    for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i) {
      bytes[at + i] = static_cast<std::byte>(value >> 8U * (big ? size - 1 - i : i));
    }
  }
  /// A piece of another file, in place of what is there.
  void splice(Bytes& bytes) {
    const Bytes& other = corpus_[below(corpus_.size())];
    if (other.empty()) {
      return;
    }
    const std::size_t from = below(other.size());
    const auto piece = std::span{other}.subspan(from, std::min<std::size_t>(other.size() - from, 1 + below(256)));
    const std::size_t to = below(bytes.size());
    bytes.resize(std::max(bytes.size(), to + piece.size()));
    std::copy(piece.begin(), piece.end(), bytes.begin() + static_cast<std::ptrdiff_t>(to));
  }

  std::mt19937_64 random_;
  std::vector<Bytes> corpus_;
  std::size_t longest_;
};

struct Options {
  std::vector<fs::path> paths;
  std::uint64_t runs = 1'000;
  std::uint64_t seed = 1;
  std::uint64_t longest = 8'192;
};

Options options_of(std::span<char*> arguments) {
  Options options;
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    const std::string_view argument = arguments[at];
    std::uint64_t* const number = argument == "--runs"      ? &options.runs
                                  : argument == "--seed"    ? &options.seed
                                  : argument == "--longest" ? &options.longest
                                                            : nullptr;
    if (number == nullptr) {
      options.paths.emplace_back(argument);
    } else if (++at < arguments.size()) {
      const std::string_view value = arguments[at];
      std::from_chars(value.data(), value.data() + value.size(), *number);
    }
  }
  return options;
}

std::vector<fs::path> files_below(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator{path}) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// As libFuzzer's: an input that asks for more is a finding. Sanitizers take far more themselves.
void bound_memory() {
  constexpr rlim_t most = rlim_t{1} << 30U;
  if (__sanitizer_set_death_callback == nullptr) {
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_DATA, &limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto began = std::chrono::steady_clock::now();
  const Options options = options_of({argv, static_cast<std::size_t>(argc)});
  finding = fs::path{argv[0]}.filename().string() + ".finding";
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    if (__sanitizer_set_death_callback == nullptr || signal == SIGABRT) {
      std::signal(signal, on_death);
    }
  }
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(leave_finding);
  }
  bound_memory();
  if (LLVMFuzzerInitialize != nullptr) {
    LLVMFuzzerInitialize(&argc, &argv);
  }
  std::vector<Bytes> corpus;
  for (const fs::path& file : files_below(options.paths)) {
    input = read_file(file);
    run(file.string());
    corpus.push_back(input);
  }
  const std::size_t files = corpus.size();
  const bool mutates = std::any_of(options.paths.begin(), options.paths.end(),
                                   [](const fs::path& path) { return fs::is_directory(path); });
  if (mutates && files == 0) {
    std::fprintf(stderr, "there is no corpus\n");
    return 2;
  }
  Mutator mutator{options.seed, std::move(corpus), options.longest};
  const std::uint64_t runs = mutates ? options.runs : 0;
  for (std::uint64_t at = 0; at < runs; ++at) {
    input = mutator.next();
    run("seed " + std::to_string(options.seed) + ", run " + std::to_string(at));
  }
  const double seconds = std::chrono::duration<double>{std::chrono::steady_clock::now() - began}.count();
  std::printf("%zu files, %llu mutations, no finding, %.1f s\n", files, static_cast<unsigned long long>(runs), seconds);
  return 0;
}

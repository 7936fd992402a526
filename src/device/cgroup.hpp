#pragma once
// The control groups of this process, and the numbers in their files. Version 2, version 1, and both at once.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace pantile {

enum class CgroupVersion : std::uint8_t { first = 1, second = 2 };

/// Calls `look` with the folders of our group of `controller` ("memory", "cpu"): from our own up to the one that is
/// mounted, which in a container may be all that is seen. Folders that are not there are among them. `root` is "/", but
/// in tests.
void each_cgroup_folder(const std::filesystem::path& root, const std::string& controller,
                        const std::function<void(const std::filesystem::path& folder, CgroupVersion version)>& look);

/// The digits at the start of `text`; nothing of "max" and "-1", which mean that there is no limit.
[[nodiscard]] std::optional<std::uint64_t> leading_number(std::string_view text);
/// The same of the first word of a file.
[[nodiscard]] std::optional<std::uint64_t> read_number(const std::filesystem::path& file);
/// The lines "word number …" of a file such as memory.stat or /proc/meminfo ("MemTotal: 8388608 kB", with the colon).
[[nodiscard]] std::map<std::string, std::uint64_t, std::less<>> read_numbers(const std::filesystem::path& file);

}  // namespace pantile

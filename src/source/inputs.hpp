#pragma once
// What a job reads, as a catalog: folders, single files, text lists, archives, HDF5 stacks.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/part.hpp"
#include "source/catalog.hpp"

namespace pantile {

/// What an input may ask for.
struct InputLimits {
  std::uint64_t max_items = 20'000'000;                        ///< of all inputs; more: UsageError
  std::uint64_t max_member_bytes = std::uint64_t{256} << 20U;  ///< unpacked, of a member of a zip archive
};

/// One entry of the config's `input`.
///
///     pages                    a folder, with all below it
///     cover.png                one image
///     some.txt, some.lst       a list of images, a path a line (source/text_list.hpp)
///     book.cbz, .zip, .tar     an archive; its members are read in place, never unpacked to disk
///     scans.h5:/images         an HDF5 dataset, an image a row (source/stack.hpp)
///
/// Globs (source/glob.hpp) hold for folders and archives, and are matched against the path below the folder or in the
/// archive.
struct InputSpec {
  std::filesystem::path path{};
  std::vector<std::string> include{};  ///< any of them; empty: every ending that we read, in any case, at any depth
  std::vector<std::string> exclude{};  ///< wins over include; one that matches a folder leaves out all of it
  Part part{};                         ///< of what that leaves, by the path that the item has in the catalog
  InputLimits limits{};
};

/// What the inputs' items lie in, in the order of the inputs: Catalog::roots() of a catalog of them. Throws UsageError
/// if an input is not there, or is of a kind that we do not read.
[[nodiscard]] std::vector<CatalogRoot> input_roots(std::span<const InputSpec> inputs);

/// All items of the inputs; nobody has looked into them yet (probing.hpp), except for the rows of stacks.
///
/// Item ids follow the order of the inputs, then the bytes of the paths, so that a folder and an archive of it have the
/// same ids on every machine; lists and stacks keep their own order. Hidden files and folders (.name, and __MACOSX of
/// archives) are left out. Links are followed; a folder that links reach more than once is listed once, under its own
/// path if that lies in the input, else under the link whose path sorts first. Of members of one name the last counts,
/// as when the archive is unpacked. Throws UsageError if an input does not exist, is damaged or cut short, a glob makes
/// no sense, a name is not UTF-8, there are too many items, or no file is found at all (a part may be empty); Error if
/// a folder cannot be read.
[[nodiscard]] Catalog list_inputs(std::span<const InputSpec> inputs);

/// list_inputs(), and the header of every item read on `threads` threads (≥ 1) of this process. An item whose header
/// cannot be read has a Fault.
[[nodiscard]] Catalog build_catalog(std::span<const InputSpec> inputs, int threads);

/// Lists the inputs again and appends what is not in the catalog yet; returns how many items that are. Items that are
/// gone stay, old ids never change. Precondition: the catalog is one of these inputs. Throws as list_inputs(), and
/// UsageError if an archive or a stack has changed: the places of its items may have, too.
std::uint64_t append_new(Catalog& catalog, std::span<const InputSpec> inputs);

/// Numbers of the archives and HDF5 files that have another size than when the catalog was made: their items may lie
/// elsewhere in them by now. Throws Error if one of them is away.
[[nodiscard]] std::vector<std::uint16_t> changed_roots(const Catalog& catalog);

}  // namespace pantile

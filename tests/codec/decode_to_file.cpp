// decode_to_file FILE OUT [Y X HEIGHT WIDTH]: for the tests in Python. OUT gets the pixels (of the upright part, if one
// is asked for), stdout the shape, or the fault and its text; the exit code is 0 or 1.

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "codec/decode.hpp"

namespace pantile {
namespace {

Result<Image> read(const std::vector<std::string>& arguments) {
  if (arguments.size() < 6) {
    return decode(read_file(arguments[0]));
  }
  FileReader file{arguments[0]};
  const Result<ImageHeader> header = probe(file);
  if (!header) {
    return header.failure();
  }
  if (!reads_regions(header.value())) {
    return Failure{Fault::unsupported, "regions cannot be read"};
  }
  const auto number = [&](std::size_t at) { return std::atoi(arguments[at].c_str()); };
  const Rect part = stored_rect(header.value(), {number(2), number(3), number(4), number(5)});
  Result<Image> region = decode_region(file, header.value(), part);
  return region ? Result<Image>{upright(std::move(region).value(), header.value())} : std::move(region);
}

int run(const std::vector<std::string>& arguments) {
  const Result<Image> image = read(arguments);
  if (!image) {
    std::cout << name(image.failure().fault) << ": " << image.failure().detail << '\n';
    return 1;
  }
  const ImageView view = image.value().view();
  const File out = open_file(arguments[1], O_WRONLY | O_CREAT | O_TRUNC);
  write_all(out.get(), {view.data, view.bytes()}, arguments[1]);
  std::cout << fmt::format("{} {} {} {}\n", view.extent.height, view.extent.width, view.channels,
                           8 * static_cast<int>(view.depth));
  return 0;
}

}  // namespace
}  // namespace pantile

int main(int argc, char** argv) { return pantile::run({argv + 1, argv + argc}); }

// What lies in a file, and in no other: files of ours have links and parts in others for the sake of other readers, and
// files of somebody else could make us read a pipe, or what nobody should see.

#include <string>

#include "base/hdf5.hpp"

namespace pantile::hdf5 {
namespace {

herr_t follow_no_file(const char* /*from_file*/, const char* /*from_group*/, const char* /*file*/,
                      const char* /*object*/, unsigned* /*access*/, hid_t /*plan*/, void* /*data*/) {
  return -1;
}

/// Of a class that has links: kept for the process, as H5P_DEFAULT is.
hid_t without_links_out(hid_t kind) {
  const hid_t access = check(H5Pcreate(kind), "make a property list");
  check(H5Pset_elink_cb(access, follow_no_file, nullptr), "forbid external links");
  return access;
}

/// What would be followed is refused anyway; this says why.
void expect_no_link_out(hid_t parent, const std::string& name) {
  H5L_info_t link{};
  if (exists(parent, name) && H5Lget_info(parent, name.c_str(), &link, H5P_DEFAULT) >= 0 &&
      link.type == H5L_TYPE_EXTERNAL) {
    throw Error{name + " leads to another file"};
  }
}

}  // namespace

Id open_group(hid_t parent, const std::string& name) {
  static const hid_t access = without_links_out(H5P_GROUP_ACCESS);
  expect_no_link_out(parent, name);
  return own(H5Gopen2(parent, name.c_str(), access), "open the group " + name);
}

Id open_dataset(hid_t parent, const std::string& name) {
  static const hid_t access = without_links_out(H5P_DATASET_ACCESS);
  expect_no_link_out(parent, name);
  Id dataset = own(H5Dopen2(parent, name.c_str(), access), "open the dataset " + name);
  const Id plan = own(H5Dget_create_plist(dataset.get()), "look at " + name);
  if (H5Pget_layout(plan.get()) == H5D_VIRTUAL || H5Pget_external_count(plan.get()) != 0) {
    throw Error{name + " leads to another file"};
  }
  return dataset;
}

bool exists(hid_t parent, const std::string& name) {
  static const hid_t access = without_links_out(H5P_LINK_ACCESS);
  return check(H5Lexists(parent, name.c_str(), access), "look for " + name) > 0;
}

}  // namespace pantile::hdf5

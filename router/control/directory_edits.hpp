#pragma once

#include <string>

#include "ring/load.hpp"
#include "ring/ring_edit.hpp"
#include "ring/vnode_set.hpp"

namespace router {

/// An edit of a ring on disk; empty vnodes: none of that kind.
struct RingEdit {
  ring::VnodeSet moved;
  std::string pnode;  ///< who gets `moved`
  ring::VnodeSet marked;
  std::string data_json;  ///< what `marked` get
};

/// One synced batch, in a directory of node-fash's form. It throws ring_tool::Failure; nothing is
/// changed then. O(vnodes of the ring).
ring::DirectoryEdit directory_edit(const RingEdit& edit);
ring::DirectoryEdit directory_edit(const ring::Difference& difference);

/// Does what such an edit's text says. Throws ring::RingError where it is none, or as the edit.
void edit_directory(const std::string& directory, const std::string& text);

}  // namespace router

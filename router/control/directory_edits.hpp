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

/// One synced batch, in a directory of node-fash's form. Where it is done in this process it throws
/// ring_tool::Failure, and nothing is changed then. O(vnodes of the ring).
ring::DirectoryEdit directory_edit(const RingEdit& edit);
ring::DirectoryEdit directory_edit(const ring::Difference& difference);

/// Does what such an edit's text says. Throws ring::RingError, naming the directory: the text is
/// not an edit's, or the edit can't be done. Nothing is changed then.
void edit_directory(const std::string& directory, const std::string& text);

}  // namespace router

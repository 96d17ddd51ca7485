#pragma once

#include <cstdint>
#include <string>

/// The keys of node-fash's LevelDB rings (docs/ring.md).
namespace ring_tool {

inline const std::string kNotFound = ": NotFound: ";  ///< how node-fash's failures end

inline std::string vnode_key(std::int64_t vnode) { return "/VNODE/" + std::to_string(vnode); }
inline std::string data_key(const std::string& pnode, std::int64_t vnode) {
  return "/PNODE/" + pnode + "/" + std::to_string(vnode);
}

/// The text that a JSON string is; empty: it is none.
std::string text_of(const std::string& json);

}  // namespace ring_tool

#include "ring/vnode_data.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_map>

namespace ring {

VnodeData::VnodeData(const std::vector<std::pair<std::uint32_t, std::string>>& entries,
                     std::size_t vnode_count) {
  std::unordered_map<std::string_view, std::uint32_t> index;  // views of `entries`
  for (const auto& [vnode, text] : entries)
    if (index.emplace(text, static_cast<std::uint32_t>(texts_.size())).second)
      texts_.push_back(text);

  const bool much = entries.size() > vnode_count / sizeof(sparse_[0]);
  if (much && texts_.size() <= std::numeric_limits<std::uint8_t>::max()) {
    dense_.resize(vnode_count);
    for (const auto& [vnode, text] : entries)
      dense_[vnode] = static_cast<std::uint8_t>(index.at(text) + 1);
    return;
  }
  sparse_.reserve(entries.size());
  for (const auto& [vnode, text] : entries) sparse_.emplace_back(vnode, index.at(text));
}

const std::string* VnodeData::find(std::uint32_t vnode) const {
  if (!dense_.empty()) return dense_[vnode] == 0 ? nullptr : &texts_[dense_[vnode] - 1u];
  const auto found = std::lower_bound(
      sparse_.begin(), sparse_.end(), vnode,
      [](const auto& entry, std::uint32_t wanted) { return entry.first < wanted; });
  return found == sparse_.end() || found->first != vnode ? nullptr : &texts_[found->second];
}

std::vector<std::uint32_t> VnodeData::vnodes() const {
  std::vector<std::uint32_t> vnodes;
  for (const auto& [vnode, text] : sparse_) vnodes.push_back(vnode);
  for (std::size_t vnode = 0; vnode < dense_.size(); ++vnode)
    if (dense_[vnode] != 0) vnodes.push_back(static_cast<std::uint32_t>(vnode));
  return vnodes;
}

std::size_t VnodeData::bytes() const {
  std::size_t bytes = dense_.capacity() + sparse_.capacity() * sizeof(sparse_[0]);
  for (const std::string& text : texts_) bytes += sizeof text + text.capacity();
  return bytes;
}

}  // namespace ring

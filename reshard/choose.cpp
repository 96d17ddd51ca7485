#include "reshard/choose.hpp"

#include <map>
#include <stdexcept>

namespace reshard {

ring::VnodeSet chosen(const Choice& choice, const ring::VnodeSet& owned,
                      const std::vector<VnodeLoad>& loads) {
  const int ways = (choice.vnodes.empty() ? 0 : 1) + (choice.half ? 1 : 0) +
                   (choice.rows > 0 ? 1 : 0) + (choice.bytes > 0 ? 1 : 0);
  if (ways != 1)
    throw std::invalid_argument(
        "say which vnodes move in one way: --vnodes, --half, --rows or --bytes");
  if (!choice.vnodes.empty()) {
    const auto named = ring::VnodeSet::parse(choice.vnodes);
    const auto others = named.without(owned);
    if (!others.empty())
      throw std::invalid_argument("vnodes that the source does not own: " + others.to_text());
    if (named.empty()) throw std::invalid_argument("no vnodes are named");
    return named;
  }
  std::map<std::uint64_t, const VnodeLoad*> by_vnode;
  std::uint64_t all = 0;
  for (const VnodeLoad& load : loads) {
    by_vnode[load.vnode] = &load;
    if (owned.contains(static_cast<ring::Vnode>(load.vnode))) all += load.rows;
  }
  const std::uint64_t wanted = choice.half ? all / 2 : choice.rows > 0 ? choice.rows : choice.bytes;
  const std::uint64_t half_of_vnodes = owned.size() / 2;
  std::vector<std::uint32_t> vnodes;
  std::uint64_t sum = 0;
  bool full = false;
  owned.each([&](ring::Vnode vnode) {
    if (full) return;
    const auto found = by_vnode.find(number(vnode));
    const std::uint64_t load = found == by_vnode.end() ? 0
                               : choice.bytes > 0      ? found->second->bytes
                                                       : found->second->rows;
    const bool nearer = sum + load <= wanted || sum + load - wanted < wanted - sum;
    full = !vnodes.empty() &&
           (choice.half && all == 0 ? vnodes.size() >= half_of_vnodes : sum >= wanted || !nearer);
    if (full) return;
    sum += load;
    vnodes.push_back(number(vnode));
  });
  return ring::VnodeSet::of(std::move(vnodes));
}

}  // namespace reshard

#include "ring/vnode_set.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace ring {
namespace {

constexpr std::string_view kBetween = ", \t\r\n";

/// The number that `text` is from beginning to end.
bool read_number(std::string_view text, std::uint32_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

VnodeSet::Range read_member(std::string_view member) {
  const std::string shown = "\"" + std::string(member.substr(0, 64)) + "\"";
  VnodeSet::Range range;
  const std::size_t dash = member.find('-');
  const bool read = dash == std::string_view::npos
                        ? read_number(member, range.first) && read_number(member, range.last)
                        : read_number(member.substr(0, dash), range.first) &&
                              read_number(member.substr(dash + 1), range.last);
  if (!read)
    throw std::invalid_argument(shown + " is neither a vnode nor a range of vnodes like 0-49999");
  if (range.first > range.last)
    throw std::invalid_argument("the range " + shown + " runs backwards");
  return range;
}

}  // namespace

VnodeSet VnodeSet::of_ranges(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  VnodeSet set;
  for (const Range& range : ranges) {
    const bool touches =
        !set.ranges_.empty() && range.first <= std::uint64_t{set.ranges_.back().last} + 1;
    if (touches)
      set.ranges_.back().last = std::max(set.ranges_.back().last, range.last);
    else
      set.ranges_.push_back(range);
  }
  return set;
}

VnodeSet VnodeSet::of(std::vector<std::uint32_t> vnodes) {
  std::sort(vnodes.begin(), vnodes.end());
  VnodeSet set;
  for (const std::uint32_t vnode : vnodes) {
    if (!set.ranges_.empty() && vnode <= std::uint64_t{set.ranges_.back().last} + 1)
      set.ranges_.back().last = vnode;
    else
      set.ranges_.push_back({vnode, vnode});
  }
  return set;
}

VnodeSet VnodeSet::parse(std::string_view text) {
  std::vector<Range> ranges;
  for (std::size_t at = text.find_first_not_of(kBetween); at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    ranges.push_back(read_member(text.substr(at, end - at)));
    at = text.find_first_not_of(kBetween, end);
  }
  return of_ranges(std::move(ranges));
}

bool VnodeSet::contains(Vnode vnode) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), number(vnode),
      [](std::uint32_t wanted, const Range& range) { return wanted < range.first; });
  return after != ranges_.begin() && number(vnode) <= std::prev(after)->last;
}

std::uint64_t VnodeSet::size() const {
  std::uint64_t vnodes = 0;
  for (const Range& range : ranges_) vnodes += std::uint64_t{range.last} - range.first + 1;
  return vnodes;
}

std::string VnodeSet::to_text() const {
  std::string text;
  for (const Range& range : ranges_) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first);
    if (range.last > range.first) text += "-" + std::to_string(range.last);
  }
  return text;
}

VnodeSet VnodeSet::united(const VnodeSet& other) const {
  std::vector<Range> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return of_ranges(std::move(all));
}

VnodeSet VnodeSet::without(const VnodeSet& other) const {
  VnodeSet left;
  auto gap = other.ranges_.begin();
  for (const Range& range : ranges_) {
    std::uint64_t from = range.first;
    while (gap != other.ranges_.end() && gap->last < range.first) ++gap;
    for (auto each = gap; each != other.ranges_.end() && each->first <= range.last; ++each) {
      if (each->first > from)
        left.ranges_.push_back({static_cast<std::uint32_t>(from), each->first - 1});
      from = std::uint64_t{each->last} + 1;
    }
    if (from <= range.last) left.ranges_.push_back({static_cast<std::uint32_t>(from), range.last});
  }
  return left;
}

}  // namespace ring

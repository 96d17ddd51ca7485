#include "reshard/key_set.hpp"

#include <algorithm>
#include <cstring>

#include "reshard/rows.hpp"

namespace reshard {
namespace {

constexpr std::size_t kFirstBlockBytes = 1 << 10, kBlockBytes = 256 << 10;
constexpr std::size_t kFirstPlaces = 64;  ///< a power of two

}  // namespace

std::uint64_t KeySet::bytes() const {
  return block_bytes_ + keys_.capacity() * sizeof(std::string_view) +
         places_.capacity() * sizeof(std::uint32_t);
}

/// Where the key is, or would be. At least half of the places are free.
std::size_t KeySet::place(std::string_view key) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t at = std::hash<std::string_view>()(key) & mask;
  while (places_[at] != 0 && keys_[places_[at] - 1] != key) at = (at + 1) & mask;
  return at;
}

void KeySet::grow() {
  std::vector<std::uint32_t>(std::max(kFirstPlaces, places_.size() * 2)).swap(places_);
  for (std::size_t i = 0; i < keys_.size(); ++i)
    places_[place(keys_[i])] = static_cast<std::uint32_t>(i + 1);
}

std::string_view KeySet::kept(std::string_view key) {
  if (key.size() > room_) {
    room_ = std::max(std::clamp(block_bytes_, kFirstBlockBytes, kBlockBytes), key.size());
    blocks_.push_back(std::make_unique<char[]>(room_));
    block_bytes_ += room_;
    next_ = blocks_.back().get();
  }
  char* const at = next_;
  if (!key.empty()) std::memcpy(at, key.data(), key.size());
  next_ += key.size();
  room_ -= key.size();
  return {at, key.size()};
}

bool KeySet::insert(std::string_view key) {
  if (2 * (keys_.size() + 1) > places_.size()) grow();
  const std::size_t at = place(key);
  if (places_[at] != 0) return false;
  keys_.push_back(kept(key));
  places_[at] = static_cast<std::uint32_t>(keys_.size());
  return true;
}

std::vector<std::string> KeySet::first(std::uint64_t most) const {
  return {keys_.begin(),
          keys_.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(most, keys_.size()))};
}

void KeySet::each_part(
    const std::function<void(const std::vector<std::string>& part)>& sink) const {
  std::vector<std::string> part;
  std::size_t bytes = 0;
  for (const std::string_view key : keys_) {
    if (!part.empty() && (part.size() >= kKeysAtOnce || bytes + key.size() > kKeyBytesAtOnce)) {
      sink(part);
      part.clear();
      bytes = 0;
    }
    part.emplace_back(key);
    bytes += key.size();
  }
  if (!part.empty()) sink(part);
}

}  // namespace reshard

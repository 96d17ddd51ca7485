#include "router/serve/shard_set.hpp"

#include <algorithm>

namespace router {

/// A shard that is there already; null: none is. Between two rings of one configuration each is
/// found at its old place.
std::unique_ptr<backends::Shard> ShardSet::take(const ShardSpec& spec, std::size_t place) {
  const auto same = [&](const Held& held) {
    return held.shard != nullptr && held.spec.same_shard(spec);
  };
  if (place < shards_.size() && same(shards_[place])) return std::move(shards_[place].shard);
  const auto old = std::find_if(shards_.begin(), shards_.end(), same);
  return old == shards_.end() ? nullptr : std::move(old->shard);
}

std::vector<backends::Shard*> ShardSet::publish(const std::vector<ShardSpec>& specs) {
  std::vector<Held> kept;
  std::vector<backends::Shard*> result;
  for (const ShardSpec& spec : specs) {
    std::unique_ptr<backends::Shard> shard = take(spec, result.size());
    if (shard == nullptr) shard = factory_(spec, loop_);
    result.push_back(shard.get());
    kept.push_back({spec, std::move(shard)});
  }
  for (Held& held : shards_) {
    if (held.shard == nullptr) continue;
    held.shard->retire();
    retired_.push_back(std::move(held));
  }
  shards_ = std::move(kept);
  collect();
  return result;
}

void ShardSet::collect() {
  std::erase_if(retired_, [](const Held& held) { return held.shard->idle(); });
}

void ShardSet::retire_all() {
  for (const Held& held : shards_) held.shard->retire();
}

bool ShardSet::all_idle() const {
  const auto idle = [](const Held& held) { return held.shard->idle(); };
  return std::all_of(shards_.begin(), shards_.end(), idle) &&
         std::all_of(retired_.begin(), retired_.end(), idle);
}

}  // namespace router

#include "router/serve/shard_set.hpp"

#include <algorithm>

namespace router {

/// A shard that is there already, or a new one. Between two rings of one configuration each is
/// found at its old place.
ShardSet::Held ShardSet::take(const ShardSpec& spec, std::size_t place) {
  const auto same = [&](const Held& held) {
    return held.shard != nullptr && held.spec.same_shard(spec);
  };
  auto old = shards_.begin() + static_cast<std::ptrdiff_t>(std::min(place, shards_.size()));
  if (old == shards_.end() || !same(*old)) old = std::find_if(shards_.begin(), shards_.end(), same);
  Held taken{spec, nullptr, nullptr};
  if (old == shards_.end()) {
    taken.shard = factory_(spec, loop_, memory_);
    taken.turns = std::make_unique<ShardTurns>(turns_, taken.shard->places());
  } else {
    taken.shard = std::move(old->shard);
    taken.turns = std::move(old->turns);
  }
  return taken;
}

void ShardSet::publish(const std::vector<ShardSpec>& specs) {
  std::vector<Held> kept;
  for (const ShardSpec& spec : specs) kept.push_back(take(spec, kept.size()));
  for (Held& held : shards_) {
    if (held.shard == nullptr) continue;
    held.shard->retire();
    held.turns->retire();
    retired_.push_back(std::move(held));
  }
  shards_ = std::move(kept);
  collect();
}

void ShardSet::collect() {
  std::erase_if(retired_,
                [](const Held& held) { return held.shard->idle() && held.turns->waiting() == 0; });
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

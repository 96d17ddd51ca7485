// What a router does about a plan of resharding whose coordinator is silent: it reads the plan's
// row itself.
#include <algorithm>

#include "ring/generation_store.hpp"
#include "router/control/background.hpp"
#include "router/control/ring_control.hpp"
#include "router/control/stores.hpp"
#include "router/log/log.hpp"

namespace router {

/// The database that a pnode's rows are in; without a URL nobody can be asked.
PlanQuestion RingControl::question(const PendingRing& ring, const std::string& pnode) const {
  const std::string token = Holder::parse(ring.token).token;
  for (const config::Shard& shard : config_->shards)
    if (shard.pnode == pnode && shard.backend == config::Backend::postgres)
      return {shard.url, ring.plan, token, ring.digest};
  return {"", ring.plan, token, ring.digest};
}

/// Before anybody is served: the plan may have been decided while this router was down, and reads
/// by the old ring would go back in time. Until its database answers, its vnodes are not served.
void RingControl::read_left_pending(const std::string& record) {
  auto left = PendingRing::parse(record);
  if (left && left->generation == base_.ring.generation && left->digest == ring().digest()) {
    if (!left->of_plan()) return tidy_store(left->digest);  // the record was left by a crash
    machine_.found_in_force(*std::move(left));
    return settle();
  }
  log_.warn("a ring was prepared and neither activated nor abandoned; it is not in force",
            {{"pending", record}});
  update_status([&](ControlStatus& status) { status.left_pending = record; });
  if (!left) return;
  machine_.found(*std::move(left));
  settle();
}

void RingControl::ask_row(const PendingRing& ring) {
  const auto asked = lease_clock();
  if (!started_)
    return machine_.plan_said(ring, read_plan_standing(question(ring, ring.from)), asked,
                              lease_clock());
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>(log_);
  reader_->ask(question(ring, ring.from), [this, ring, asked](PlanStanding standing) {
    thread_.post([this, ring, asked, standing] {
      machine_.plan_said(ring, standing, asked, lease_clock());
      settle();
    });
  });
}

void RingControl::ask_target(const PendingRing& ring) {
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>(log_);
  reader_->ask_open(question(ring, ring.to), [this, ring](bool open) {
    thread_.post([this, ring, open] {
      machine_.target_said(ring, open, lease_clock());
      settle();
    });
  });
}

/// The commit can't be taken back: the next ring comes into force.
RingControl::Work RingControl::decided_work(const PendingRing& ring) {
  return [this, ring, now = config()]() -> Finish {
    const ring::GenerationStore rings = store_of(*now, "activate", elsewhere_);
    const auto generation = rings.find(ring.generation);
    if (!generation || generation->digest != ring.digest)
      throw Refusal("failed", "it is committed, and its ring, generation " +
                                  std::to_string(ring.generation) + ", is not in the store");
    const auto prepared = std::make_shared<Prepared>();
    in_background([&] {
      *prepared =
          prepare(*now, {rings.load(*generation).ring, generation->number}, *sources_, log_);
    });
    return [this, ring, now, generation, prepared] {
      if (auto refusal = machine_.commit(prepared->ring.ring->vnode_count(), ring.digest))
        throw *std::move(refusal);
      run([this, ring, now, generation, prepared]() -> Finish {
        store_of(*now, "activate", elsewhere_).activate(*generation);
        return [this, ring, prepared] {
          staged_.reset();
          update_status([](ControlStatus& status) {
            status.prepared.reset();
            status.left_pending.clear();
          });
          put_in_force(std::move(*prepared), ring.vnodes.size(), [](const auto&) {});
        };
      });
    };
  };
}

}  // namespace router

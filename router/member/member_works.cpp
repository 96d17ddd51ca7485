// What a member does to its disk and its ring, one thing at a time.
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

#include "fleet/protocol/overloaded.hpp"
#include "router/control/checks.hpp"
#include "router/log/log.hpp"
#include "router/member/fleet_member.hpp"

namespace router {
namespace {

/// What is told of a ring that was to be staged can't be mended by trying again, but for these.
bool passes(const Refusal& refusal) {
  return refusal.code == "not_acknowledged" || refusal.code == "busy" || refusal.code == "prepared";
}

}  // namespace

void FleetMember::carry_out(const fleet::Work& work, Done done) {
  try {
    begin_work(work, done);
  } catch (const std::exception& error) {
    end_work(done, error.what(), false);
  }
}

void FleetMember::begin_work(const fleet::Work& work, const Done& done) {
  namespace works = fleet::work;
  std::visit(fleet::Overloaded{
                 [&](const works::KeepMembership& asked) {
                   kept(done, [&] { file_.keep(asked.membership); });
                 },
                 [&](const works::DropMembership&) {
                   kept(done, [&] { file_.keep(std::optional<fleet::Membership>()); });
                 },
                 [&](const works::KeepRecord& asked) { keep_record(asked.record, done); },
                 [&](const works::DropRecord&) { drop_record(done); },
                 [&](const works::KeepBlocks& asked) { keep_blocks(asked.blocks, done); },
                 [&](const works::Stage& asked) { stage(asked.change, done); },
                 [&](const works::Activate& asked) {
                   put_in_force(asked.ring, {asked.ring.generation, asked.ring.digest, {}}, done);
                 },
                 [&](const works::Take& asked) {
                   put_in_force(asked.ring, {asked.ring.generation, asked.ring.digest, {}}, done);
                 }},
             work);
}

/// Never from inside of what was asked.
void FleetMember::end_work(const Done& done, const std::string& failure, bool for_good) {
  if (!failure.empty() && failure != work_problem_)
    log_.warn("what the fleet asks of this router can't be done", {{"reason", failure}});
  work_problem_ = failure;
  boost::asio::post(thread_.loop(), [done, failure, for_good] { done(failure, for_good); });
}

void FleetMember::kept(const Done& done, const std::function<void()>& keep) {
  try {
    keep();
  } catch (const std::exception& error) {
    return end_work(done, error.what(), false);
  }
  end_work(done, "", false);
}

template <typename Result>
router::Done<Result> FleetMember::on_thread(std::function<void(router::Outcome<Result>)> then) {
  return [loop = thread_.shared_loop(), then = std::move(then)](router::Outcome<Result> outcome) {
    boost::asio::post(*loop, [then, outcome = std::move(outcome)] { then(outcome); });
  };
}
template router::Done<Published> FleetMember::on_thread(
    std::function<void(router::Outcome<Published>)> then);
template router::Done<BlockReport> FleetMember::on_thread(
    std::function<void(router::Outcome<BlockReport>)> then);

/// A record that says *leased* is answered to the fleet: by then every worker refuses the vnodes
/// after the lease's end, which begins before the disk and the workers are asked. The workers hear
/// of it while the disk writes, which keeps this thread.
void FleetMember::keep_record(const fleet::Record& record, const Done& done) {
  const bool of_staged = staged_ && staged_->token == record.token;
  const ring::VnodeSet vnodes = of_staged ? staged_->vnodes : file_.record_vnodes();
  const std::chrono::nanoseconds until = lease_clock() + record.lease;
  const bool leases = record.kind != fleet::Kind::block &&
                      record.phase == fleet::Record::Phase::leased && !vnodes.empty();
  if (!leases) return kept(done, [&] { file_.keep(record, vnodes); });
  leasing_ = FleetGate{{}, {}, vnodes, until};
  gate_ = serves_ ? gate_of(agent_->member(), lease_clock()) : shut_gate();
  const auto failure = std::make_shared<std::string>();
  control_.fleet_serve(*gate_, on_thread<Published>([this, done, failure](const auto& outcome) {
    leasing_.reset();
    const auto* refusal = std::get_if<Refusal>(&outcome);
    work_problem_ = refusal != nullptr ? refusal->what() : *failure;
    done(work_problem_, false);
  }));
  try {
    file_.keep(record, vnodes);
  } catch (const std::exception& error) {
    *failure = error.what();
  }
}

/// The ring that did not come into force is not kept for a rollback. Which vnodes the record is
/// about is known as long as the member goes by it.
void FleetMember::drop_record(const Done& done) {
  if (file_.record()) file_.keep(std::optional<fleet::Record>(), {});
  const auto dropped = [this, done] {
    staged_.reset();
    work_problem_.clear();
    done("", false);
  };
  const fleet::RingName staged = staged_ ? staged_->ring : fleet::RingName();
  if (staged.digest.empty() || staged == agent_->member().ring())
    return boost::asio::post(thread_.loop(), dropped);
  control_.fleet_withdraw(staged.generation, staged.digest,
                          on_thread<RingChange>([this, dropped](const auto& outcome) {
                            const auto* refusal = std::get_if<Refusal>(&outcome);
                            if (refusal != nullptr)
                              log_.warn("a ring that did not come into force stays in the store",
                                        {{"reason", refusal->what()}});
                            dropped();
                          }));
}

void FleetMember::keep_blocks(fleet::Blocks blocks, const Done& done) {
  fetch_sets(std::make_shared<std::map<std::string, ring::VnodeSet>>(), std::move(blocks), done);
}

/// One that is missing after the other.
void FleetMember::fetch_sets(std::shared_ptr<std::map<std::string, ring::VnodeSet>> sets,
                             const fleet::Blocks& blocks, const Done& done) {
  for (const fleet::Block& block : blocks) {
    if (sets->contains(block.vnodes)) continue;
    if (const auto known = file_.sets().find(block.vnodes); known != file_.sets().end()) {
      (*sets)[block.vnodes] = known->second;
      continue;
    }
    return images_.fetch(block.vnodes,
                         [this, sets, blocks, done](const std::optional<fleet::Image>& image,
                                                    const std::string& why, bool for_good) {
                           if (!image) return end_work(done, why, for_good);
                           try {
                             (*sets)[image->digest] = fleet::vnodes_from(*image, geometry_);
                           } catch (const std::exception& error) {
                             return end_work(done, error.what(), true);
                           }
                           fetch_sets(sets, blocks, done);
                         });
  }
  kept(done, [&] { file_.keep(blocks, *sets, agent_->member().highest_seq()); });
}

void FleetMember::stage(const fleet::Change& change, const Done& done) {
  if (change.kind == fleet::Kind::block) return stage_set(change, done);
  if (change.plan) try {
      for (const std::string& pnode : {change.plan->from, change.plan->to})
        require_database(*control_.config(), pnode);
    } catch (const Refusal& refusal) {
      return end_work(done, refusal.what(), true);
    }
  stage_ring(change, {change.next.generation, change.next.digest, {}}, done);
}

void FleetMember::stage_ring(const fleet::Change& change, FleetRing ring, const Done& done) {
  const bool from_image = static_cast<bool>(ring.make);
  const auto told = [this, change, from_image, done](const auto& outcome) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      if (refusal->code == "not_here" && !from_image)
        return make_from_image(change.next, done, [this, change, done](FleetRing made) {
          stage_ring(change, std::move(made), done);
        });
      return end_work(done, refusal->what(), !passes(*refusal));
    }
    const auto& staged = std::get<FleetStaged>(outcome);
    // A member in doubt may have an older ring than that which the change was made from.
    const bool from_base = change.base == agent_->member().ring();
    staged_ = Staged{change.token, change.next, from_base ? staged.changed : all_vnodes()};
    if (staged.moves && !change.drains)
      return end_work(done, "the change moves vnodes, and does not drain them", true);
    end_work(done, "", false);
  };
  control_.fleet_stage(std::move(ring), on_thread<FleetStaged>(told));
}

void FleetMember::stage_set(const fleet::Change& change, const Done& done) {
  images_.fetch(change.vnodes, [this, change, done](const std::optional<fleet::Image>& image,
                                                    const std::string& why, bool for_good) {
    if (!image) return end_work(done, why, for_good);
    try {
      staged_ = Staged{change.token, {}, fleet::vnodes_from(*image, geometry_)};
    } catch (const std::exception& error) {
      return end_work(done, error.what(), true);
    }
    end_work(done, "", false);
  });
}

/// Beside what the control does, and told on this thread.
fleet::MakeRing FleetMember::make_aside() {
  return [this](fleet::Image image, std::shared_ptr<const ring::Ring> base,
                const fleet::Geometry& geometry, const fleet::RingMade& made) {
    control_.aside([loop = thread_.shared_loop(), image = std::move(image), base = std::move(base),
                    geometry, made] {
      std::shared_ptr<const ring::Ring> ring;
      std::string why;
      try {
        ring = fleet::ring_of(image, base.get(), geometry);
      } catch (const std::exception& error) {
        why = error.what();
      }
      boost::asio::post(*loop, [made, ring, why] { made(ring, why); });
    });
  };
}

/// The one in force, and those of the store.
OwnRing FleetMember::own_rings() {
  return [this](const std::string& digest, const fleet::RingMade& told) {
    using Ring = std::shared_ptr<const ring::Ring>;
    control_.ring_of(digest, on_thread<Ring>([told](const router::Outcome<Ring>& outcome) {
                       if (const auto* refusal = std::get_if<Refusal>(&outcome))
                         return told(nullptr, refusal->what());
                       told(std::get<Ring>(outcome), "");
                     }));
  };
}

void FleetMember::make_from_image(const fleet::RingName& name, const Done& done,
                                  std::function<void(FleetRing)> use) {
  rings_.fetch(name.digest, geometry_,
               [this, name, done, use = std::move(use)](const RingFetch::Fetched& fetched) {
                 if (fetched.ring == nullptr) return end_work(done, fetched.why, fetched.for_good);
                 use({name.generation, name.digest, [ring = fetched.ring] { return ring; }});
               });
}

void FleetMember::put_in_force(const fleet::RingName& name, FleetRing ring, const Done& done) {
  const bool from_image = static_cast<bool>(ring.make);
  control_.fleet_activate(
      std::move(ring), on_thread<RingChange>([this, name, from_image, done](const auto& outcome) {
        const auto* refusal = std::get_if<Refusal>(&outcome);
        if (refusal == nullptr) return end_work(done, "", false);
        if (refusal->code == "not_here" && !from_image)
          return make_from_image(name, done, [this, name, done](FleetRing made) {
            put_in_force(name, std::move(made), done);
          });
        end_work(done, refusal->what(), false);
      }));
}

}  // namespace router

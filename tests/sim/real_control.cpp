#include "tests/sim/real_control.hpp"

#include <utility>

#include "router/control/plan_standing.hpp"

namespace sim {
namespace {

std::chrono::nanoseconds at(long tick) { return tick * RealControl::kTick; }

ring::VnodeSet set_of(Vnodes vnodes) {
  std::vector<ring::VnodeSet::Range> ranges;
  for (std::uint32_t vnode = 0; vnode < kVnodes; ++vnode)
    if (has(vnodes, static_cast<int>(vnode))) ranges.push_back({vnode, vnode});
  return ring::VnodeSet::of_ranges(std::move(ranges));
}

Vnodes bits_of(const ring::VnodeSet& set) {
  Vnodes vnodes = 0;
  set.each([&](ring::Vnode vnode) { vnodes |= only(static_cast<int>(number(vnode))); });
  return vnodes;
}

/// As reshard's schema spells them.
std::string name_of(State state) {
  switch (state) {
    case State::preparing: return "preparing";
    case State::capturing: return "capturing";
    case State::fenced: return "fenced";
    case State::committed: return "committed";
    case State::cleaning: return "cleaning";
    case State::done: return "done";
    case State::aborted: return "aborted";
    case State::guarded: return "guarded";
  }
  return "";
}

}  // namespace

std::string holder_of(PlanId plan, int epoch) {
  return std::to_string(plan) + "/" + std::to_string(epoch);
}

RealControl::RealControl(Router& router, long lease, long now)
    : router_(router), lease_(lease), prepared_(router.pending), activated_(router.opening) {
  machine_.in_force(facts());
  if (activated_.plan != 0) machine_.found_in_force(record(activated_));
  if (prepared_.plan != 0) machine_.found(record(prepared_));
  settle(now);
}

router::PendingRing RealControl::record(const Pending& pending) const {
  return {2,
          std::to_string(pending.next.digest()),
          std::to_string(pending.plan),
          holder_of(pending.plan, pending.epoch),
          std::to_string(pending.from),
          std::to_string(pending.to),
          set_of(pending.vnodes),
          std::chrono::duration_cast<std::chrono::milliseconds>(at(lease_))};
}

router::RingFacts RealControl::facts() const {
  return {std::to_string(router_.ring.digest()), 1, kVnodes};
}

/// A change of somebody who is told: whether it may be done.
bool RealControl::begins(Change change, long now) {
  if (machine_.waiting() > 0) return false;  // after one that waits for the target
  begun_ = false;
  called_ = true;
  machine_.submit(std::move(change), at(now));
  settle(now);
  called_ = false;
  return begun_;
}

bool RealControl::begins_prepare(const std::string& holder, long now) {
  return begins({1, Change::Kind::prepare, "it", holder, ""}, now);
}

void RealControl::staged(const Pending& next, long now) {
  prepared_ = next;
  machine_.ended(record(next), at(now));
  settle(now);
}

void RealControl::failed(long now) {
  machine_.ended(at(now));
  settle(now);
}

bool RealControl::activate(const std::string& holder, std::uint32_t digest, long now) {
  return begins({1, Change::Kind::activate, "it", holder, std::to_string(digest)}, now);
}

void RealControl::abandon(const std::string& holder, long now) {
  static_cast<void>(begins({1, Change::Kind::abandon, "it", holder, ""}, now));
}

bool RealControl::edit(const Ring& next, long now) {
  if (!begins({1, Change::Kind::edit, "it", "", ""}, now)) return false;
  router_.ring = next;
  machine_.ended(facts(), at(now));
  settle(now);
  return true;
}

bool RealControl::block(Vnodes vnodes, const std::string& holder, long now) {
  const auto refusal = machine_.block(set_of(vnodes), router::GateMode::hold, holder, at(now));
  settle(now);
  return !refusal;
}

void RealControl::unblock(Vnodes vnodes) {
  static_cast<void>(machine_.unblock(set_of(vnodes)));
  show();
}

void RealControl::tick(long now) {
  machine_.tick(at(now));
  settle(now);
}

void RealControl::row_said(const PlanRow* row, bool answered, long now) {
  const Question question = *std::exchange(row_, std::nullopt);
  router::PlanRow read{answered, row != nullptr, "", false, std::nullopt};
  if (row != nullptr) {
    read.state = name_of(row->state);
    read.decided = row->decided;
    if (row->next != 0) read.ring_digest = std::to_string(row->next);
  }
  machine_.plan_said(question.about, router::standing_of(read, question.about.digest),
                     at(question.asked), at(now));
  settle(now);
}

void RealControl::target_said(bool open, long now) {
  const Question question = *std::exchange(target_, std::nullopt);
  machine_.target_said(question.about, open, at(now));
  settle(now);
}

void RealControl::settle(long now) {
  for (auto asks = machine_.take(); !asks.empty(); asks = machine_.take())
    for (const router::Ask& each : asks) {
      if (const auto* begin = std::get_if<router::ask::Begin>(&each)) carry_out(begin->change, now);
      if (std::holds_alternative<router::ask::Unchanged>(each)) begun_ = true;
      if (const auto* row = std::get_if<router::ask::Row>(&each)) row_ = Question{row->ring, now};
      if (const auto* target = std::get_if<router::ask::Target>(&each))
        target_ = Question{target->ring, now};
    }
  show();
}

void RealControl::carry_out(const Change& change, long now) {
  if (change.id != 0) begun_ = true;
  switch (change.kind) {
    case Change::Kind::activate:
    case Change::Kind::decided:
      activated_ = prepared_;
      router_.ring = prepared_.next;
      return machine_.ended(facts(), at(now));
    case Change::Kind::abandon:
    case Change::Kind::ended: return machine_.ended_withdrawn(at(now));
    default:
      if (!called_) machine_.ended(at(now));  // it has waited, and nobody listens any more
      return;                                 // else the caller says how it has ended
  }
}

void RealControl::show() {
  if (machine_.pending().ring() == nullptr) prepared_ = {};
  router_.pending = prepared_;
  router_.staged = machine_.pending().staged();
  router_.blocked = bits_of(machine_.gate()->held.united(machine_.gate()->refused));
  router_.opening = machine_.awaits_target() ? activated_ : Pending{};
  router_.leased = machine_.serving().has_value();
  // Over when the clock is there, as the model has it: beyond.
  if (router_.leased)
    router_.lease_until = (machine_.serving()->until - std::chrono::nanoseconds(1)) / kTick;
}

}  // namespace sim

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "router/control/machine.hpp"
#include "tests/support/choices.hpp"

namespace router {

/// Drives a machine by choices, as its owner would, and keeps its own account of what may be so.
class MachineRun {
  static constexpr int kEvents = 60;
  static constexpr std::uint32_t kVnodes = 16;
  static constexpr std::chrono::milliseconds kLongestLease{3100};
  using milliseconds = std::chrono::milliseconds;
  using nanoseconds = std::chrono::nanoseconds;

 public:
  explicit MachineRun(Choices choices) : choices_(choices) {
    machine_.in_force({"d0", 1, kVnodes});
    if (one_of(4) == 0) {
      const PendingRing left = ring(one_of(3) != 0);
      machine_.found(left);
      if (left.of_plan()) promised_ = now_;  // not served yet
    }
    settle();
  }

  void run() {
    for (int i = 0; i < kEvents && wrong_.empty() && choices_.more(); ++i) {
      event();
      settle();
      judge();
    }
    // Whatever was asked for is answered in the end.
    for (int i = 0; i < 400 && (machine_.busy() || machine_.waiting() > 0); ++i) {
      finish();
      if (target_) machine_.target_said(*std::exchange(target_, std::nullopt), false, now_);
      settle();
    }
    if (!told_.empty() && wrong_.empty())
      fail("a change was never told: " + std::to_string(*told_.begin()));
  }

  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  std::uint32_t one_of(std::uint32_t count) { return choices_.one_of(count); }
  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  ring::VnodeSet some() {
    const std::uint32_t first = one_of(kVnodes), last = first + one_of(kVnodes - first);
    return ring::VnodeSet::of_ranges({{first, last}});
  }
  std::string holder() {
    return std::string(1, "ab"[one_of(2)]) + "/" + std::to_string(1 + one_of(3));
  }
  PendingRing ring(bool of_plan) {
    const std::uint64_t generation = 2 + one_of(5);
    const std::string token = holder();
    return {generation, "d" + std::to_string(generation), token.substr(0, 1),
            token,      of_plan ? "tcp://1" : "",         "tcp://2",
            some(),     milliseconds(100 + one_of(3000))};
  }

  void event() {
    if (one_of(2) == 0) now_ += milliseconds(one_of(one_of(8) == 0 ? 5000 : 200));
    switch (one_of(12)) {
      case 0: return submit(static_cast<Change::Kind>(one_of(3)));
      case 1:
      case 2: return submit(one_of(4) == 0 ? Change::Kind::rehearse : Change::Kind::prepare);
      case 3: return submit(Change::Kind::activate);
      case 4: return submit(Change::Kind::abandon);
      case 5: return block();
      case 6: {
        const bool all = one_of(2) == 0;
        const ring::VnodeSet opened = machine_.unblock(all ? std::nullopt : std::optional(some()));
        held_under_lease_ = held_under_lease_.without(opened);
        return;
      }
      case 7: return renew();
      case 8: return answer();
      case 9:
        if (target_)
          machine_.target_said(*std::exchange(target_, std::nullopt), one_of(2) == 0, now_);
        return;
      case 10: return finish();
      default:
        machine_.tick(now_);
        ticked_ = now_;
        return;
    }
  }

  void submit(Change::Kind kind) {
    const std::uint64_t id = next_++;
    told_.insert(id);
    const PendingRing* pending = machine_.pending().ring();
    const bool own = pending != nullptr && one_of(2) == 0;
    machine_.submit({id, kind, "it", own ? pending->token : holder(),
                     one_of(3) == 0 ? machine_.ring().digest : ""},
                    now_);
  }
  void block() {
    const PendingRing* pending = machine_.pending().ring();
    const std::string lease = one_of(2) == 0 ? "" : pending != nullptr ? pending->token : holder();
    const auto vnodes = some();
    const auto mode = one_of(2) == 0 ? GateMode::hold : GateMode::refuse;
    const bool runs = machine_.pending().lease_runs(now_);
    if (machine_.block(vnodes, mode, lease, now_)) return;
    if (!lease.empty() && !runs) fail("a block under a lease that does not run");
    const bool under_lease = !lease.empty() && mode == GateMode::hold;
    held_under_lease_ =
        under_lease ? held_under_lease_.united(vnodes) : held_under_lease_.without(vnodes);
    vnodes.each([&](ring::Vnode vnode) {
      if (machine_.gate()->mode(vnode) != mode) fail("a vnode is not blocked as it was told");
    });
  }
  void renew() {
    const PendingRing* pending = machine_.pending().ring();
    if (pending == nullptr) return;
    const bool runs = machine_.pending().lease_runs(now_);
    const auto lease = milliseconds(100 + one_of(2000));
    const auto refusal = machine_.renew(pending->token, lease, now_);
    if (!refusal && !runs) fail("a lease that had run out was renewed");
    if (refusal) return;
    promised_ = now_ + lease;
    lease_end_ = std::max(lease_end_, promised_);
  }
  void answer() {
    if (!row_) return;
    const auto [about, asked] = *std::exchange(row_, std::nullopt);
    const auto standing = static_cast<PlanStanding>(one_of(8));
    const PendingRing* pending = machine_.pending().ring();
    if (pending != nullptr && *pending == about &&
        (standing == PlanStanding::open || standing == PlanStanding::fenced))
      promised_ = std::max(promised_, asked + about.lease);
    machine_.plan_said(about, standing, asked, now_);
  }

  /// The files' work of the change that goes on has ended, in one way or another.
  void finish() {
    if (!machine_.busy()) return;
    const Change change = under_way_;
    told_.erase(change.id);
    if (one_of(4) == 0) return machine_.ended(now_);
    switch (change.kind) {
      case Change::Kind::rehearse:
      case Change::Kind::fleet: return machine_.ended(now_);
      case Change::Kind::prepare: {
        PendingRing staged = ring(one_of(4) != 0);
        staged.token = change.holder;
        promised_ = now_ + staged.lease;
        lease_end_ = std::max(lease_end_, promised_);
        expired_ = false;
        return machine_.ended(staged, now_);
      }
      case Change::Kind::abandon:
      case Change::Kind::ended: forget_hand(); return machine_.ended_withdrawn(now_);
      case Change::Kind::reload:
      case Change::Kind::edit:
      case Change::Kind::rollback: {
        const std::uint32_t vnodes =
            change.kind == Change::Kind::edit || one_of(2) == 0 ? kVnodes : kVnodes + 1;
        const std::string digest =
            one_of(3) == 0 ? machine_.ring().digest : "e" + std::to_string(change.id);
        if (const auto refusal = machine_.commit(vnodes, digest)) {
          const bool awaits = change.kind == Change::Kind::reload && machine_.awaits_target();
          if (!awaits && !machine_.gate()->any()) fail("a ring was refused for no reason");
          return machine_.ended(now_);
        }
        if (machine_.gate()->any() && vnodes != machine_.ring().vnodes)
          fail("blocked vnodes of another ring");
        if (machine_.awaits_target() && digest != machine_.ring().digest)
          fail("another ring before the target takes writes");
        return machine_.ended(RingFacts{digest, 9, vnodes}, now_);
      }
      case Change::Kind::activate:
      case Change::Kind::decided: {
        const PendingRing ring = *machine_.pending().ring();
        forget_hand();
        return machine_.ended(RingFacts{ring.digest, ring.generation, machine_.ring().vnodes},
                              now_);
      }
    }
  }

  /// What a person held under a lease stays so when that ends with its ring.
  void forget_hand() {
    const PendingRing* pending = machine_.pending().ring();
    if (pending != nullptr && !pending->of_plan()) held_under_lease_ = {};
  }

  void settle() {
    for (auto asks = machine_.take(); !asks.empty(); asks = machine_.take())
      for (const Ask& each : asks) {
        if (const auto* begins = std::get_if<ask::Begin>(&each)) begin(begins->change);
        if (const auto* refused = std::get_if<ask::Refuse>(&each)) tell(refused->change);
        if (const auto* unchanged = std::get_if<ask::Unchanged>(&each)) tell(unchanged->change);
        if (const auto* row = std::get_if<ask::Row>(&each)) {
          if (row_) fail("two questions about a plan's row at once");
          row_.emplace(row->ring, now_);
        }
        if (const auto* target = std::get_if<ask::Target>(&each)) {
          if (target_) fail("two questions about a target at once");
          target_ = target->ring;
        }
        if (std::holds_alternative<ask::LeaseExpired>(each)) {
          if (std::exchange(expired_, true)) fail("a lease's end was told twice");
          if (machine_.pending().lease_runs(now_)) fail("the end of a lease that runs was told");
        }
      }
  }
  void tell(const Change& change) {
    if (told_.erase(change.id) == 0) fail("a change was told twice");
  }
  void begin(const Change& change) {
    under_way_ = change;
    const PendingRing* pending = machine_.pending().ring();
    const bool edits = change.kind == Change::Kind::reload || change.kind == Change::Kind::edit ||
                       change.kind == Change::Kind::rollback;
    if (edits && pending != nullptr && pending->of_plan()) fail("an edit beside a plan's ring");
    if (edits && machine_.pending().lease_runs(now_)) fail("an edit beside a running lease");
    if (edits && change.kind != Change::Kind::reload && machine_.awaits_target())
      fail("an edit before the target takes writes");
    if (change.kind == Change::Kind::activate &&
        (pending == nullptr || pending->token != change.holder))
      fail("an activation by another than the holder");
    const bool by_row = change.kind == Change::Kind::decided || change.kind == Change::Kind::ended;
    if (by_row && machine_.pending().lease_runs(now_))
      fail("a row was followed beside a coordinator");
    if (change.id == 0 && !by_row) fail("a change of nobody's");
  }

  /// After each event.
  void judge() {
    const Gate& gate = *machine_.gate();
    if (!gate.held.common(gate.refused).empty()) fail("a vnode is held and refused");
    const PendingRing* pending = machine_.pending().ring();
    const auto& serving = machine_.serving();
    const bool leased = pending != nullptr && pending->of_plan() && !pending->vnodes.empty() &&
                        pending->vnodes.ranges().back().last < machine_.ring().vnodes;
    if (leased != serving.has_value())
      fail("served under a lease, or not, against the plan's ring");
    if (serving && serving->vnodes != pending->vnodes) fail("other vnodes are under the lease");
    if (serving && serving->until > promised_) fail("served for longer than anybody has promised");
    if (machine_.pending().staged() && !expired_ && !machine_.wake())
      fail("nobody will see the lease end");
    if (machine_.pending().staged() && ticked_ == now_ && !machine_.pending().lease_runs(now_) &&
        !expired_)
      fail("a lease has run out, and nobody was told");
    // A coordinator that lives unblocks by then, whatever other routers do.
    if (ticked_ == now_ && now_ >= lease_end_ + kLongestLease + milliseconds(1000) &&
        !gate.held.common(held_under_lease_).empty())
      fail("writes are held for a coordinator that is silent for too long");
    ticked_.reset();
  }

  Choices choices_;
  Machine machine_;
  nanoseconds now_ = milliseconds(1000);
  nanoseconds lease_end_{};            // the latest of all leases
  ring::VnodeSet held_under_lease_;    // as far as nobody has unblocked them
  nanoseconds promised_{};             // until when vnodes of the plan may be served
  std::optional<nanoseconds> ticked_;  // by the last event
  bool expired_ = false;               // of this lease, and told
  std::uint64_t next_ = 1;
  std::set<std::uint64_t> told_;  // changes that are still to be told
  Change under_way_;
  std::optional<std::pair<PendingRing, nanoseconds>> row_;
  std::optional<PendingRing> target_;
  std::string wrong_;
};

}  // namespace router

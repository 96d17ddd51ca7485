// What a member goes by, made what this router serves.
#include "router/member/fleet_member.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>

#include "fleet/protocol/text.hpp"
#include "router/log/log.hpp"
#include "router/member/version.hpp"

namespace router {
namespace {

constexpr std::chrono::milliseconds kAgain{1'000};
constexpr int kCloseWithinMs = 3'000;  // not all members at once

/// Where other members find the status port; empty: where clients are served.
std::string http_host(const config::Config& config) {
  const std::string& host = config.status.host;
  return host == "0.0.0.0" || host == "::" ? "" : host;
}

fleet::MemberOptions options_of(const config::Config& all, const std::string& id,
                                const std::string& address, std::uint16_t status_port,
                                bool unclean) {
  const config::Fleet& config = all.fleet;
  fleet::MemberOptions options;
  options.id = id;
  options.incarnation = new_token();
  options.entry.address = address;
  options.entry.http_port = status_port;
  options.entry.http_host = http_host(all);
  options.entry.version = program_version();
  options.entry.speaks = fleet::kVersions;
  options.entry.hold = std::chrono::milliseconds(all.timeouts.hold_ms);
  options.session = std::chrono::milliseconds(config.session_ms);
  options.start_wait = std::chrono::milliseconds(config.start_wait_ms);
  options.start_waits = config.start_waits;
  options.grace = unclean ? kWriteGrace : std::chrono::milliseconds(0);
  return options;
}

fleet::OnDisk found(const MemberFile& file, const Snapshot& snapshot) {
  return {file.membership(),
          file.record(),
          file.blocks(),
          {snapshot.generation, snapshot.ring->digest()}};
}

/// Of a store that was made anew, with another number of vnodes, beside an older member's file.
void require_geometry(const MemberFile& file, const fleet::Geometry& geometry) {
  const auto fits = [&](const ring::VnodeSet& set) {
    return set.empty() || set.ranges().back().last < geometry.vnodes;
  };
  bool all = fits(file.record_vnodes());
  for (const auto& [digest, set] : file.sets()) all = all && fits(set);
  if (!all)
    throw std::runtime_error(
        "the member file in the store of rings is of a ring with more vnodes than this one; "
        "without it this router joins its fleet anew");
}

/// Writes that may be done yet.
std::uint64_t lost_lately(const BlockReport& report) {
  const auto now = std::chrono::steady_clock::now();
  return static_cast<std::uint64_t>(
      std::count_if(report.indeterminate.begin(), report.indeterminate.end(),
                    [&](const IndeterminateWrite& lost) { return now - lost.lost < kWriteGrace; }));
}

}  // namespace

FleetMember::FleetMember(const config::Config& config, RingControl& control, std::string address,
                         std::uint16_t status_port, Told told, Log& log)
    : settings_(fleet_settings(config)), control_(control), told_(std::move(told)), log_(log),
      thread_("fleet", log), file_(config.ring_location),
      geometry_(fleet::geometry_of(*control.publisher().current()->snapshot->ring)),
      started_(lease_clock()), images_(settings_.paths),
      rings_(thread_.loop(), settings_, make_aside(), own_rings(), log),
      roster_(
          thread_.loop(), settings_.paths, config.ring_location,
          [this] { return agent_->member().follows(); }, log),
      drain_timer_(thread_.loop()), close_timer_(thread_.loop()), serve_timer_(thread_.loop()) {
  const auto in_force = control.publisher().current();
  require_geometry(file_, geometry_);
  agent_ = std::make_unique<fleet::MemberAgent>(
      thread_.loop(), sessions_of(settings_, thread_.loop()), settings_.paths,
      options_of(config, settings_.id, address, status_port, file_.ended_uncleanly()),
      found(file_, *in_force->snapshot), static_cast<fleet::MemberHost&>(*this), lease_clock);
  status_.fleet = settings_.name;
  status_.member = settings_.id;
  if (file_.record())
    staged_ = Staged{file_.record()->token, file_.record()->next, file_.record_vnodes()};
}

FleetMember::~FleetMember() { thread_.stop(); }

void FleetMember::start() {
  thread_.post([this] { agent_->start(); });
  thread_.start();
}

void FleetMember::shut(std::function<void()> done) {
  thread_.post([this, done = std::move(done)] {
    shut_ = true;
    gate_ = shut_gate();
    control_.fleet_serve(*gate_, on_thread<Published>([done](const auto&) { done(); }));
  });
}

void FleetMember::leave() {
  thread_.post([this] { agent_->leave(); });
}

/// What the process before this one has left under way is over after the grace, and not before.
void FleetMember::ends_cleanly() {
  if (!file_.ended_uncleanly() || lease_clock() >= started_ + kWriteGrace) file_.ends_cleanly();
}

FleetStatus FleetMember::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void FleetMember::tell(const std::string& problem) {
  service_problem_ = problem;
  problem_seen_at_ = agent_->member().seen_at();
  log_.warn("a problem with the fleet's service", {{"reason", problem}});
}

// What is served.

ring::VnodeSet FleetMember::all_vnodes() const {
  return ring::VnodeSet::of_ranges({{0, geometry_.vnodes - 1}});
}

/// Nothing is sent, though requests have been read from clients: the fleet does not wait for this
/// router.
FleetGate FleetMember::shut_gate() const { return {{}, all_vnodes(), all_vnodes(), {}}; }

/// Where nobody knows which vnodes it is about, it is about all.
ring::VnodeSet FleetMember::vnodes_of(const fleet::Member& member) const {
  const auto& view = member.view();
  std::string token;
  if (member.in_doubt() && view && view->state.change)
    token = view->state.change->token;
  else if (member.record())
    token = member.record()->token;
  return staged_ && staged_->token == token ? staged_->vnodes : all_vnodes();
}

FleetGate FleetMember::gate_of(const fleet::Member& member, std::chrono::nanoseconds now) const {
  FleetGate gate;
  for (const fleet::Block& block : member.blocks()) {
    const auto set = file_.sets().find(block.vnodes);
    if (set == file_.sets().end()) continue;  // they are kept together
    auto& side = block.waits ? gate.held : gate.refused;
    side = side.united(set->second);
  }
  const fleet::Door door = member.door(now);
  if (door != fleet::Door{} || leasing_) {
    const ring::VnodeSet vnodes = vnodes_of(member);
    if (door.writes == fleet::Door::Writes::wait) gate.held = gate.held.united(vnodes);
    if (door.writes == fleet::Door::Writes::refuse) gate.refused = gate.refused.united(vnodes);
    if (!door.reads || door.until != std::chrono::nanoseconds(0)) {
      gate.leased = vnodes;
      gate.until = door.reads ? door.until : std::chrono::nanoseconds(0);
    } else if (leasing_) {
      gate.leased = leasing_->leased;
      gate.until = leasing_->until;
    }
  }
  gate.held = gate.held.without(gate.refused);
  return gate;
}

void FleetMember::follow(fleet::Member& member) {
  const std::chrono::nanoseconds now = lease_clock();
  serve(member, now);
  close_if_due(member, now);
  note(member, now);
  if (member.has_left() && !std::exchange(left_told_, true)) told_.left();
}

/// Clients are served once the workers go by the gate that the member has then. A member that is
/// not to serve keeps the gate shut, for what its clients have sent before.
void FleetMember::serve(fleet::Member& member, std::chrono::nanoseconds now) {
  const bool serves = member.listens(now) && !shut_;
  if (serves != serves_) {
    serves_ = serves;
    ++openings_;
    if (!serves) {
      log_.warn("the fleet's member serves no clients");
      told_.serves(false);
    }
  }
  FleetGate gate = serves_ ? gate_of(member, now) : shut_gate();
  if (gate_ == gate && asked_ == openings_) return;
  gate_ = gate;
  asked_ = openings_;
  control_.fleet_serve(std::move(gate),
                       on_thread<Published>([this, opening = openings_](const auto& outcome) {
                         told_gate(outcome, opening);
                       }));
}

/// A worker that has not acknowledged yet takes the gate before any client that is accepted later.
void FleetMember::told_gate(const router::Outcome<Published>& outcome, std::uint64_t opening) {
  const auto* refusal = std::get_if<Refusal>(&outcome);
  if (refusal != nullptr) {
    log_.warn("what the fleet lets this router serve is not known to all workers yet",
              {{"reason", refusal->what()}});
    if (refusal->code != "not_acknowledged") return serve_again();
  }
  if (!serves_ || opening != openings_ || opened_ == openings_) return;
  try {
    file_.begins();
  } catch (const std::exception& error) {
    log_.error("the fleet's member can't serve clients yet", {{"reason", error.what()}});
    return serve_again();
  }
  opened_ = openings_;
  log_.info("the fleet's member serves clients");
  told_.serves(true);
}

void FleetMember::serve_again() {
  gate_.reset();
  serve_timer_.expires_after(kAgain);
  serve_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) agent_->wake();
  });
}

/// Workers hold first, then their earlier writes are waited for.
void FleetMember::await_drain(std::function<void(std::uint64_t)> drained) {
  drain(++drains_, drained);
}

void FleetMember::drain(std::uint64_t number, const std::function<void(std::uint64_t)>& drained) {
  if (number != drains_ || !agent_->member().holding()) return;
  gate_ = serves_ ? gate_of(agent_->member(), lease_clock()) : shut_gate();
  FleetGate held = *gate_;
  control_.fleet_drain(
      held, vnodes_of(agent_->member()),
      on_thread<BlockReport>([this, number, drained](const auto& outcome) {
        if (number != drains_) return;
        const auto* report = std::get_if<BlockReport>(&outcome);
        if (report != nullptr && report->drained) return drained(lost_lately(*report));
        drain_timer_.expires_after(kAgain);
        drain_timer_.async_wait([this, number, drained](const boost::system::error_code& error) {
          if (!error) drain(number, drained);
        });
      }));
}

// A change that nobody takes further.

void FleetMember::close_if_due(const fleet::Member& member, std::chrono::nanoseconds now) {
  if (!member.close_is_due(now) || closer_ != nullptr || std::exchange(close_waits_, true)) return;
  close_timer_.expires_after(
      std::chrono::milliseconds(std::uniform_int_distribution<int>(0, kCloseWithinMs)(random_)));
  close_timer_.async_wait([this](const boost::system::error_code& error) {
    close_waits_ = false;
    if (!error && agent_->member().close_is_due(lease_clock()) && closer_ == nullptr) close();
  });
}

void FleetMember::close() {
  const fleet::State& state = agent_->member().view()->state;
  fleet::CoordinatorOptions options;
  options.token = new_token();
  options.who = settings_.id;
  options.why = "nobody took it further";
  log_.warn("a change of the fleet's has stood still; this router closes it",
            {{"change", state.change->token},
             {"stage", std::string(fleet::to_string(state.change->stage))}});
  closer_ = std::make_unique<fleet::CoordinatorAgent>(
      thread_.loop(), sessions_of(settings_, thread_.loop()), settings_.paths, options,
      fleet::intent::Close{state.change->token, state.seq},
      fleet::CoordinatorAgent::Told{[this](const fleet::Ending&) {
                                      // What it has come to, each member sees in the state.
                                      boost::asio::post(thread_.loop(),
                                                        [this] { closer_.reset(); });
                                    },
                                    [this](const std::string& problem) { tell(problem); }},
      lease_clock);
  closer_->start();
}

void FleetMember::note(const fleet::Member& member, std::chrono::nanoseconds now) {
  FleetStatus next;
  next.fleet = settings_.name;
  next.member = settings_.id;
  next.serves = serves_;
  next.in_roster = member.is_inside();
  next.in_touch = !member.out_of_touch(now);
  next.seq = member.highest_seq();
  next.generation = member.ring().generation;
  next.digest = member.ring().digest;
  const auto& view = member.view();
  if (view) {
    next.fleet_generation = view->state.ring.generation;
    next.fleet_digest = view->state.ring.digest;
    next.highest = view->state.highest;
    if (view->state.change) {
      next.change = view->state.change->token;
      next.stage = fleet::to_string(view->state.change->stage);
    }
  }
  const bool other = view && view->state.ring != member.ring();
  if (!other)
    other_ring_since_.reset();
  else if (!other_ring_since_)
    other_ring_since_ = now;
  next.other_ring_since = other_ring_since_;
  if (member.record()) {
    next.record = member.record()->token;
    next.agreed = fleet::to_text(*member.record());
  }
  next.entry = fleet::to_text(member.entry());
  next.blocks = fleet::to_text(member.blocks());
  next.foreign = roster_.foreign();
  next.roster = roster_.ids();
  if (!member.door(now).reads) next.doubt_vnodes = vnodes_of(member).size();
  ring::VnodeSet blocked;
  for (const auto& [digest, set] : file_.sets()) blocked = blocked.united(set);
  next.blocked_vnodes = blocked.size();
  next.sessions_expired = agent_->sessions_expired();
  next.images = rings_.history();
  if (member.seen_at() > problem_seen_at_) service_problem_.clear();
  next.problem = !work_problem_.empty() ? work_problem_ : service_problem_;
  if (member.has_twin(now))
    next.problem = "another router lives under the id \"" + settings_.id + "\"";
  if (member.service_went_back(now))
    next.problem = "the service has gone back to an earlier state, which is not followed";
  const std::scoped_lock lock(mutex_);
  status_ = std::move(next);
}

}  // namespace router

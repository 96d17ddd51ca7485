#include "tests/sim/fleet_service.hpp"

#include <algorithm>

#include "fleet/protocol/overloaded.hpp"
#include "fleet/protocol/text.hpp"

namespace sim {
namespace {

using namespace fleet;

constexpr long kSessionTicks = 30;

}  // namespace

FleetService::FleetService(Draws& draws, const Ring& first)
    : draws_(draws), roster_(kFleetMembers, History<std::optional<Versioned<Entry>>>(std::nullopt)),
      answers_(kFleetMembers, History<std::optional<Answer>>(std::nullopt)),
      live_(kFleetMembers, History<Live>(Live{})), edited_(first) {
  fleet::State state;
  state.seq = state.highest = 1;
  state.ring = keep_image(first);
  state.ring.generation = 1;
  state_.set(++transaction_, {state, 1});
  for (int i = 0; i < kFleetMembers; ++i) {
    Entry entry;
    entry.incarnation = "i" + std::to_string(i) + ".0";
    entry.ring = state.ring;
    roster_[static_cast<std::size_t>(i)].set(transaction_, Versioned<Entry>{entry, 0});
  }
}

RingName FleetService::keep_image(const Ring& ring) {
  RingName name{0, std::to_string(ring.digest())};
  images_.emplace(name.digest, ring);
  return name;
}

Vnodes FleetService::between(const RingName& base, const RingName& next) const {
  const Ring &a = image(base.digest), &b = image(next.digest);
  Vnodes vnodes = 0;
  for (std::size_t vnode = 0; vnode < kVnodes; ++vnode)
    if (a.owner[vnode] != b.owner[vnode] || a.data[vnode] != b.data[vnode])
      vnodes |= only(static_cast<int>(vnode));
  return vnodes;
}

bool FleetService::all_have_ring() const {
  return std::all_of(roster_.begin(), roster_.end(), [&](const auto& each) {
    return !each.head() || each.head()->value.ring == state().ring;
  });
}

bool FleetService::has_open(const std::string& plan) const {
  const auto& change = state().change;
  return change && change->plan && change->plan->token == plan;
}

FleetService::Contact FleetService::keep(FleetLink& link) {
  const bool silent = !link.connected && link.session.number != 0 &&
                      now - std::max(link.lost_at, away_until) > kSessionTicks;
  if (silent) lose(link);
  if (!reaches(link)) {
    if (!link.connected) return Contact::same;
    link.connected = false;
    link.lost_at = now;
    return Contact::lost;
  }
  if (link.connected) return Contact::same;
  link.connected = true;
  if (link.session.number != 0) return Contact::again;
  link.session = {++sessions_, 0, draws_.chance(25) ? draws_.any(40) : 0};
  return Contact::anew;
}

void FleetService::end(FleetLink& link) {
  if (link.session.number != 0)
    ending_sessions_.emplace_back(now + kSessionTicks, link.session.number);
  link.session = {};
  link.connected = false;
}

void FleetService::expire(int session) {
  for (auto& live : live_)
    if (live.head().session == session && session != 0) live.set(++transaction_, Live{});
}

void FleetService::lose(FleetLink& link) {
  expire(link.session.number);
  link.session = {};
  link.connected = false;
}

long FleetService::view(fleet_sim::Session& session) {
  if (session.lag > 0 && draws_.chance(20)) session.lag = 0;
  if (session.lag == 0 && draws_.chance(3)) session.lag = draws_.any(40);
  session.seen = std::max(session.seen, transaction_ - session.lag);
  return session.seen;
}

void FleetService::wrote(FleetLink& link) {
  link.session.seen = ++transaction_;
  link.session.lag = 0;
}

void FleetService::advance(int member, const std::string& incarnation, FleetLink& link,
                           MemberFlight& flight) {
  if (flight.applied || now < flight.applied_at) return;
  flight.applied = true;
  if (reaches(link) && flight.session == link.session.number && flight.session != 0)
    flight.outcome = apply(member, incarnation, link, flight);
}

void FleetService::advance(FleetLink& link, DriverFlight& flight) {
  if (flight.applied || now < flight.applied_at) return;
  flight.applied = true;
  if (reaches(link) && flight.session == link.session.number && flight.session != 0)
    apply(link, flight);
}

void FleetService::advance_left() {
  const auto due = [&](auto& flight) { return !flight.applied && now >= flight.applied_at; };
  for (auto& [member, flight] : left_members_) {
    if (!due(flight)) continue;
    flight.applied = true;
    FleetLink link;
    if (now >= away_until) static_cast<void>(apply(member, "", link, flight));
  }
  for (DriverFlight& flight : left_) {
    if (!due(flight)) continue;
    flight.applied = true;
    FleetLink link;
    if (now >= away_until) apply(link, flight);
  }
  for (const auto& [at, session] : ending_sessions_)
    if (now >= at) expire(session);
  std::erase_if(ending_sessions_, [&](const auto& each) { return now >= each.first; });
  std::erase_if(left_members_, [](const auto& each) { return each.second.applied; });
  std::erase_if(left_, [](const auto& each) { return each.applied; });
}

coordination::Outcome FleetService::touch(int member, const std::string& incarnation,
                                          FleetLink& link, const ask::Touch& touch) {
  const auto at = static_cast<std::size_t>(member);
  const auto& entry = roster_[at].head();
  if (touch.entry && !entry) return Outcome::no_node;
  if (touch.entry && entry->version != *touch.entry) return Outcome::version_differs;
  const Live& live = live_[at].head();
  if (touch.shows && !touch.entry && !live.incarnation.empty() && live.incarnation != incarnation)
    return Outcome::exists;
  wrote(link);
  if (touch.shows) live_[at].set(transaction_, {incarnation, link.session.number});
  return Outcome::done;
}

coordination::Outcome FleetService::write_entry(int member, const Entry& entry,
                                                std::int32_t version) {
  auto& node = roster_[static_cast<std::size_t>(member)];
  if (!node.head()) return Outcome::no_node;
  if (node.head()->version != version) return Outcome::version_differs;
  node.set(++transaction_, Versioned<Entry>{entry, version + 1});
  return Outcome::done;
}

coordination::Outcome FleetService::apply(int member, const std::string& incarnation,
                                          FleetLink& link, MemberFlight& flight) {
  const Outcome outcome = std::visit(
      Overloaded{[&](const ask::Touch& asked) { return touch(member, incarnation, link, asked); },
                 [&](const ask::Look&) {
                   flight.found = look(member, link.session);
                   return Outcome::done;
                 },
                 [&](const ask::WriteEntry& asked) {
                   return write_entry(member, asked.entry, asked.version);
                 },
                 // Nobody joins or leaves here: tests/sim/fleet has that.
                 [](const ask::Join&) { return Outcome::exists; },
                 [](const ask::Leave&) { return Outcome::version_differs; },
                 [&](const ask::Acknowledge& asked) {
                   answers_[static_cast<std::size_t>(member)].set(++transaction_, asked.answer);
                   return Outcome::done;
                 }},
      flight.asked);
  const bool reads = std::holds_alternative<ask::Look>(flight.asked) ||
                     std::holds_alternative<ask::Touch>(flight.asked);
  if (!reads) wrote(link);
  return outcome;
}

/// `member`: -1 for a coordinator.
Seen FleetService::look(int member, fleet_sim::Session& session) {
  Seen seen;
  const auto& state = state_.at(view(session));
  seen.state = state.value;
  seen.version = state.version;
  const long later = view(session);
  if (member < 0) return seen;
  const auto at = static_cast<std::size_t>(member);
  if (const auto& entry = roster_[at].at(later)) {
    seen.entry = entry->value;
    seen.entry_version = entry->version;
  }
  seen.lives = live_[at].at(later).incarnation;
  return seen;
}

/// The answers first, and then the entries, which may be newer.
std::map<std::string, Heard> FleetService::answers(fleet_sim::Session& session) {
  const long transaction = view(session), later = view(session);
  std::map<std::string, Heard> all;
  for (int i = 0; i < kFleetMembers; ++i) {
    Heard heard;
    const auto at = static_cast<std::size_t>(i);
    if (const auto& entry = roster_[at].at(later)) heard.entry = entry->value;
    heard.answer = answers_[at].at(transaction);
    all[member_id(i)] = std::move(heard);
  }
  return all;
}

coordination::Outcome FleetService::write(const ask::Write& write) {
  const auto& head = state_.head();
  if (head.version != write.version) return Outcome::version_differs;
  const auto& change = write.state.change;
  if (change && change->kind == Kind::publish && change->stage == Stage::activate) {
    ++done.published;
    const Ring& published = image(change->next.digest);
    edited_.data = published.data;
    edited_.owner[kFreeVnode] = published.owner[kFreeVnode];
  }
  state_.set(++transaction_, {write.state, write.version + 1});
  if (traces) say("state " + to_text(write.state));
  return Outcome::done;
}

void FleetService::apply(FleetLink& link, DriverFlight& flight) {
  flight.outcome =
      std::visit(Overloaded{[&](const ask::Touch&) {
                              wrote(link);
                              return Outcome::done;
                            },
                            [&](const ask::Look&) {
                              flight.found = look(-1, link.session);
                              return Outcome::done;
                            },
                            [&](const ask::ReadRoster&) {
                              const long at = view(link.session);
                              Roster roster;
                              for (int i = 0; i < kFleetMembers; ++i)
                                if (const auto& entry = roster_[static_cast<std::size_t>(i)].at(at))
                                  roster[member_id(i)] = entry->value;
                              flight.found = std::move(roster);
                              return Outcome::done;
                            },
                            [&](const ask::ReadAnswers&) {
                              flight.found = answers(link.session);
                              return Outcome::done;
                            },
                            [&](const ask::Write& asked) {
                              const Outcome outcome = write(asked);
                              wrote(link);
                              return outcome;
                            }},
                 flight.asked);
}

}  // namespace sim

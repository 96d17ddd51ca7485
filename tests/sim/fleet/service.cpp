// The simulated service: sessions, servers that lag, answers that are lost; and what it does
// instead where a rule is left out.
#include <algorithm>

#include "fleet/protocol/text.hpp"
#include "tests/sim/fleet/world.hpp"

namespace fleet_sim {
namespace {

using coordination::Outcome;
using namespace fleet;

bool names(const Blocks& blocks, const std::string& token) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Block& block) { return block.token == token; });
}

std::string id_of(int router) { return "m" + std::to_string(router); }

}  // namespace

bool World::reaches(const Link& link) const {
  return now_ >= link.cut_until && now_ >= away_until_;
}

void World::expire(int session) {
  for (auto& live : ensemble_.live)
    if (live.head().session == session && session != 0)
      live.set(++ensemble_.transaction, Ensemble::Live{});
}

void World::lose_session(Link& link) {
  expire(link.session.number);
  link.session = Session{};
  link.connected = link.wrote = false;
}

long World::view(Session& session) {
  if (session.lag > 0 && draws_.chance(20)) session.lag = 0;
  if (session.lag == 0 && draws_.chance(3)) session.lag = draws_.any(40);
  session.seen = std::max(session.seen, ensemble_.transaction - session.lag);
  return session.seen;
}

void World::wrote(Link& link) {
  link.session.seen = ++ensemble_.transaction;
  link.session.lag = 0;
  link.wrote = true;
}

Outcome World::touch(int router, Link& link, const ask::Touch& touch) {
  if (touch.entry && hold(Rule::entry_checked)) {
    const auto& entry = ensemble_.roster[router].head();
    if (!entry) return Outcome::no_node;
    if (entry->version != *touch.entry) return Outcome::version_differs;
  }
  const Ensemble::Live& live = ensemble_.live[router].head();
  const bool another =
      !live.incarnation.empty() && live.incarnation != routers_[router].incarnation;
  if (touch.shows && !touch.entry && another) return Outcome::exists;
  const bool writes = hold(link.wrote ? Rule::renewed_by_writing : Rule::new_sessions_write);
  if (writes)
    wrote(link);
  else
    ++ensemble_.transaction;  // another's session
  link.wrote = true;
  if (touch.shows)
    ensemble_.live[router].set(ensemble_.transaction,
                               {routers_[router].incarnation, link.session.number});
  return Outcome::done;
}

Outcome World::join(int router, const ask::Join& join, std::size_t& failed) {
  failed = 0;
  if (hold(Rule::join_checked) && ensemble_.state.head().version != join.state)
    return Outcome::version_differs;
  failed = 1;
  auto& entry = ensemble_.roster[router];
  if (join.version && !entry.head()) return Outcome::no_node;
  if (join.version && entry.head()->version != *join.version) return Outcome::version_differs;
  if (!join.version && entry.head()) return Outcome::exists;
  entry.set(++ensemble_.transaction,
            Versioned<Entry>{join.entry, join.version ? *join.version + 1 : 0});
  ++done_.joins;
  return Outcome::done;
}

Outcome World::leave(int router, const ask::Leave& leave, std::size_t& failed) {
  failed = 0;
  auto& entry = ensemble_.roster[router];
  if (!entry.head()) return Outcome::no_node;
  if (entry.head()->version != leave.entry) return Outcome::version_differs;
  failed = 1;
  if (ensemble_.state.head().version != leave.state) return Outcome::version_differs;
  entry.set(++ensemble_.transaction, std::nullopt);
  return Outcome::done;
}

Outcome World::apply(int router, Link& link, MemberFlight& flight) {
  const Outcome outcome = std::visit(
      Overloaded{
          [&](const ask::Touch& asked) { return touch(router, link, asked); },
          [&](const ask::Look&) {
            flight.found = look(router, link.session);
            return Outcome::done;
          },
          [&](const ask::WriteEntry& asked) {
            auto& entry = ensemble_.roster[router];
            if (!entry.head()) return Outcome::no_node;
            if (entry.head()->version != asked.version) return Outcome::version_differs;
            entry.set(++ensemble_.transaction, Versioned<Entry>{asked.entry, asked.version + 1});
            return Outcome::done;
          },
          [&](const ask::Join& asked) { return join(router, asked, flight.failed); },
          [&](const ask::Leave& asked) { return leave(router, asked, flight.failed); },
          [&](const ask::Acknowledge& asked) {
            ensemble_.answers[router].set(++ensemble_.transaction, asked.answer);
            return Outcome::done;
          }},
      flight.asked);
  const bool reads_or_touches = std::holds_alternative<ask::Look>(flight.asked) ||
                                std::holds_alternative<ask::Touch>(flight.asked);
  if (!reads_or_touches) wrote(link);
  return outcome;
}

/// By a router's session.
Seen World::look(int index, Session& session) {
  Router& router = routers_[index];
  const long before = session.seen;
  const long at = view(session);
  Seen seen;
  const auto& state = ensemble_.state.at(at);
  seen.state = state.value;
  seen.version = state.version;
  if (!hold(Rule::one_state_node))
    seen.state.ring = ensemble_.state.at(std::max(before, at - draws_.any(8))).value.ring;
  const long later = view(session);
  const auto& blocks = ensemble_.blocks.at(hold(Rule::blocks_read_after) ? later : before);
  seen.blocks = blocks.value;
  seen.blocks_version = blocks.version;
  if (const auto& entry = ensemble_.roster[index].at(later)) {
    seen.entry = entry->value;
    seen.entry_version = entry->version;
  }
  seen.lives = ensemble_.live[index].at(later).incarnation;
  const bool inside = router.member != nullptr && router.member->is_inside();
  const bool mine = seen.entry && seen.entry->incarnation == router.incarnation;
  if (!hold(Rule::entry_checked) && inside && !mine)
    seen.entry = Entry{router.incarnation, router.disk.ring, {}, 0, {}};
  const auto& record = router.disk.record;
  if (!hold(Rule::caught_up_first) && record && seen.state.last && !seen.state.last->committed &&
      (!seen.state.change || seen.state.change->token != record->token))
    seen.state.ring = record->base;
  if (!hold(Rule::new_sessions_write))
    seen.state.seq = std::max(seen.state.seq, router.highest_seq);
  router.highest_seq = std::max(router.highest_seq, seen.state.seq);
  return seen;
}

/// By a coordinator's.
Seen World::look(Driver& driver, Session& session) {
  const long at = view(session);
  if (driver.first_look == 0) driver.first_look = at;
  Seen seen;
  const auto& state = ensemble_.state.at(at);
  seen.state = state.value;
  seen.version = state.version;
  const auto& blocks = ensemble_.blocks.at(view(session));
  seen.blocks = blocks.value;
  seen.blocks_version = blocks.version;
  if (driver.was_in_doubt) {
    const auto* lost = std::get_if<ask::Write>(&driver.last_write);
    if (lost != nullptr && !hold(Rule::unknown_looked_up)) seen.state.by = lost->state.by;
    if (lost != nullptr && !hold(Rule::repeats_only_unchanged) && seen.state.by != lost->state.by)
      seen.version = lost->version;
  } else if (!hold(Rule::commit_is_kept) && seen.state.change &&
             seen.state.change->stage == Stage::activate) {
    seen.state.change->stage = Stage::block;
    seen.state.ring = seen.state.change->base;
  }
  return seen;
}

Roster World::roster(long transaction) const {
  Roster roster;
  for (int i = 0; i < kMembers; ++i) {
    const auto& entry = ensemble_.roster[i].at(transaction);
    const bool lives = !ensemble_.live[i].at(transaction).incarnation.empty();
    if (entry && (hold(Rule::roster_counts) || lives)) roster[id_of(i)] = entry->value;
  }
  return roster;
}

/// The answers first, and then the entries, which may be newer.
std::map<std::string, Heard> World::answers(const Driver& driver, Session& session) {
  const long transaction = view(session), later = view(session);
  std::map<std::string, Heard> all;
  const Change& change = *driver.coordinator->state().change;
  for (int i = 0; i < kMembers; ++i) {
    Heard heard;
    if (const auto& entry = ensemble_.roster[i].at(later)) heard.entry = entry->value;
    heard.answer = ensemble_.answers[i].at(transaction);
    if (!hold(Rule::activated_before_closing) && change.stage == Stage::activate)
      heard.answer = Answer{change.token, change.stage, {}, {}, 0};
    if (heard.answer) {
      Answer& answer = *heard.answer;
      if (!hold(Rule::answer_names_change)) answer.token = change.token;
      if (!hold(Rule::answer_names_stage)) answer.stage = change.stage;
      const bool invented = answer.incarnation.empty();
      if (heard.entry && (invented || !hold(Rule::older_disks_noticed)))
        answer.incarnation = heard.entry->incarnation;
    }
    all[id_of(i)] = std::move(heard);
  }
  return all;
}

Outcome World::write(const ask::Write& write, bool any_version) {
  const auto& state = ensemble_.state.head();
  if (!any_version && state.version != write.version) return Outcome::version_differs;
  if (!any_version && write.blocks && ensemble_.blocks.head().version != write.blocks_version)
    return Outcome::version_differs;
  ensemble_.state.set(++ensemble_.transaction, {write.state, write.version + 1});
  if (traces_) say("state " + to_text(write.state));
  if (write.state.last) fates_[write.state.last->token] = write.state.last->committed;
  if (write.blocks)
    for (const Block& block : *write.blocks) stood_.insert(block.token);
  const RingName& ring = write.state.ring;
  if (ring.digest.size() == 1) read_only_by_.clear();
  if (write.blocks && !hold(Rule::blocks_with_state)) {
    late_blocks_ = {now_ + random() * 600, *write.blocks};
    return Outcome::done;
  }
  if (write.blocks) {
    ensemble_.blocks.set(ensemble_.transaction, {*write.blocks, write.blocks_version + 1});
    if (!names(*write.blocks, blocked_by_)) blocked_by_.clear();
  }
  return Outcome::done;
}

void World::apply(Driver& driver, Link& link) {
  CoordinatorFlight& flight = *driver.flight;
  flight.outcome = std::visit(
      Overloaded{[&](const ask::Touch&) {
                   wrote(link);
                   return Outcome::done;
                 },
                 [&](const ask::Look&) {
                   flight.found = look(driver, link.session);
                   return Outcome::done;
                 },
                 [&](const ask::ReadRoster&) {
                   const long at = view(link.session);
                   flight.found = roster(hold(Rule::read_after_open) || driver.first_look == 0
                                             ? at
                                             : driver.first_look);
                   return Outcome::done;
                 },
                 [&](const ask::ReadAnswers&) {
                   flight.found = answers(driver, link.session);
                   return Outcome::done;
                 },
                 [&](const ask::Write& asked) {
                   const bool any = !hold(Rule::state_by_version) ||
                                    (driver.was_in_doubt && !hold(Rule::repeats_only_unchanged));
                   const Outcome outcome = write(asked, any);
                   wrote(link);
                   return outcome;
                 }},
      flight.asked);
}

/// What has come to the service by now.
void World::apply_flights() {
  const auto due = [&](const auto& flight) { return !flight.applied && now_ >= flight.applied_at; };
  for (int i = 0; i < kMembers; ++i) {
    Router& router = routers_[i];
    if (router.flight && due(*router.flight)) {
      router.flight->applied = true;
      if (reaches(router.link) && router.flight->session == router.link.session.number)
        router.flight->outcome = apply(i, router.link, *router.flight);
    }
    Driver& closer = router.closer;
    if (closer.flight && due(*closer.flight)) {
      closer.flight->applied = true;
      if (reaches(router.link) && closer.flight->session == router.link.session.number)
        apply(closer, router.link);
    }
  }
  for (Person& person : people_)
    if (person.driver.flight && due(*person.driver.flight)) {
      person.driver.flight->applied = true;
      if (reaches(person.link) && person.driver.flight->session == person.link.session.number)
        apply(person.driver, person.link);
    }
  for (auto& [router, flight] : left_member_flights_)
    if (due(flight)) {
      flight.applied = true;
      Link link;
      link.wrote = true;
      link.session.number = flight.session;
      if (now_ >= away_until_) apply(router, link, flight);
    }
  std::erase_if(left_member_flights_, [](const auto& each) { return each.second.applied; });
  for (CoordinatorFlight& flight : left_flights_)
    if (due(flight)) {
      flight.applied = true;
      if (const auto* asked = std::get_if<ask::Write>(&flight.asked); asked && now_ >= away_until_)
        static_cast<void>(write(*asked, !hold(Rule::state_by_version)));
    }
  std::erase_if(left_flights_, [](const auto& each) { return each.applied; });
  for (const auto& [at, session] : ending_sessions_)
    if (now_ >= at) expire(session);
  std::erase_if(ending_sessions_, [&](const auto& each) { return now_ >= each.first; });
  if (late_blocks_ && now_ >= late_blocks_->first) {
    ensemble_.blocks.set(++ensemble_.transaction,
                         {late_blocks_->second, ensemble_.blocks.head().version + 1});
    late_blocks_.reset();
  }
}

}  // namespace fleet_sim

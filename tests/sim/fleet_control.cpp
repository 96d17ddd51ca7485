#include "tests/sim/fleet_control.hpp"

#include <algorithm>

#include "fleet/protocol/overloaded.hpp"
#include "fleet/protocol/text.hpp"

namespace sim {
namespace {

using namespace fleet;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kStartWait{500};

std::string name_of(const Work& work) {
  return std::visit(
      Overloaded{
          [](const work::KeepMembership&) { return std::string("keep membership"); },
          [](const work::DropMembership&) { return std::string("drop membership"); },
          [](const work::KeepRecord& kept) {
            return "keep record " + std::string(to_string(kept.record.phase));
          },
          [](const work::DropRecord&) { return std::string("drop record"); },
          [](const work::KeepBlocks&) { return std::string("keep blocks"); },
          [](const work::Stage&) { return std::string("stage"); },
          [](const work::Activate& activated) { return "activate " + activated.ring.digest; },
          [](const work::Take& taken) { return "take " + taken.ring.digest; }},
      work);
}

}  // namespace

FleetControl::FleetControl(FleetService& service, Draws& draws, const FleetRules& rules, int index,
                           Router& router)
    : service_(service), draws_(draws), rules_(rules), index_(index), router_(router),
      closer_(service) {
  const Entry& entry = service.entry(index)->value;
  disk_.ring = entry.ring;
  disk_.membership = Membership{member_id(index), entry.incarnation, "", entry.ring, 1};
  start();
}

nanoseconds FleetControl::clock() const {
  const auto ticks = static_cast<double>(service_.now + clock_offset_) * clock_rate_;
  return nanoseconds(
      static_cast<std::int64_t>(ticks * static_cast<double>(nanoseconds(kFleetTick).count())));
}

void FleetControl::start() {
  incarnation_ = "i" + std::to_string(index_) + "." + std::to_string(++process_);
  clock_rate_ = 0.996 + draws_.any(9) * 0.001;
  clock_offset_ = draws_.any(1'000);
  MemberOptions options;
  options.id = member_id(index_);
  options.incarnation = incarnation_;
  options.session = milliseconds{1'500};
  options.look_every = milliseconds{1'000};
  options.start_wait = kStartWait;
  options.start_waits = draws_.chance(20);
  stopped_until = 0;
  member_ = std::make_unique<Member>(options, disk_, clock());
  leased_otherwise_until_ = {};
  taken_back_ = false;
  if (!hold(FleetRule::no_lease_over_restart) && leased())
    leased_otherwise_until_ = clock() + lease();
  show();
}

void FleetControl::end() {
  service_.say(incarnation_ + " ends");
  if (work_ && draws_.chance(50)) put(work_->first);
  work_.reset();
  if (flight_ && !flight_->applied) service_.leave(index_, *std::move(flight_));
  flight_.reset();
  asked_.reset();
  closer_.die();
  member_.reset();
  service_.end(link);
}

void FleetControl::advance() {
  if (flight_) service_.advance(index_, incarnation_, link, *flight_);
  closer_.advance();
}

void FleetControl::keep_link() {
  using Contact = FleetService::Contact;
  const Contact contact = service_.keep(link);
  if (contact == Contact::lost) member_->connection(false, clock());
  if (contact == Contact::again) member_->connection(true, clock());
  if (contact != Contact::anew) return;
  if (std::exchange(flight_, std::nullopt))
    member_->told(coordination::Outcome::unknown, 0, clock());
  member_->session_began(clock());
}

void FleetControl::deliver() {
  if (!flight_ || !flight_->applied || service_.now < flight_->answered_at) return;
  MemberFlight flight = *std::exchange(flight_, std::nullopt);
  if (!link.connected || flight.lost || flight.outcome == coordination::Outcome::unknown)
    return member_->told(coordination::Outcome::unknown, 0, clock());
  auto* seen = std::get_if<Seen>(&flight.found);
  if (seen == nullptr) return member_->told(flight.outcome, flight.failed, clock());
  noticed(*seen);
  member_->seen(std::move(*seen), clock());
  show();
}

/// What the world does by a look where a rule is left out, and for how long the state has stood.
void FleetControl::noticed(const Seen& seen) {
  if (stands_.first != seen.state.seq) stands_ = {seen.state.seq, service_.now};
  const auto& change = seen.state.change;
  const auto& record = member_->record();
  const bool before_commit = change && record && record->token == change->token &&
                             change->kind == Kind::reshard && change->stage != Stage::activate;
  if (before_commit && !hold(FleetRule::row_renews_lease))
    leased_otherwise_until_ = clock() + lease();
  taken_back_ =
      before_commit && !hold(FleetRule::row_is_not_taken_back) && member_->ring() == record->next;
}

void FleetControl::put(const Work& work) {
  if (service_.traces) service_.say(incarnation_ + " does " + std::string(name_of(work)));
  const auto& view = member_->view();
  if (std::holds_alternative<work::Activate>(work) &&
      !(view && view->state.change && view->state.change->stage == fleet::Stage::activate))
    ++service_.done.by_row;
  std::visit(
      Overloaded{[&](const work::KeepMembership& kept) { disk_.membership = kept.membership; },
                 [&](const work::DropMembership&) { disk_.membership.reset(); },
                 [&](const work::KeepRecord& kept) {
                   if (hold(FleetRule::record_on_disk)) disk_.record = kept.record;
                 },
                 [&](const work::DropRecord&) { disk_.record.reset(); },
                 [&](const work::KeepBlocks& kept) { disk_.blocks = kept.blocks; },
                 [](const work::Stage&) {},
                 [&](const work::Activate& activated) { disk_.ring = activated.ring; },
                 [&](const work::Take& taken) { disk_.ring = taken.ring; }},
      work);
}

void FleetControl::finish_work() {
  if (work_ && service_.now >= work_->second) {
    const Work work = std::move(work_->first);
    work_.reset();
    const bool fetches =
        std::holds_alternative<work::Stage>(work) || std::holds_alternative<work::Take>(work);
    if (!service_.calm && draws_.chance(fetches ? 3 : 1)) {
      member_->failed("no image", draws_.chance(30), clock());
    } else {
      put(work);
      member_->did(clock());
      show();
    }
  }
  if (work_) return;
  if (auto work = member_->next_work(clock()))
    work_.emplace(*std::move(work), service_.now + draws_.any(draws_.chance(5) ? 20 : 2));
}

void FleetControl::show() {
  const auto& record = member_->record();
  router_.ring =
      service_.image(taken_back_ && record ? record->base.digest : member_->ring().digest);
}

/// Which of the router's writes its gate has to wait for.
void FleetControl::drain() {
  if (!member_->holding()) return;
  const Vnodes vnodes = moving();
  for (int vnode = 0; vnode < kVnodes; ++vnode)
    if (has(vnodes, vnode) && router_.in_flight[static_cast<std::size_t>(vnode)] > 0 &&
        hold(FleetRule::drained_before_agreeing))
      return;
  member_->drained(0, clock());
}

void FleetControl::step() {
  if (service_.now < stopped_until) return;
  keep_link();
  deliver();
  drain();
  if (draws_.chance(15)) member_->changed(clock());
  finish_work();
  if (!flight_)
    if (auto request = member_->next_request(clock()))
      flight_ = service_.send(*std::move(request), link);
  close_left_change();
}

bool FleetControl::close_is_due() {
  if (member_->close_is_due(clock())) return true;
  if (hold(FleetRule::coordinator_alone_closes) || !member_->view()) return false;
  const auto& change = member_->view()->state.change;
  return change && change->kind == Kind::reshard && change->stage != Stage::prepare &&
         (service_.now - stands_.second) * kFleetTick > 2 * change->lease;
}

void FleetControl::close_left_change() {
  closer_.link.cut_until = link.cut_until;
  closer_.step([] { return true; });
  if (closer_.coordinator() != nullptr) {
    if (const auto& ending = closer_.coordinator()->ending()) {
      if (ending->kind != Ending::Kind::overtaken) ++service_.done.closed;
      closer_.drop();
    }
    return;
  }
  if (!link.connected || !close_is_due()) {
    close_at_ = service_.now + 5 * index_;
    return;
  }
  if (service_.now < close_at_) return;
  CoordinatorOptions options;
  options.token = service_.new_token();
  const fleet::State& state = member_->view()->state;
  closer_.begin(options, intent::Close{state.change->token, state.seq});
}

// What is served.

/// Where nobody knows which vnodes it is about, it is about all.
Vnodes FleetControl::moving() const {
  if (member_->in_doubt()) return static_cast<Vnodes>(0xff);
  const auto& record = member_->record();
  return record ? service_.between(record->base, record->next) : Vnodes{0};
}

bool FleetControl::leased() const {
  const auto& record = member_->record();
  return record && record->kind == Kind::reshard && record->phase == Record::Phase::leased;
}

Door FleetControl::door() const {
  Door door = member_->door(clock());
  const bool otherwise = leased() && clock() < leased_otherwise_until_ && !door.reads;
  if (otherwise || taken_back_) return {Door::Writes::wait, true, {}};
  const auto& record = member_->record();
  if (!hold(FleetRule::writes_wait_when_activated) && record && member_->ring() == record->next &&
      record->phase == Record::Phase::activated)
    door.writes = Door::Writes::pass;
  return door;
}

bool FleetControl::serves(Vnodes vnodes) const {
  if (!member_ || service_.now < stopped_until || !member_->listens(clock())) return false;
  if ((moving() & vnodes) == 0) return true;
  const Door door = this->door();
  return door.reads && (door.until == nanoseconds{0} || clock() < door.until);
}

bool FleetControl::writes(Vnodes vnodes) const {
  if (!serves(vnodes)) return false;
  return (moving() & vnodes) == 0 || door().writes == Door::Writes::pass;
}

bool FleetControl::is_at_ease(Vnodes vnodes) const {
  return (moving() & vnodes) == 0 || member_->door(clock()) == Door{};
}

bool FleetControl::activated(Vnodes vnodes) const {
  const auto& record = member_->record();
  return member_ && record && (moving() & vnodes) != 0 && member_->ring() == record->next;
}

/// Where an answer counts from when it came, the question is the member's own when it comes.
std::optional<RowQuestion> FleetControl::question() {
  if (!member_ || service_.now < stopped_until) return std::nullopt;
  if (hold(FleetRule::answer_from_asking)) return member_->next_question(clock());
  Member copy = *member_;
  asked_ = copy.next_question(clock());
  return asked_;
}

void FleetControl::row_said(RowSays says) {
  if (!hold(FleetRule::answer_from_asking)) {
    const auto question = member_->next_question(clock());
    if (!question) return;
    if (question->digest != asked_->digest || question->at_target != asked_->at_target)
      says = RowSays::nothing;
  }
  if (service_.traces)
    service_.say(incarnation_ + " hears of a row: " + std::to_string(static_cast<int>(says)));
  member_->row_said(says, clock());
}

bool FleetControl::rests() const {
  return member_ && member_->listens(clock()) && !member_->record() && !work_ && !taken_back_;
}

}  // namespace sim
